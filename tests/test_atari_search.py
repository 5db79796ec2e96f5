"""The search that plays any Atari game: it only reads the environment's console, repeats itself, and scores."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

pytest.importorskip("ale_py")

from opengato.envs.atari import make
from opengato.envs.atari.search import Search


def play(game: str, steps: int, search: Search | None, seed: int = 0) -> tuple[list[int], float]:
    """Actions and return of the search, or of acting at random."""
    env = make(game)
    env.action_space.seed(seed)
    observation, _ = env.reset(seed=seed)
    if search is not None:
        search.reset(env)
    actions, total, ended = [], 0.0, False
    while len(actions) < steps and not ended:
        actions.append(search.act(observation) if search is not None else int(env.action_space.sample()))
        observation, reward, terminated, truncated, _ = env.step(actions[-1])
        total, ended = total + reward, terminated or truncated
    return actions, total


@pytest.mark.parametrize("game", ["space-invaders", "qbert", "breakout"])
def test_leaves_the_console_as_it_is(game: str) -> None:
    asked, alone = make(game), make(game)
    search = Search(frames=80)
    observations = [env.reset(seed=2)[0] for env in (asked, alone)]
    search.reset(gymnasium.Wrapper(asked))
    for step in range(40):
        state, screen = asked.ale.cloneState(), asked.ale.getScreen()
        search.act(observations[0])
        assert asked.ale.cloneState() == state
        np.testing.assert_array_equal(asked.ale.getScreen(), screen)
        action = step * 7 % int(asked.action_space.n)
        observations = [env.step(action)[0] for env in (asked, alone)]
        np.testing.assert_array_equal(observations[0]["screen"], observations[1]["screen"])


def test_foresees_what_happens() -> None:
    """While its actions are followed, the plan's states and points are those that come."""
    env, search = make("assault"), Search(frames=200)
    observation, _ = env.reset(seed=0)
    search.reset(env)
    for _ in range(30):
        action = search.act(observation)
        assert search.act(observation) == action
        expected = search._plan[0]
        observation, reward, terminated, *_ = env.step(action)
        assert env.ale.cloneState() == expected.state
        assert (reward, terminated) == (expected.points, expected.over)


def test_same_seed_same_play() -> None:
    first, again, other = (play("asterix", 20, Search(frames=150), seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_goes_on_after_an_action_that_was_not_its_own() -> None:
    env, search = make("ms-pacman"), Search(frames=80)
    observation, _ = env.reset(seed=0)
    search.reset(env)
    for step in range(12):
        action = search.act(observation)
        assert env.action_space.contains(action)
        assert len(search._plan) == search.horizon
        observation, *_ = env.step((action + step % 2) % int(env.action_space.n))


def test_plans_end_with_the_game() -> None:
    env, search = make("asterix"), Search(frames=80)
    observation, _ = env.reset(seed=0)
    search.reset(env)
    rng, terminated = np.random.default_rng(0), False
    while not terminated:
        action = search.act(observation) if env.ale.lives() == 1 else int(rng.integers(env.action_space.n))
        observation, _, terminated, *_ = env.step(action)
        assert len(search._plan) <= search.horizon


def test_beats_random_play() -> None:
    _, shown = play("ms-pacman", 100, Search(frames=200))
    _, chance = play("ms-pacman", 100, None)
    assert shown >= 3 * chance > 0


@pytest.mark.slow
@pytest.mark.parametrize("game", ["asterix", "bank-heist", "qbert", "seaquest", "space-invaders"])
def test_beats_random_play_by_far(game: str) -> None:
    _, shown = play(game, 300, Search())
    _, chance = play(game, 300, None)
    assert shown >= 2 * max(chance, 10)
