"""One contract for every registered task: adding a task adds these tests.

The fast run takes at most `FAST_TASKS` tasks, every family among them, chosen by a fixed seed; the slow run takes all.
"""

from __future__ import annotations

import copy
import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from opengato import tasks

FAST_TASKS = 60
STEPS = 20
SEEDS = (0, 1, 2)
SAMPLE_SEED = 20220512
ACTION_SEED = 7
PLANNERS = ("search:Search", "predictive:PredictiveControl", "plans:Turning", "plans:Swimming", "plans:Whirling")


@dataclass
class Trace:
    """What happened in STEPS random steps; observations are the very objects that the environment gave."""

    observations: list[Any] = field(default_factory=list)
    copies: list[Any] = field(default_factory=list)
    actions: list[Any] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    ends: list[tuple[bool, bool]] = field(default_factory=list)
    infos: list[dict[str, Any]] = field(default_factory=list)
    pictures: list[np.ndarray] = field(default_factory=list)
    spaces: tuple[gym.Space[Any], gym.Space[Any]] | None = None

    def see(self, observation: Any) -> None:
        self.observations.append(observation)
        self.copies.append(copy.deepcopy(observation))


def chosen_cards() -> list[Any]:
    """Every available task: marked slow where it is not in the fast sample."""
    cards = [card for card in tasks.find("*") if card.available]
    fast = {card.id for card in cards}
    if len(cards) > FAST_TASKS:
        fast = {next(card.id for card in cards if card.family == name) for name in {card.family for card in cards}}
        rest = [card.id for card in cards if card.id not in fast]
        fast |= set(random.Random(SAMPLE_SEED).sample(rest, FAST_TASKS - len(fast)))
    return [pytest.param(card, id=card.id, marks=() if card.id in fast else pytest.mark.slow) for card in cards]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, leaf) of a nested observation."""
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], f"{path}/{key}")
    elif isinstance(value, tuple | list):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}/{index}")
    else:
        yield path, value


def same(left: Any, right: Any) -> bool:
    """Equal to the last bit, nested."""
    pairs = list(zip(leaves(left), leaves(right), strict=True))
    return all(a[0] == b[0] and np.array_equal(np.asarray(a[1]), np.asarray(b[1])) for a, b in pairs)


def play(card: tasks.Card, seed: int, *, draw: bool = False) -> Trace:
    """STEPS random steps, going on after an episode's end."""
    env, trace = card.make(), Trace()
    try:
        trace.spaces = env.observation_space, env.action_space
        env.action_space.seed(ACTION_SEED)  # the same actions whatever the seed: what differs is the world's doing
        observation, info = env.reset(seed=seed)
        trace.see(observation)
        trace.infos.append(info)
        for step in range(STEPS):
            action = env.action_space.sample()
            observation, reward, terminated, truncated, info = env.step(action)
            trace.see(observation)
            trace.actions.append(action)
            trace.rewards.append(reward)
            trace.ends.append((terminated, truncated))
            trace.infos.append(info)
            if draw and step in (0, STEPS // 2, STEPS - 1):
                trace.pictures.append(env.render())
            if terminated or truncated:
                observation, _ = env.reset()
                trace.see(observation)
    finally:
        env.close()
    return trace


@lru_cache(maxsize=8)
def trace_of(id: str, seed: int, again: int = 0) -> Trace:
    """A trace, played once per `again`; all seeds draw, so that pictures of several episodes can be compared."""
    return play(tasks.get(id), seed, draw=again == 0)


@pytest.fixture(scope="module", params=chosen_cards())
def card(request: pytest.FixtureRequest) -> tasks.Card:
    return request.param


def test_observations_and_actions_are_of_their_space(card: tasks.Card) -> None:
    trace = trace_of(card.id, 0)
    assert trace.spaces is not None
    observation_space, action_space = trace.spaces
    assert isinstance(observation_space, spaces.Dict)
    assert isinstance(
        action_space, spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary | spaces.Text
    )
    for observation in trace.observations:
        assert set(observation) == set(observation_space.spaces)
        for path, leaf in leaves(observation):
            if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f":
                assert np.isfinite(leaf).all(), f"{path} is not finite"
        for key, space in observation_space.items():
            value = observation[key]
            detail = f"{getattr(value, 'dtype', type(value))} {getattr(value, 'shape', '')} for {space}"
            assert space.contains(value), f"{key} is outside its space: {detail}"
    assert all(action_space.contains(action) for action in trace.actions)


def test_boxes_are_pictures_or_float32(card: tasks.Card) -> None:
    def boxes(space: gym.Space[Any], path: str) -> Iterator[tuple[str, spaces.Box]]:
        if isinstance(space, spaces.Dict):
            for key, inner in space.items():
                yield from boxes(inner, f"{path}/{key}")
        elif isinstance(space, spaces.Tuple):
            for index, inner in enumerate(space):
                yield from boxes(inner, f"{path}/{index}")
        elif isinstance(space, spaces.Box):
            yield path, space

    observation_space, action_space = trace_of(card.id, 0).spaces or (None, None)
    assert observation_space is not None
    for path, box in boxes(observation_space, "observation"):
        if box.dtype == np.uint8:
            assert len(box.shape) == 3, f"{path}: a picture is [height, width, channels]"
            assert box.shape[2] in (1, 3), f"{path}: {box.shape}"
        else:
            assert box.dtype == np.float32, f"{path}: {box.dtype}"
    for path, box in boxes(action_space, "action"):
        assert box.dtype == np.float32, path
        np.testing.assert_array_equal(box.low, -1.0, err_msg=path)
        np.testing.assert_array_equal(box.high, 1.0, err_msg=path)


def test_same_seed_same_trajectory(card: tasks.Card) -> None:
    first, second = trace_of(card.id, 0), trace_of(card.id, 0, again=1)
    assert first.rewards == second.rewards
    assert first.ends == second.ends
    for step, (left, right) in enumerate(zip(first.copies, second.copies, strict=True)):
        assert same(left, right), f"observation {step} differs (drawing must not change it either)"


def test_other_seed_other_episode(card: tasks.Card) -> None:
    if "fixed-start" in card.tags:
        pytest.skip("its origin lays it out alike whatever the seed")
    runs = [trace_of(card.id, seed).copies for seed in SEEDS]  # the actions are the same whatever the seed
    alike = [len(runs[0]) == len(run) and all(map(same, runs[0], run)) for run in runs[1:]]
    assert not all(alike), "every episode is alike whatever the seed"


def test_observations_share_no_memory(card: tasks.Card) -> None:
    trace = trace_of(card.id, 0)
    for step, (given, kept) in enumerate(zip(trace.observations, trace.copies, strict=True)):
        assert same(given, kept), f"observation {step} was changed by a later step"
    for step, (now, then) in enumerate(zip(trace.observations, trace.observations[1:], strict=False)):
        for (path, left), (_, right) in zip(leaves(now), leaves(then), strict=True):
            if isinstance(left, np.ndarray):
                assert not np.shares_memory(left, right), f"{path} of observations {step} and {step + 1}"


STARTS: dict[str, list[tuple[gym.Space[Any], Any]]] = {}


def still_over_tasks(family: str, space: gym.Space[Any] | None) -> set[str]:
    """Float elements that are the same in the first observation of every task of the family with this very space."""
    if family not in STARTS:
        STARTS[family] = []
        for other in tasks.find(f"{family}/*"):
            if other.available:
                env = other.make()
                STARTS[family].append((env.observation_space, env.reset(seed=0)[0]))
                env.close()
    seen: dict[str, list[Any]] = {}
    for found, observation in STARTS[family]:
        if found == space:
            for path, leaf in leaves(observation):
                seen.setdefault(path, []).append(leaf)
    return {
        f"{path}{list(map(int, where))}"
        for path, values in seen.items()
        if isinstance(values[0], np.ndarray) and values[0].dtype.kind == "f"
        for where in np.argwhere(np.ptp(np.stack(values), axis=0) == 0)
    }


def test_observation_elements_vary(card: tasks.Card) -> None:
    if "origin-state" in card.tags:
        pytest.skip("the whole state as the origin gives it, so that scores compare; some of it may stand still")
    seen: dict[str, list[Any]] = {}
    for seed in SEEDS:
        for observation in trace_of(card.id, seed).copies:
            for path, leaf in leaves(observation):
                seen.setdefault(path, []).append(leaf)
    constant = []
    for path, values in seen.items():
        if isinstance(values[0], np.ndarray) and values[0].dtype.kind == "f":
            still = np.ptp(np.stack(values), axis=0) == 0
            constant += [f"{path}{list(map(int, where))}" for where in np.argwhere(still)]
        elif isinstance(values[0], np.ndarray) and values[0].dtype == np.uint8 and values[0].ndim == 3:
            constant += [path] if np.ptp(np.stack(values), axis=0).max() == 0 else []
    if constant:
        # What never changes in one task may be what tells the body's tasks apart (an object that others have).
        space = (trace_of(card.id, 0).spaces or (None,))[0]
        constant = sorted(set(constant) & still_over_tasks(card.family, space))
    assert not constant, f"carries nothing in {len(SEEDS)} episodes: {', '.join(constant)}"


def test_rewards_and_ends_are_plain(card: tasks.Card) -> None:
    trace = trace_of(card.id, 0)
    for reward in trace.rewards:
        assert np.ndim(reward) == 0
        assert np.isfinite(reward)
    for terminated, truncated in trace.ends:
        assert isinstance(terminated, bool | np.bool_)
        assert isinstance(truncated, bool | np.bool_)


def test_success_is_told_where_the_card_defines_it(card: tasks.Card) -> None:
    for info in trace_of(card.id, 0).infos[1:]:
        if card.success:
            assert isinstance(info.get("success"), bool | np.bool_), "info['success'] on every step"


@pytest.mark.render
def test_render_is_a_picture_without_any_gl(card: tasks.Card) -> None:
    pictures = [picture for seed in SEEDS for picture in trace_of(card.id, seed).pictures]
    first = pictures[0]
    assert isinstance(first, np.ndarray)
    assert first.dtype == np.uint8
    assert first.ndim == 3
    assert first.shape[2] == 3
    for side in first.shape[:2]:
        assert 160 <= side <= 1024, first.shape
        assert side % 16 == 0, f"{first.shape}: video encoders want multiples of 16"
    for picture in pictures:
        assert picture.shape == first.shape
        assert picture.max() > 60, "black"
        assert picture.std() > 3, "one colour"
    assert any(not np.array_equal(first, other) for other in pictures[1:]), "the picture never changes"


def test_agent_spec_accepts_the_spaces(card: tasks.Card) -> None:
    from opengato.agent.spec import Spec

    env = card.make()
    try:
        assert Spec.from_env(env) is not None
    finally:
        env.close()


def opening(card: tasks.Card) -> tuple[list[Any], list[float]]:
    """The first actions of the card's demonstrator, each legal, and what they bring."""
    env, demonstrator, actions, rewards = card.make(), card.make_demonstrator(), list[Any](), list[float]()
    try:
        observation, _ = env.reset(seed=5)
        demonstrator.reset(env)
        for _ in range(5):
            action = demonstrator.act(observation)
            assert env.action_space.contains(action), f"{action!r} is outside {env.action_space}"
            actions.append(copy.deepcopy(action))
            observation, reward, terminated, truncated, _ = env.step(action)
            rewards.append(float(reward))
            if terminated or truncated:
                break
    finally:
        env.close()
    return actions, rewards


def test_demonstrator_is_legal_and_deterministic(card: tasks.Card) -> None:
    if card.demonstrator is None:
        pytest.skip("no demonstrator")
    assert same(opening(card), opening(card))


def test_returns_are_those_of_the_task_whose_references_it_takes(card: tasks.Card) -> None:
    if card.same_returns_as is None:
        pytest.skip("measured by itself")
    other = tasks.get(card.same_returns_as)
    ours, theirs = trace_of(card.id, 0), trace_of(other.id, 0)
    assert (ours.rewards, ours.ends) == (theirs.rewards, theirs.ends)
    assert other.demonstrator == card.demonstrator
    if card.demonstrator is not None:
        assert same(opening(card), opening(other))


def episode(card: tasks.Card, seed: int, *, expert: bool) -> tuple[float, bool]:
    """(return, success) of one whole episode by the demonstrator, or at random."""
    env, demonstrator = card.make(), card.make_demonstrator() if expert else None
    total, success = 0.0, False
    try:
        env.action_space.seed(seed)
        observation, _ = env.reset(seed=seed)
        if demonstrator is not None:
            demonstrator.reset(env)
        for _ in range(card.demonstration_steps or 5000):
            action = demonstrator.act(observation) if demonstrator is not None else env.action_space.sample()
            observation, reward, terminated, truncated, info = env.step(action)
            total += float(reward)
            success |= bool(info.get("success", False))
            if terminated or truncated:
                break
    finally:
        env.close()
    return total, success


@pytest.mark.slow
def test_demonstrator_succeeds_and_beats_chance(card: tasks.Card) -> None:
    if card.demonstrator is None:
        pytest.skip("no demonstrator")
    if str(card.demonstrator).endswith(PLANNERS):
        pytest.skip("whole episodes of a planner take minutes each; docs/log.md says what was measured")
    shown = [episode(card, seed, expert=True) for seed in SEEDS]
    if card.success:
        assert sum(success for _, success in shown) >= len(SEEDS) - 1, f"successes on seeds {SEEDS}: {shown}"
    chance = [episode(card, seed, expert=False) for seed in SEEDS]
    assert np.mean([total for total, _ in shown]) > np.mean([total for total, _ in chance]), f"{shown} against {chance}"


DIGESTS = """
import sys
from test_contract import digest
for id in sys.argv[1:]:
    print("\\ndigest", id, digest(id), flush=True)
"""


def digest(id: str) -> str:
    """A hash over everything seen in one random trajectory."""
    trace, whole = play(tasks.get(id), 3), hashlib.sha256()
    for observation in trace.copies:
        for path, leaf in leaves(observation):
            whole.update(path.encode())
            whole.update(np.asarray(leaf).tobytes() if not isinstance(leaf, str) else leaf.encode())
    whole.update(repr([float(reward) for reward in trace.rewards]).encode())
    return whole.hexdigest()


@pytest.fixture(scope="session")
def elsewhere(request: pytest.FixtureRequest, root: Any) -> Any:
    """Digests by task, made in another process: one per family, for starting a simulator takes longer than playing."""
    wanted = [item.callspec.params["card"] for item in request.session.items if "elsewhere" in item.fixturenames]

    @lru_cache
    def digests(family: str) -> tuple[dict[str, str], str]:
        ids = [card.id for card in wanted if card.family == family]
        env = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": str(root / "tests")}
        command = [sys.executable, "-c", DIGESTS, *ids]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=1800, check=False)
        told = [line.split() for line in done.stdout.splitlines() if line.startswith("digest ")]
        return {id: found for _, id, found in told}, done.stderr[-2000:]

    return digests


@pytest.mark.slow
def test_same_trajectory_in_another_process(card: tasks.Card, elsewhere: Any) -> None:
    found, complaints = elsewhere(card.family)
    assert card.id in found, f"it did not get as far as this task: {complaints}"
    assert digest(card.id) == found[card.id]
