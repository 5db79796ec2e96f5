"""The Atari games with scripts: protocol, picture, video frame, and demonstrators that do what they are there for."""

from __future__ import annotations

import numpy as np
import pytest

from opengato.errors import UnknownNameError
from opengato.tasks import registry

pytest.importorskip("ale_py")

from opengato.envs.atari import make
from opengato.envs.atari.demonstrator import reflect
from opengato.envs.atari.games import FITTED


def play(task: str, seed: int, steps: int) -> tuple[list[int], float, bytes]:
    """Let the demonstrator play: its actions, the return and the last screen's bytes."""
    card = registry.get(task)
    env, script = card.make(), card.make_demonstrator()
    observation, _ = env.reset(seed=seed)
    script.reset(env)
    actions, total = [], 0.0
    for _ in range(steps):
        actions.append(script.act(observation))
        observation, reward, terminated, truncated, _ = env.step(actions[-1])
        total += reward
        if terminated or truncated:
            break
    return actions, total, observation["screen"].tobytes()


def test_cards() -> None:
    cards = registry.find([f"atari/{game}" for game in FITTED])
    assert [card.id for card in cards if card.split == "held_out"] == ["atari/boxing"]
    for card in cards:
        assert card.extra == "atari"
        assert card.rate_hz == card.make().metadata["render_fps"]
        assert card.published is not None
        assert card.published["source"] == "JAT"
        assert card.demonstrator.endswith(f":{card.id.removeprefix('atari/').capitalize()}")


@pytest.mark.parametrize("game", FITTED)
def test_picture_shows_what_moves(game: str) -> None:
    env = make(game)
    observation, _ = env.reset(seed=1)
    first = observation["screen"]
    assert env.observation_space.contains(observation)
    np.testing.assert_array_equal(first[..., 0], first[..., 2])
    kept, seen = first.copy(), {first.tobytes()}
    rng = np.random.default_rng(0)
    for _ in range(60):
        before = observation["screen"]
        observation, *_ = env.step(int(rng.integers(env.action_space.n)))
        np.testing.assert_array_equal(observation["screen"][..., :2], before[..., 1:])
        assert not np.shares_memory(observation["screen"], before)
        seen.add(observation["screen"].tobytes())
    np.testing.assert_array_equal(first, kept)
    assert len(seen) > 30
    assert set(np.unique(observation["screen"])) <= {0, *range(64, 254, 27)}


def test_ball_of_pong_keeps_its_full_brightness() -> None:
    env = make("pong")
    env.reset(seed=0)
    while not 60 < env.ram[49] < 180 or env.ram[54] == 0:
        observation, *_ = env.step(0)
    screen = observation["screen"][..., -1]
    x, y = (int(env.ram[49]) - 49) // 2, (int(env.ram[54]) - 14 - 34) // 2
    assert screen[max(y - 2, 0) : y + 4, x - 2 : x + 4].max() == 64 + 27 * 7


@pytest.mark.parametrize("game", FITTED)
def test_same_seed_same_play_and_other_seed_other_play(game: str) -> None:
    task = f"atari/{game}"
    assert play(task, 3, 80) == play(task, 3, 80)
    assert len({play(task, seed, 40)[2] for seed in range(4)}) == 4


@pytest.mark.parametrize("game", FITTED)
def test_an_episode_leaves_no_trace_in_the_next(game: str) -> None:
    env, ends = make(game), []
    for _ in range(2):
        env.reset(seed=5)
        for step in range(50):
            env.step(step % env.action_space.n)
        ends.append(env.ale.getRAM().tobytes())
    assert ends[0] == ends[1]


def test_breakout_serves_by_itself() -> None:
    env = make("breakout")
    env.reset(seed=0)
    lives = set()
    for _ in range(400):
        *_, terminated, _, info = env.step(0)
        lives.add(info["lives"])
        if terminated:
            break
    assert terminated
    assert lives == {0, 1, 2, 3, 4, 5}


def test_truncates_and_refuses() -> None:
    env = make("freeway", max_steps=3)
    env.reset(seed=0)
    assert [env.step(1)[2:4] for _ in range(3)] == [(False, False), (False, False), (False, True)]
    with pytest.raises(ValueError, match="outside"):
        env.step(3)
    with pytest.raises(UnknownNameError, match="'pong'"):
        make("pongg")


def test_render() -> None:
    env = make("boxing", render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert picture.shape == (416, 320, 3)
    assert picture.dtype == np.uint8
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) >= 4
    np.testing.assert_array_equal(picture[::2, ::2], picture[1::2, 1::2])


@pytest.mark.parametrize(
    ("task", "steps", "at_least"),
    [("atari/pong", 400, 2), ("atari/breakout", 400, 12), ("atari/freeway", 200, 2), ("atari/boxing", 400, 70)],
)
def test_demonstrator_scores(task: str, steps: int, at_least: float) -> None:
    actions, total, _ = play(task, 1, steps)
    assert total >= at_least
    assert len(set(actions)) > 1


@pytest.mark.parametrize("game", FITTED)
def test_demonstrator_depends_on_the_game_alone(game: str) -> None:
    """Asked twice it says the same, and asking moves nothing in the console."""
    card = registry.get(f"atari/{game}")
    env, used = card.make(), card.make_demonstrator()
    observation, _ = env.reset(seed=0)
    used.reset(env)
    rng = np.random.default_rng(0)
    for step in range(40):
        fresh = card.make_demonstrator()
        fresh.reset(env)
        action, ram = used.act(observation), env.ale.getRAM().tobytes()
        assert action == fresh.act(observation)
        assert env.ale.getRAM().tobytes() == ram
        noisy = step % 7 == 0
        observation, *_ = env.step(int(rng.integers(env.action_space.n)) if noisy else action)


def test_reflect() -> None:
    assert reflect(5.0, 0.0, 10.0) == 5.0
    assert reflect(13.0, 0.0, 10.0) == 7.0
    assert reflect(-4.0, 0.0, 10.0) == 4.0
    assert reflect(26.0, 0.0, 10.0) == 6.0
