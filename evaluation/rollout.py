"""Rollouts: many episodes of one task in one batch, with fixed seeds, counted honestly.

A `Stage` owns the environments and the bookkeeping; `rollout` passes observations and actions between it and a policy.
When a row's episode ends, the row takes the next seed, so the batch stays full.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gymnasium import Env

from opengato.errors import OpengatoError
from opengato.evaluation.policies import Policy
from opengato.evaluation.transcript import Turn, make_turn
from opengato.evaluation.video import Film, Recorder

FIRST_SEED = 1_000_000  # evaluation's seeds start here; demonstrations are collected with smaller ones
STEP_CAP = 100_000  # for an environment that never ends and a user who gave no `max_steps`


@dataclass(frozen=True)
class Case:
    """One episode to play: its place in the evaluation and its seed."""

    index: int
    seed: int


@dataclass
class Outcome:
    """What came of one episode.

    Args:
        index: place in the evaluation, 0 … n−1.
        seed: the environment's seed.
        total_return: sum of rewards; NaN if the episode was lost.
        length: steps taken.
        success: whether any step's `info["success"]` was true; None where the environment never says.
        error: why the episode was lost, None if it was not.
        clip: the recorded video (`Clip` as a dict), None if none was asked for.
        turns: what was asked and answered, for tasks whose action is text.
    """

    index: int
    seed: int
    total_return: float = 0.0
    length: int = 0
    success: bool | None = None
    error: str | None = None
    clip: dict[str, Any] | None = None
    turns: list[Turn] = field(default_factory=list)


@dataclass(frozen=True)
class Reply:
    """What a row has to say after a step: an observation (None: nothing left to play), and whether it opens an
    episode.
    """

    observation: Any
    opened: bool = False


class Playing(Protocol):
    """A stage, in this process or spread over several."""

    outcomes: list[Outcome]

    def begin(self) -> list[Reply]: ...

    def step(self, actions: list[Any]) -> list[Reply]: ...


class Stage:
    """Steps a batch of environments of one task.

    Args:
        make: makes a fresh environment.
        cases: the episodes to play.
        batch_size: environments at a time; never more than there are cases.
        max_steps: cut an episode here; None leaves it to the environment (and to `STEP_CAP`).
        film: records the first episodes, None records nothing.
        task: the name in warnings.
        keep_turns: how many episodes keep their turns of text (0 for none).
    """

    def __init__(
        self,
        make: Callable[[], Env[Any, Any]],
        cases: Sequence[Case],
        batch_size: int = 32,
        max_steps: int | None = None,
        film: Film | None = None,
        task: str = "task",
        keep_turns: int = 10_000,
    ) -> None:
        self.make, self.max_steps, self.film, self.task, self.keep_turns = make, max_steps, film, task, keep_turns
        self.queue = deque(cases)
        self.envs: list[Env[Any, Any]] = [make() for _ in range(min(batch_size, len(cases)))]
        self.outcomes: list[Outcome] = []
        self.live: list[_Live | None] = [None] * len(self.envs)
        self.failed_once: set[int] = set()  # indices of cases that have had their second chance

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self) -> list[Reply]:
        """Start every row's first episode."""
        return [self._next(row) for row in range(len(self.envs))]

    def step(self, actions: list[Any]) -> list[Reply]:
        """Take one action per row (None where the row is finished)."""
        return [self._advance(row, action) for row, action in enumerate(actions)]

    def close(self) -> None:
        """Free the environments; unfinished recordings are thrown away."""
        for live in self.live:
            if live is not None and live.recorder is not None:
                live.recorder.discard()
        self.live = [None] * len(self.envs)
        for env in self.envs:
            _close(env)

    def _advance(self, row: int, action: Any) -> Reply:
        live = self.live[row]
        if live is None:
            return Reply(None)
        try:
            over = live.step(self.envs[row], action, self.max_steps or STEP_CAP)
        except OpengatoError:
            raise
        except Exception as error:  # a simulator may fail in any way; it costs this episode only
            self._lose(row, live, error)
            return self._next(row)
        if not over:
            return Reply(live.observation)
        self.outcomes.append(live.finish())
        return self._next(row)

    def _next(self, row: int) -> Reply:
        """Open the row's next episode, passing over those that cannot even be reset."""
        while self.queue:
            case = self.queue.popleft()
            live = self.live[row] = _Live(case, keep_turns=case.index < self.keep_turns)
            try:
                live.reset(self.envs[row], self.film, self.max_steps)
            except OpengatoError:
                raise
            except Exception as error:
                self._lose(row, live, error)
                continue
            return Reply(live.observation, opened=True)
        self.live[row] = None
        return Reply(None)

    def _lose(self, row: int, live: _Live, error: Exception) -> None:
        """Give the row a fresh environment; play the case once more, or book it as lost."""
        if live.recorder is not None:
            live.recorder.discard()
        _close(self.envs[row])
        self.envs[row] = self.make()
        what = f"{type(error).__name__}: {error}".strip()
        case, step = live.case, live.outcome.length
        if case.index not in self.failed_once:
            self.failed_once.add(case.index)
            self.queue.appendleft(case)
            return
        lost = Outcome(case.index, case.seed, math.nan, step, None, error=what)
        self.outcomes.append(lost)
        warnings.warn(f"{self.task}: episode with seed {case.seed} lost at step {step}, twice: {what}", stacklevel=2)


class _Live:
    """An episode being played."""

    def __init__(self, case: Case, keep_turns: bool) -> None:
        self.case, self.keep_turns = case, keep_turns
        self.outcome = Outcome(case.index, case.seed)
        self.observation: Any = None
        self.recorder: Recorder | None = None

    def reset(self, env: Env[Any, Any], film: Film | None, max_steps: int | None) -> None:
        self.observation, _ = env.reset(seed=self.case.seed)
        if film is not None and self.case.index < film.count:
            self.recorder = film.open(env, self.case.index, self.case.seed, max_steps)
            self.recorder.begin(env, self.observation)

    def step(self, env: Env[Any, Any], action: Any, cap: int) -> bool:
        """Step, count, film; True when the episode is over."""
        outcome, seen = self.outcome, self.observation
        self.observation, reward, terminated, truncated, info = env.step(action)
        if not math.isfinite(float(reward)):
            raise FloatingPointError(f"the environment gave reward {reward}")
        outcome.total_return += float(reward)
        outcome.length += 1
        if "success" in info:
            outcome.success = bool(outcome.success) or bool(info["success"])
        over = bool(terminated or truncated) or outcome.length >= cap
        turn = make_turn(seen, action, float(reward), info)
        if turn is not None and self.keep_turns:
            outcome.turns.append(turn)
        if self.recorder is not None:
            self.recorder.step(env, seen, outcome, turn, over)
        return over

    def finish(self) -> Outcome:
        if self.recorder is not None:
            clip = self.recorder.finish()
            self.outcome.clip = None if clip is None else clip.as_dict(self.outcome)
        return self.outcome


def rollout(stage: Playing, policy: Policy, progress: Callable[[int, int], None] | None = None) -> list[Outcome]:
    """Play every case of a stage with a policy.

    Args:
        stage: the environments; its batch is the policy's.
        policy: acts.
        progress: called after every batch step with (episodes done, steps taken so far).

    Returns:
        One outcome per case, by index.
    """
    replies = stage.begin()
    policy.reset(None)
    steps = 0
    while any(reply.observation is not None for reply in replies):
        actions = policy.act([reply.observation for reply in replies])
        steps += sum(reply.observation is not None for reply in replies)
        replies = stage.step(actions)
        opened = [row for row, reply in enumerate(replies) if reply.opened]
        if opened:
            policy.reset(opened)
        if progress is not None:
            progress(len(stage.outcomes), steps)
    return sorted(stage.outcomes, key=lambda outcome: outcome.index)


def cases(episodes: int, seed: int = 0) -> list[Case]:
    """The evaluation's episodes: seeds `FIRST_SEED + seed + i`.

    Raises:
        OpengatoError: fewer than one episode, or a negative seed (it would reach into the demonstrations' seeds).
    """
    if episodes < 1:
        raise OpengatoError(f"episodes must be at least 1, got {episodes}. Next: episodes=20")
    if seed < 0:
        raise OpengatoError(f"seed must be 0 or more, got {seed}. Next: seed=0")
    return [Case(i, FIRST_SEED + seed + i) for i in range(episodes)]


def _close(env: Env[Any, Any]) -> None:
    with contextlib.suppress(Exception):  # a simulator that has just failed may fail to close as well
        env.close()
