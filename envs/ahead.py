"""Several actions from one look: for a machine too slow to look at every step of its body.

The task `arm/lift-red@4` is `arm/lift-red` by a policy that says the next 4 actions at once and looks again after 2,
half of them (as Diffusion Policy does, Chi et al. 2023). The other half is what a robot goes on with while the policy
thinks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium import spaces

from opengato.errors import SpaceError


def look_every(ahead: int) -> int:
    """Steps from one look to the next of a policy that says `ahead` actions."""
    return max(1, ahead // 2)


def actions_ahead(space: spaces.Space, ahead: int) -> spaces.Space:
    """The space of `ahead` actions: [ahead, …] of a Box, MultiDiscrete [ahead] of a Discrete.

    Raises:
        SpaceError: actions of another kind.
    """
    if isinstance(space, spaces.Discrete):
        return spaces.MultiDiscrete(np.full(ahead, space.n), start=np.full(ahead, space.start))
    if not isinstance(space, spaces.Box):
        raise SpaceError(f"several actions ahead need a Box or a Discrete of actions; this body has a {space}.")
    low, high = (np.broadcast_to(bound, (ahead, *space.shape)) for bound in (space.low, space.high))
    return spaces.Box(low, high, dtype=cast(Any, space.dtype.type))


class Ahead(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that is told `ahead` actions a step and does the first half of them.

    The reward is the sum of theirs, `info` the last one's, with `success` if any had it.

    Args:
        env: with a Box or a Discrete of actions.
        ahead: how many actions a step is told.

    Raises:
        SpaceError: actions of another kind.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], ahead: int) -> None:
        super().__init__(env)
        self.ahead, self.look = ahead, look_every(ahead)
        self.action_space = actions_ahead(env.action_space, ahead)
        if "render_fps" in self.metadata:
            self.metadata = {**self.metadata, "render_fps": self.metadata["render_fps"] / self.look}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Do the first half of the actions, or fewer where the episode ends before."""
        total, success = 0.0, None
        info: dict[str, Any] = {}
        for each in np.asarray(action)[: self.look]:
            one = int(each) if isinstance(self.env.action_space, spaces.Discrete) else each
            seen, reward, terminated, truncated, info = self.env.step(one)
            total += float(reward)
            success = bool(success) or bool(info["success"]) if "success" in info else success
            if terminated or truncated:
                break
        return seen, total, terminated, truncated, info if success is None else {**info, "success": success}


def cut(episode: Any, ahead: int, phase: int = 0) -> Any:
    """An episode of single steps as one of looks: from step `phase` on, every `look_every(ahead)`-th observation with
    the `ahead` actions from there; behind the end the last action is repeated.

    Args:
        episode: an `Episode` or `Recording` of single steps.
        ahead: how many actions a look has.
        phase: step of the first look, below `look_every(ahead)`; all phases together hold every observation once.

    Returns:
        An episode of the same kind; before its first look the rewards of the steps skipped are dropped.
    """
    look, steps = look_every(ahead), len(episode.actions)
    first = min(phase, steps - 1)
    looks = range(first, steps, look)
    rewards = np.asarray(episode.rewards, np.float32)
    return replace(
        episode,
        observations=[episode.observations[i] for i in looks],
        actions=[np.stack([np.asarray(episode.actions[min(i + j, steps - 1)]) for j in range(ahead)]) for i in looks],
        rewards=np.asarray([rewards[i : i + look].sum() for i in looks], np.float32),
    )
