"""One task on a body of the DeepMind Control Suite as a Gymnasium environment, seen by its state or by its camera."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from dm_control import suite
from dm_control.rl.control import PhysicsError
from gymnasium import spaces

from opengato.envs.control import added
from opengato.envs.control.bodies import Bodies
from opengato.envs.planning.mujoco_state import put_back, take
from opengato.envs.real.mujoco_body import MujocoBody

# The protocol of TD-MPC2 (Hansen et al. 2024, appendix "DMControl"), whose scores are the published reference.
ACTION_REPEAT = 2
CONTROL_STEPS = 1000  # of an episode
RENDER_SIZE = (240, 320)
UNBOUNDED = 1e3
PICTURE = 64  # pixels along a side of what is seen

Observation = dict[str, np.ndarray]


def load(domain: str, task: str, random: np.random.RandomState) -> Any:
    """dm_control's environment of a task of the suite, or of one that others ask of its bodies."""
    if (domain, task) in added.TASKS:
        return added.TASKS[domain, task](random)
    return suite.load(domain, task, task_kwargs={"random": random})


def name_of(domain: str, task: str) -> str:
    """`ball_in_cup`, `catch` → `ball-in-cup-catch`."""
    return f"{domain}-{task}".lower().replace("_", "-")


class ControlEnv(gymnasium.Env[Observation, np.ndarray]):
    """A suite task: joint positions, velocities and what else dm_control observes, under dm_control's own keys.

    Observation: `Dict` of float32 vectors in SI units (m, rad, m/s, rad/s); a scalar becomes shape (1,). With `pixels`
    a uint8 [64, 64, 3] picture `camera` in their place.
    Action: float32 [nu] in [-1, 1], scaled to the actuators' own bounds and held for `action_repeat` control steps.
    Reward: sum over the held control steps, each in [0, 1]. An episode lasts 1000 control steps, so its return is at
    most 1000. There is no success criterion.

    Args:
        domain: e.g. "cheetah".
        task: e.g. "run".
        action_repeat: control steps that one action is held.
        pixels: see by the suite's first camera.
        bodies: share by which every episode's body differs from the suite's (`bodies.py`); 0 for not at all.
        render_mode: "rgb_array" or None.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}

    def __init__(
        self, domain: str, task: str, *, action_repeat: int = ACTION_REPEAT, pixels: bool = False, bodies: float = 0.0,
        render_mode: str | None = None,
    ) -> None:  # fmt: skip
        if action_repeat < 1:
            raise ValueError(f"action_repeat is {action_repeat}, must be at least 1")
        # dm_control draws from this generator, and reset(seed=...) seeds it in place.
        self._draws = np.random.RandomState(0)
        self._suite = load(domain, task, self._draws)
        if not np.isfinite(self._suite._step_limit):  # the suite's lqr never ends
            self._suite._step_limit = CONTROL_STEPS
        # The trained policy that shows it, where there is one.
        self.expert = f"control/{name_of(domain, task)}"
        self.action_repeat = action_repeat
        self.render_mode = render_mode
        rate_hz = 1.0 / (self._suite.control_timestep() * action_repeat)
        self.metadata = {**self.metadata, "render_fps": round(rate_hz)}

        native = self._suite.action_spec()
        # Motors without bounds (lqr) are driven with as much as 1.
        unbounded = (np.abs(native.minimum) > UNBOUNDED) | (np.abs(native.maximum) > UNBOUNDED)
        self._low = np.where(unbounded, -1.0, native.minimum).astype(np.float64)
        self._high = np.where(unbounded, 1.0, native.maximum).astype(np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, native.shape, np.float32)
        self.state_space = spaces.Dict(
            {
                key: spaces.Box(-np.inf, np.inf, (int(np.prod(spec.shape)),), np.float32)
                for key, spec in self._suite.observation_spec().items()
            }
        )
        self.state: Observation = {}  # what it senses of itself, which is the observation unless it sees by a camera
        self.pixels = pixels
        seen = spaces.Box(0, 255, (PICTURE, PICTURE, 3), np.uint8)
        self.observation_space = spaces.Dict({"camera": seen}) if pixels else self.state_space  # type: ignore[assignment]
        self._bodies = Bodies(self.physics.model.ptr, bodies) if bodies else None
        self.physique = MujocoBody(self.physics.model.ptr)
        self._caster: Any = None
        self._eye: Any = None

    @property
    def physics(self) -> Any:
        """dm_control's `Physics`, for demonstrators and renderers."""
        return self._suite.physics

    @property
    def simulation(self) -> tuple[Any, Any]:
        """MuJoCo's model and data, for demonstrators that know mechanics."""
        return self.physics.model.ptr, self.physics.data.ptr

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; the same seed gives the same start on every machine with the same MuJoCo."""
        super().reset(seed=seed)
        self._draws.seed(int(self.np_random.integers(2**32, dtype=np.uint32)))
        told: dict[str, Any] = {}
        if self._bodies:
            self.physique.restore()
            told = self._bodies.draw(self._draws)
            self.physique.take(self.physics.model.ptr)
        return self._observe(self._suite.reset()), told

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hold `action` (float [nu], clipped to [-1, 1]) for `action_repeat` control steps."""
        now, total = self._hold(action)
        ended = bool(now.last())
        # The suite marks a true end by discount 0; running out of time keeps discount 1.
        terminated = ended and now.discount == 0.0
        return self._observe(now), float(total), terminated, ended and not terminated, {}

    def _native(self, action: np.ndarray) -> np.ndarray:
        clipped = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        return self._low + (clipped + 1.0) * 0.5 * (self._high - self._low)

    def _hold(self, action: np.ndarray) -> tuple[Any, float]:
        native, total = self._native(action), 0.0
        for _ in range(self.action_repeat):
            now = self._suite.step(native)
            total += now.reward or 0.0
            if now.last():
                break
        return now, total

    def snapshot(self) -> tuple[np.ndarray, Any, int]:
        """Everything the next steps depend on, for planners."""
        state = take(self.physics.model.ptr, self.physics.data.ptr)
        return state, self._draws.get_state(), self._suite._step_count

    def put_back(self, moment: tuple[np.ndarray, Any, int]) -> None:
        """Make the environment what it was."""
        state, draws, count = moment
        put_back(self.physics.model.ptr, self.physics.data.ptr, state)
        self._draws.set_state(draws)
        self._suite._step_count, self._suite._reset_next_step = count, False

    def look_ahead(self, action: np.ndarray) -> tuple[float, bool]:
        """One step as `step` takes it: reward, and whether the episode ended. Nothing is observed, which would cost
        more than the physics. A step that breaks the simulation costs as much as an episode can bring."""
        native, total = self._native(action), 0.0
        task, physics = self._suite.task, self.physics
        try:
            for _ in range(self.action_repeat):
                task.before_step(native, physics)
                physics.step(self._suite._n_sub_steps)
                task.after_step(physics)
                total += task.get_reward(physics) or 0.0
                self._suite._step_count += 1
                out_of_time = self._suite._step_count >= self._suite._step_limit
                if out_of_time or task.get_termination(physics) is not None:
                    return total, True
        except PhysicsError:
            return -1000.0, True
        return total, False

    def render(self) -> np.ndarray:
        """uint8 [240, 320, 3]: the suite's own first camera, drawn without any GL library."""
        if self._caster is None:
            from opengato.envs.rendering.raycast import RayCaster

            self._caster = RayCaster(self.physics.model.ptr, *RENDER_SIZE, camera=0)
        return self._caster.render(self.physics.data.ptr)

    def close(self) -> None:
        self._caster = self._eye = None
        self._suite.close()

    def _observe(self, now: Any) -> Observation:
        self.state = {key: np.array(value, np.float32).reshape(-1) for key, value in now.observation.items()}
        if not self.pixels:
            return self.state
        if self._eye is None:
            from opengato.envs.rendering.raycast import RayCaster

            self._eye = RayCaster(self.physics.model.ptr, PICTURE, PICTURE, camera=0)
        return {"camera": self._eye.render(self.physics.data.ptr)}
