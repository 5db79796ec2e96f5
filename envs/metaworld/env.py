"""One Meta-World task as a Gymnasium environment whose observation has names and whose goal is seen."""

from __future__ import annotations

from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium import spaces
from metaworld.env_dict import ALL_V3_ENVIRONMENTS

from opengato.envs.metaworld import signals
from opengato.envs.rendering.mark import paint_ball
from opengato.envs.rendering.raycast import FreeCamera, RayCaster
from opengato.errors import ObservationError, UnknownNameError

VERSION = "-v3"
TASKS = tuple(sorted(name.removesuffix(VERSION) for name in ALL_V3_ENVIRONMENTS))
PICTURE = (240, 320)  # rows, columns
# From the arm's left: it hides neither the table nor, as a rule, the side on which doors and drawers have handles.
CAMERA = FreeCamera((0.0, 0.62, 0.14), distance=1.25, azimuth=150.0, elevation=-27.0)
GOAL_RADIUS = 0.02  # metres

Observation = dict[str, np.ndarray]


class MetaWorldEnv(gymnasium.Env[Observation, np.ndarray]):
    """A Sawyer arm with a gripper over a table.

    The class is that of `metaworld.env_dict.ALL_V3_ENVIRONMENTS`, with the goal observable as in the multi-task
    benchmarks. Where those draw from 50 goals, every episode here draws objects and goal anew from the task's own
    range.

    Observation, float32, metres in the world's frame: `hand` [3]; `gripper` [1], 0 closed to 1 open; `object` [3] and
    `object_quaternion` [4] (in the order that the task itself chose; zeros where it gives none); `second_object` [3],
    zeros where there is none; `previous` [14], the five above one step ago; `goal` [3].
    Action, float32 [4] in [-1, 1]: where the hand's target goes along x, y, z (1 is 1 cm), and the force of the fingers
    (1 closes).
    Reward: Meta-World's dense one (its version 2), 0 to 10 a step.
    Meta-World never terminates: an episode is truncated after 500 steps. `info["success"]` is true from the first step
    on which the task's criterion held.

    Args:
        task: one of `TASKS`.
        render_mode: `rgb_array` or None.

    Raises:
        UnknownNameError: Meta-World has no such task.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 80}
    units = {
        **dict.fromkeys(("hand", "object", "second_object", "goal"), ("m", "world")),
        "action": ("1 cm ×3, 1 closes", "world"),
    }

    def __init__(self, task: str, *, render_mode: str | None = "rgb_array") -> None:
        if task not in TASKS:
            raise UnknownNameError("Meta-World task", task, TASKS, "Next: opengato list 'tasks=[metaworld/*]'")
        self.task, self.render_mode = task, render_mode
        simulator: Any = ALL_V3_ENVIRONMENTS[task + VERSION]()
        # What `set_task` does, but for the goal, which is drawn at each reset from the generator that reset seeds.
        simulator._set_task_called = True
        simulator._freeze_rand_vec, simulator.seeded_rand_vec = False, True
        simulator._partially_observable = False
        del simulator.sawyer_observation_space  # cached with the bounds of a hidden goal
        self.simulator = simulator
        self.rate_hz = 1.0 / simulator.dt
        self.metadata = {**self.metadata, "render_fps": round(self.rate_hz)}
        self.observation_space = signals.space()  # type: ignore[assignment]
        self.action_space = spaces.Box(-1.0, 1.0, (4,), np.float32)
        self._success = False
        self._caster: RayCaster | None = None
        self._drawn: Any = None

    @property
    def model(self) -> Any:
        """MuJoCo's model, whose masses and friction may be changed."""
        return self.simulator.model

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        self.simulator.np_random = self.np_random
        flat, _ = self.simulator.reset()
        self._success = False
        return signals.split(flat), {"success": False}

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        values = np.asarray(action, np.float32)
        if values.shape != (4,) or not np.isfinite(values).all():
            raise ObservationError(f"action {action!r} must be 4 finite numbers. Next: check the policy.")
        flat, reward, _, truncated, info = self.simulator.step(np.clip(values, -1.0, 1.0))
        self._success |= bool(info["success"])
        return signals.split(flat), float(reward), False, bool(truncated), {"success": self._success}

    def render(self) -> np.ndarray:
        """uint8 [240, 320, 3], drawn without any GL library; the goal is a green ball that nothing hides."""
        model, data = self.simulator.model, self.simulator.data
        if self._caster is None:
            self._caster, self._drawn = RayCaster(model, *PICTURE, CAMERA), mujoco.MjData(model)
        # Meta-World moves furniture after the last kinematics of a reset. The copy keeps the simulation untouched.
        mujoco.mj_copyData(self._drawn, model, data)
        mujoco.mj_kinematics(model, self._drawn)
        picture = self._caster.render(self._drawn)
        paint_ball(picture, CAMERA, self.simulator._target_pos, GOAL_RADIUS)
        return picture

    def close(self) -> None:
        self._caster = self._drawn = None
        self.simulator.close()
