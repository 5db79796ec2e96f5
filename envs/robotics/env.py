"""One task of Gymnasium-Robotics: its goal as named signals, its pictures without a graphics library."""

from __future__ import annotations

import copy
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium import spaces

from opengato.envs.planning.mujoco_state import put_back, take
from opengato.envs.robotics.origin import IDS, OBS_ELEMENT_GOALS, OBS_ELEMENT_INDICES, open_task
from opengato.envs.robotics.view import View
from opengato.errors import ObservationError, UnknownNameError

# A maze and the kitchen hold the simulation in an environment of their own.
INNER = ("point_env", "ant_env", "robot_env")

Observation = dict[str, np.ndarray]


class Robotics(gymnasium.Env[Observation, np.ndarray]):
    """Gymnasium-Robotics' own dynamics, rewards and goals.

    Observation, float32: `state` [n], as the package documents it for the body; where the task has a goal,
    `achieved_goal` [g] and `desired_goal` [g], in the same units. The kitchen's goals are vectors of 17: what its seven
    things stand at, and in `desired_goal` 0 for those that are not asked for, so that all its tasks are one body.
    Action: float32 [actuators] in [-1, 1], as the package scales it.
    Reward: the package's, sparse or dense as the id says.
    An episode is truncated after the registered number of steps; where the Adroit hand's pen falls or the kitchen is
    done it terminates. `info["success"]` says whether the goal is met now; in the kitchen, whether all that was asked
    for has been done.

    Args:
        id: one of `origin.IDS`.
        render_mode: "rgb_array" or None.
        **kwargs: passed to the package's environment.

    Raises:
        UnknownNameError: there is no such task.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 25}

    def __init__(self, id: str, *, render_mode: str | None = None, **kwargs: Any) -> None:
        if id not in IDS:
            raise UnknownNameError("task of Gymnasium-Robotics", id, IDS, "Next: opengato list 'tasks=[robotics/*]'")
        self.name, self.render_mode = id, render_mode
        self.origin = open_task(id, kwargs)
        self._parts = [getattr(self.origin, name) for name in INNER if hasattr(self.origin, name)]
        self._kitchen = id.startswith("FrankaKitchen")
        self._most = gymnasium.spec(id).max_episode_steps or 1000
        self._steps = 0
        self.rate_hz = 1.0 / float((self._parts or [self.origin])[0].dt)
        self.metadata = {**self.metadata, "render_fps": round(self.rate_hz)}
        actions = self.origin.action_space.shape
        self.action_space = spaces.Box(-1.0, 1.0, actions, np.float32)
        self._view: View | None = None
        seen = self._observe(self.origin.reset(seed=0)[0])
        self.observation_space = spaces.Dict(  # type: ignore[assignment]
            {name: spaces.Box(-np.inf, np.inf, value.shape, np.float32) for name, value in seen.items()}
        )

    @property
    def model(self) -> Any:
        """MuJoCo's model, whose masses and friction may be changed."""
        return self.origin.model

    @property
    def data(self) -> Any:
        """MuJoCo's data."""
        return self.origin.data

    @property
    def goal(self) -> np.ndarray | None:
        """Where to, float64; None where the task has no goal or has it inside (the Adroit hand, the kitchen)."""
        found = getattr(self.origin, "goal", None)
        return found if isinstance(found, np.ndarray) else None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        # The hand's tasks keep the actuators' last targets and the solver's warm start over a reset.
        mujoco.mj_resetData(self.model, self.data)
        native, _ = self.origin.reset(seed=int(self.np_random.integers(2**31)))
        self._steps = 0
        return self._observe(native), {"success": False}

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        values = np.asarray(action, np.float64)
        if values.shape != self.action_space.shape or not np.isfinite(values).all():
            size = self.action_space.shape[0]  # type: ignore[index]
            raise ObservationError(f"action {action!r} must be {size} finite numbers. Next: check the policy.")
        native, reward, terminated, _, info = self.origin.step(np.clip(values, -1.0, 1.0))
        self._steps += 1
        truncated = self._steps >= self._most and not terminated
        return self._observe(native), float(reward), bool(terminated), truncated, {"success": self._success(info)}

    def snapshot(self) -> tuple[np.ndarray, int, list[Any]]:
        """Everything the next steps depend on within an episode, for planners."""
        kept = [_kept(part) for part in (self.origin, *self._parts)] if self._kitchen else []
        return take(self.model, self.data), self._steps, kept

    def put_back(self, moment: tuple[np.ndarray, int, list[Any]]) -> None:
        """Make the environment what it was."""
        put_back(self.model, self.data, moment[0])
        self._steps = moment[1]
        for part, kept in zip((self.origin, *self._parts), moment[2], strict=False):
            for name, value in kept.items():
                setattr(part, name, copy.deepcopy(value))

    def look_ahead(self, action: np.ndarray) -> tuple[float, bool]:
        """One step: reward, and whether the episode ended."""
        _, reward, terminated, truncated, _ = self.step(action)
        return reward, terminated or truncated

    def render(self) -> np.ndarray:
        """uint8 [240, 320, 3], drawn without any GL library; where the goal is a place, it is a green ball that nothing
        hides, and where it is a pose, the thing itself stands there."""
        if self._view is None:
            self._view = View(self)
        return self._view.draw()

    def close(self) -> None:
        self._view = None
        self.origin.close()

    def _observe(self, native: Any) -> Observation:
        if not isinstance(native, dict):
            return {"state": native.astype(np.float32)}
        seen = {"state": native["observation"], **{name: native[name] for name in ("achieved_goal", "desired_goal")}}
        if self._kitchen:
            asked = native["desired_goal"]
            seen["achieved_goal"] = np.concatenate([self.data.qpos[where] for where in OBS_ELEMENT_INDICES.values()])
            seen["desired_goal"] = np.concatenate(
                [goal * (thing in asked) for thing, goal in OBS_ELEMENT_GOALS.items()]
            )
        return {name: value.astype(np.float32) for name, value in seen.items()}

    def _success(self, info: dict[str, Any]) -> bool:
        if self._kitchen:
            return len(info["episode_task_completions"]) == len(self.origin.goal)
        return bool(info["is_success"] if "is_success" in info else info["success"])


def _kept(part: Any) -> dict[str, Any]:
    """What the kitchen remembers beside the simulation's state: its noise, what is done, the joints as last seen."""
    names = ("_np_random", "_last_robot_qpos", "tasks_to_complete", "step_task_completions", "episode_task_completions")
    return {name: copy.deepcopy(value) for name, value in vars(part).items() if name in names}
