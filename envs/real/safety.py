"""Between policy and robot: whatever comes in, what goes out keeps to the limits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from opengato.errors import OpengatoError

RESERVE = 1  # steps that are kept for a reading that does not come


@dataclass(frozen=True)
class Limits:
    """What an action may do, for actions that are velocities.

    Args:
        low, high: float [A], the range of each number.
        change: float [A], by how much a number may change from one action to the next (acceleration).
        rate_hz: actions a second.
        speed: metres per second at action 1 of the first three numbers, x, y and z; 0 where they are no Cartesian
            velocity, and then there is no workspace.
        workspace_low, workspace_high: float [3], metres, where the point that is moved may be.
        joint_velocity: largest magnitude that is safe, rad/s; beyond it the arm is brought to rest.
        gripper: which number closes the gripper when positive; -1 for none.
        force: largest gripping force, newtons.
    """

    low: np.ndarray
    high: np.ndarray
    change: np.ndarray
    rate_hz: float
    speed: float = 0.0
    workspace_low: np.ndarray | None = None
    workspace_high: np.ndarray | None = None
    joint_velocity: float = np.inf
    gripper: int = -1
    force: float = np.inf

    def __post_init__(self) -> None:
        shapes = {np.shape(each) for each in (self.low, self.high, self.change)}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise OpengatoError(f"low, high and change have shapes {sorted(shapes)}; legal: one row of numbers each.")
        if np.any(self.low > 0) or np.any(self.high < 0) or np.any(self.change <= 0):
            raise OpengatoError("rest (zero) must be legal, and every number must be allowed to change.")


class Safety:
    """Makes any action safe, and counts why it had to.

    After `stop` only rest comes out, until `clear`.

    Args:
        limits: of the robot.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.reasons: Counter[str] = Counter()
        self.stopped = False
        self._last = np.zeros(len(limits.low))

    def stop(self) -> None:
        """Emergency stop."""
        self.stopped = True

    def clear(self) -> None:
        """After a person has looked."""
        self.stopped = False

    def rest(self) -> np.ndarray:
        """The next action on the way to rest, float32 [A]; not counted as a correction."""
        self._last = self._last - np.clip(self._last, -self.limits.change, self.limits.change)
        return self._last.astype(np.float32)

    def reset(self) -> None:
        """A new episode begins at rest."""
        self._last[:] = 0

    def __call__(self, action: Any, values: dict[str, np.ndarray] | None, age_s: float = 0.0) -> np.ndarray:
        """A safe action, float32 [A].

        Args:
            action: anything at all.
            values: the newest reading (`pose`, `joint_velocities`, `gripper`); None where there is none, and then the
                robot is brought to rest.
            age_s: of that reading, seconds; the action is taken to be as long on its way as the reading was.
        """
        limits = self.limits
        wanted = self._numbers(action)
        if self.stopped:
            wanted = self._rest("stopped")
        elif values is None:
            wanted = self._rest("no reading")
        else:
            wanted = self._around(wanted, values)
        low, high = self._last - limits.change, self._last + limits.change
        changed = np.clip(wanted, low, high)
        if np.any(changed != wanted):
            self.reasons["acceleration"] += 1
        if values is not None and not self.stopped:
            changed = np.clip(self._workspace(changed, values, age_s), low, high)  # brakes as hard as is allowed
        self._last = np.clip(changed, limits.low, limits.high)
        return self._last.astype(np.float32)

    def _numbers(self, action: Any) -> np.ndarray:
        try:
            numbers = np.asarray(action, np.float64).reshape(-1)
        except (TypeError, ValueError, OverflowError):
            return self._rest("no numbers")
        if numbers.shape != self.limits.low.shape:
            return self._rest("wrong length")
        if not np.isfinite(numbers).all():
            return self._rest("not finite")
        clipped = np.clip(numbers, self.limits.low, self.limits.high)
        if np.any(clipped != numbers):
            self.reasons["range"] += 1
        return clipped

    def _rest(self, why: str) -> np.ndarray:
        self.reasons[why] += 1
        return np.zeros_like(self._last)

    def _around(self, action: np.ndarray, values: dict[str, np.ndarray]) -> np.ndarray:
        limits = self.limits
        velocities = values.get("joint_velocities")
        if velocities is not None and not np.all(np.abs(velocities) <= limits.joint_velocity):
            return self._rest("joint velocity")
        gripper = values.get("gripper")
        squeezes = limits.gripper >= 0 and gripper is not None and abs(float(gripper[-1])) > limits.force
        if squeezes and action[limits.gripper] > 0:
            action[limits.gripper] = 0
            self.reasons["force"] += 1
        return action

    def _workspace(self, action: np.ndarray, values: dict[str, np.ndarray], age_s: float) -> np.ndarray:
        """Slow down what would leave the workspace within this step, the time to stop, and what is under way."""
        limits = self.limits
        if not limits.speed or limits.workspace_low is None or limits.workspace_high is None or "pose" not in values:
            return action
        place = np.asarray(values["pose"][:3], np.float64)
        if not np.isfinite(place).all():
            return self._rest("not finite")
        # Until it can be at rest again, from where it is by now.
        steps = RESERVE + 1 + np.ceil(np.abs(action[:3]) / limits.change[:3]) + 2 * age_s * limits.rate_hz
        reach = limits.speed / limits.rate_hz * steps
        allowed = np.clip(action[:3], (limits.workspace_low - place) / reach, (limits.workspace_high - place) / reach)
        if np.any(allowed != action[:3]):
            self.reasons["workspace"] += 1
            action = np.concatenate([allowed, action[3:]])
        return action
