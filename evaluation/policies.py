"""The two policies every score is measured between: one that acts at random and one that asks the demonstrator.

They have the shape of an agent's policy: `reset(rows)` starts new episodes, `act(observations)` takes one observation
per row (None where a row is finished) and returns one action per row (None there).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from gymnasium import Env, Space

from opengato.agent.codec import Codec
from opengato.agent.spec import Spec, numbers
from opengato.agent.text import Vocabulary


class Policy(Protocol):
    """What `rollout` drives."""

    def reset(self, rows: list[int] | None = None) -> None:
        """Start new episodes in these rows, or in all."""

    def act(self, observations: list[Any]) -> list[Any]:
        """One action per observation; None in, None out."""
        ...


class RandomPolicy:
    """Samples the action space.

    Args:
        action_space: any Gymnasium space.
        batch_size: number of rows.
        seed: row `i` samples with seed `seed + i`, whatever the other rows do.
    """

    def __init__(self, action_space: Space[Any], batch_size: int, seed: int = 0) -> None:
        self.spaces = [copy.deepcopy(action_space) for _ in range(batch_size)]
        for row, space in enumerate(self.spaces):
            space.seed(seed + row)

    def reset(self, rows: list[int] | None = None) -> None:
        """Nothing to forget: the stream of samples goes on."""

    def act(self, observations: list[Any]) -> list[Any]:
        """A sample per row."""
        pairs = zip(self.spaces, observations, strict=True)
        return [None if observation is None else space.sample() for space, observation in pairs]


class DemonstratorPolicy:
    """Asks one demonstrator per row.

    Args:
        envs: the environments that the rollout steps, one per row. Read again at each reset: the rollout may put a
            fresh environment in a row's place.
        demonstrator_factory: makes one demonstrator (`Card.make_demonstrator`).

    Raises:
        ValueError: the factory gives None, so the task has no demonstrator.
    """

    def __init__(self, envs: Sequence[Env[Any, Any]], demonstrator_factory: Callable[[], Any]) -> None:
        self.envs = envs
        self.demonstrators = [demonstrator_factory() for _ in envs]
        if any(demonstrator is None for demonstrator in self.demonstrators):
            raise ValueError("the task has no demonstrator. Next: give its card one, `demonstrator=…`")

    def reset(self, rows: list[int] | None = None) -> None:
        """Show each demonstrator its environment; call it after the environment's own reset."""
        for row in range(len(self.envs)) if rows is None else rows:
            self.demonstrators[row].reset(self.envs[row])

    def act(self, observations: list[Any]) -> list[Any]:
        """What each demonstrator would do."""
        pairs = zip(self.demonstrators, observations, strict=True)
        return [None if observation is None else demonstrator.act(observation) for demonstrator, observation in pairs]


class QuantisedPolicy(DemonstratorPolicy):
    """What the demonstrators would do, put into an agent's bins and taken out again.

    Args:
        envs, demonstrator_factory: as in `DemonstratorPolicy`.
    """

    def __init__(self, envs: Sequence[Env[Any, Any]], demonstrator_factory: Callable[[], Any]) -> None:
        super().__init__(envs, demonstrator_factory)
        self.codec = Codec(Spec.from_env(envs[0]), Vocabulary.load())

    def act(self, observations: list[Any]) -> list[Any]:
        """The rounded action of each demonstrator."""
        return [None if action is None else self._rounded(action) for action in super().act(observations)]

    def _rounded(self, action: Any) -> Any:
        row = np.zeros(self.codec.spec.num_actions, np.float32)
        numbers(action, self.codec.spec.action, row)
        return self.codec.action(self.codec.action_scale.tokens(row))
