"""Running a demonstrator: one episode, with its execution disturbed if wanted, and what was intended recorded."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces

from opengato.envs.ahead import Ahead, cut
from opengato.errors import ObservationError, OpengatoError

from .detours import Detours, chance_to_begin
from .episodes import Recording
from .minari_store import stack

# A body without a time limit would fill the memory; the longest ALE game at frame skip 4 has 27 000 steps.
LONGEST_EPISODE = 30_000
# A float32 round trip may leave the bounds by this share of the range; more is a demonstrator's mistake.
TOLERANCE = 1e-4
# Disturbances last: a push that changes sign every step cancels out, and the demonstrator has nothing to correct.
CORRELATION = 0.5
HOLD_STEPS = (1, 4)


def run_episode(
    env: Any,
    demonstrator: Any,
    seed: int,
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
    max_steps: int | None = None,
    detours: float = 0.0,
) -> Recording:
    """Let a demonstrator act for one episode.

    With noise the body executes a disturbed action while the action that was wanted is recorded, so that the episode
    shows how to get back (after DART, Laskey et al. 2017).

    Args:
        env: Gymnasium environment.
        demonstrator: has `reset(env)` and `act(observation)`.
        seed: of the environment; the disturbance's too unless `rng` is given.
        noise: see `ActionNoise`; 0 disturbs nothing.
        rng: source of the disturbance.
        max_steps: cut the episode after so many steps.
        detours: share of the steps on which the body follows another goal (`Detours`), likewise not recorded.

    Returns:
        The episode; `info` holds `terminated`, `truncated`, `noise`, and the `disturbance` where the body is disturbed.

    Raises:
        ObservationError: an action that does not fit the action space, or a reward that is not finite.
        OpengatoError: the episode does not end.
    """
    if isinstance(env, Ahead):  # a demonstrator goes step by step; its actions are put together afterwards
        return cut(run_episode(env.env, demonstrator, seed, noise, rng, max_steps, detours), env.ahead)
    observation, begin = env.reset(seed=seed)
    env.action_space.seed(seed)  # a demonstrator may sample from it
    demonstrator.reset(env)
    rng = rng or noise_rng(seed)
    stray = Detours(demonstrator, detours, rng) if detours > 0 else None
    disturb = ActionNoise(env.action_space, noise, rng) if noise > 0 else None
    observations, actions, rewards = [], [], []
    success: bool | None = None
    terminated = truncated = False
    while not (terminated or truncated):
        observations.append(copy_value(observation))
        action = fit_action(env.action_space, demonstrator.act(observation))
        actions.append(action)
        executed = action if stray is None else fit_action(env.action_space, stray(observation, action))
        executed = copy_value(executed) if disturb is None else disturb(executed)
        observation, reward, terminated, truncated, info = env.step(executed)
        rewards.append(float(reward))
        if not np.isfinite(rewards[-1]):
            raise ObservationError(f"reward {rewards[-1]} at step {len(rewards)}.")
        success = _success(success, info)
        if len(actions) == (max_steps or LONGEST_EPISODE):
            if not max_steps and not (terminated or truncated):
                raise OpengatoError(f"the episode did not end in {LONGEST_EPISODE} steps. Next: give max_steps.")
            truncated = truncated or not terminated
    return Recording(
        observations=observations,
        actions=actions,
        rewards=np.asarray(rewards, np.float32),
        success=success,
        seed=seed,
        info={
            "terminated": bool(terminated),
            "truncated": bool(truncated),
            "noise": float(noise),
            **({"disturbance": begin["disturbance"]} if "disturbance" in begin else {}),
        },
        final_observation=copy_value(observation),
    )


def noise_rng(seed: int) -> np.random.Generator:
    """Source of an episode's disturbance: of the episode's seed alone, so that no worker's history matters."""
    return np.random.default_rng([seed, 0x6A70])


def _success(before: bool | None, info: dict[str, Any]) -> bool | None:
    found = info.get("success", info.get("is_success"))
    return before if found is None else bool(found) or bool(before)


def copy_value(value: Any) -> Any:
    """A copy of an observation or action that shares no memory with it."""
    if isinstance(value, dict):
        return {key: copy_value(part) for key, part in value.items()}
    if isinstance(value, (tuple, list)):
        return tuple(copy_value(part) for part in value)
    return value.copy() if isinstance(value, np.ndarray) else value


def fit_action(space: spaces.Space, action: Any, path: str = "action") -> Any:
    """A demonstrator's action in the space's own dtypes; lists, Python numbers and float64 are welcome.

    Args:
        space: the action space.
        action: what the demonstrator returned.
        path: name of the entry in messages.

    Returns:
        A new action inside the space.

    Raises:
        ObservationError: wrong kind, shape or range, or NaN.
    """
    if isinstance(space, spaces.Dict):
        if not hasattr(action, "keys") or set(action) != set(space.keys()):
            raise ObservationError(f"{path}: expected a dict with the keys {list(space.keys())}, got {action!r}.")
        return {key: fit_action(part, action[key], f"{path}.{key}") for key, part in space.items()}
    if isinstance(space, spaces.Tuple):
        if not isinstance(action, (tuple, list)) or len(action) != len(space):
            raise ObservationError(f"{path}: expected a tuple of {len(space)} entries, got {action!r}.")
        return tuple(fit_action(part, action[i], f"{path}[{i}]") for i, part in enumerate(space))
    if not isinstance(space, spaces.Text):
        action = stack(space, [action], path)[0]
    if isinstance(space, spaces.Box) and space.dtype.kind == "f":
        slack = TOLERANCE * np.where(np.isfinite(space.high - space.low), space.high - space.low, 1.0)
        if np.all(action >= space.low - slack) and np.all(action <= space.high + slack):
            action = np.clip(action, space.low, space.high)
    if isinstance(space, spaces.Box):
        action = np.array(action, space.dtype)  # a new array, and an array even when 0-d
    if not space.contains(action):
        raise ObservationError(f"{path}: {action!r} is outside {space}.")
    return action


class ActionNoise:
    """Disturbs actions; keeps its state from step to step, so make one per episode.

    Box: Gaussian with a standard deviation of `scale` half-ranges (of 1 where a bound is infinite), correlated in time,
    clipped to the space. Discrete, MultiDiscrete, MultiBinary: a random value for a few steps, about a share `scale` of
    all steps. Text is never disturbed.

    Args:
        space: the action space.
        scale: strength, 0 to 1.
        rng: source of randomness.
    """

    def __init__(self, space: spaces.Space, scale: float, rng: np.random.Generator) -> None:
        self._disturb = _disturber(space, scale, rng)

    def __call__(self, action: Any) -> Any:
        """A disturbed copy of an action, inside the space."""
        return self._disturb(action)


Disturber = Callable[[Any], Any]


def _disturber(space: spaces.Space, scale: float, rng: np.random.Generator) -> Disturber:
    if isinstance(space, spaces.Dict):
        parts = {key: _disturber(part, scale, rng) for key, part in space.items()}
        return lambda action: {key: part(action[key]) for key, part in parts.items()}
    if isinstance(space, spaces.Tuple):
        row = [_disturber(part, scale, rng) for part in space]
        return lambda action: tuple(part(action[i]) for i, part in enumerate(row))
    if isinstance(space, spaces.Box):
        return _box_disturber(space, scale, rng)
    if isinstance(space, spaces.Text):
        return copy_value
    return _choice_disturber(space, scale, rng)


def _box_disturber(space: spaces.Box, scale: float, rng: np.random.Generator) -> Disturber:
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    with np.errstate(invalid="ignore"):
        half = np.where(np.isfinite(high - low), (high - low) / 2, 1.0)
    push = rng.standard_normal(space.shape)

    def disturb(action: np.ndarray) -> np.ndarray:
        nonlocal push
        moved = np.clip(action + scale * half * push, low, high)
        push = CORRELATION * push + np.sqrt(1 - CORRELATION**2) * rng.standard_normal(space.shape)
        return np.asarray(np.rint(moved) if space.dtype.kind in "iu" else moved, space.dtype)

    return disturb


def _choice_disturber(space: spaces.Space, scale: float, rng: np.random.Generator) -> Disturber:
    begin = chance_to_begin(scale, sum(HOLD_STEPS) / 2)
    space = copy.deepcopy(space)  # seeding it must leave the environment's own alone
    space.seed(int(rng.integers(2**31)))
    left, held = 0, None

    def disturb(action: Any) -> Any:
        nonlocal left, held
        if left == 0 and rng.random() < begin:
            left, held = int(rng.integers(HOLD_STEPS[0], HOLD_STEPS[1] + 1)), space.sample()
        if left == 0:
            return copy_value(action)
        left -= 1
        return copy_value(held)

    return disturb
