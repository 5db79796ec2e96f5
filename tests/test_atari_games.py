"""Every game of ALE: the list that ships, variants, the whole screen as a picture."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from opengato.errors import OpengatoError
from opengato.tasks import registry
from opengato.tasks.worlds import published, world

pytest.importorskip("ale_py")

from opengato.envs.atari import GAMES, __main__, make
from opengato.envs.atari.__main__ import DROPPED
from opengato.envs.atari.env import SIDE

# One of each height of screen, and one whose modes do not begin at 0.
SAMPLE = {"seaquest": 416, "carnival": 416, "pooyan": 432, "journey-escape": 448, "pacman": 496, "name-this-game": 416}


def test_list_names_the_games_of_ale() -> None:
    assert list(world("atari")) == list(GAMES) == __main__.names()
    assert {card.id for card in registry.find("atari/*")} == {f"atari/{name}" for name in GAMES.keys() - DROPPED}


@pytest.mark.parametrize("game", SAMPLE)
def test_list_says_what_ale_says(game: str) -> None:
    assert world("atari")[game] == __main__.describe(game)


@pytest.mark.parametrize("game", ["ms-pacman", "gopher"])
def test_opening_is_passed_over(game: str) -> None:
    """It matters what is pressed in the first steps."""
    env, screens = make(game), set[bytes]()
    for action in range(int(env.action_space.n)):
        env.reset(seed=0)
        for _ in range(4):
            observation, *_ = env.step(action)
        screens.add(observation["screen"].tobytes())
    assert env.game.opening > 200
    assert len(screens) > 1


@pytest.mark.slow
def test_list_is_what_the_generator_writes(tmp_path, monkeypatch) -> None:
    from importlib.resources import files

    monkeypatch.setattr(sys, "argv", ["", str(tmp_path / "atari.json")])
    __main__.main()
    shipped = files("opengato.assets") / "worlds" / "atari.json"
    assert (tmp_path / "atari.json").read_text(encoding="utf-8") == shipped.read_text(encoding="utf-8")


def test_cards() -> None:
    cards = {card.id: card for card in registry.find("atari/*")}
    assert cards["atari/space-invaders"].instruction.startswith("play Space Invaders: shoot")
    assert cards["atari/superman"].instruction == "play Superman"
    assert cards["atari/superman"].published is None
    assert cards["atari/skiing"].embodiment.endswith("a joystick with 2 directions")
    assert cards["atari/gopher"].embodiment.endswith("a joystick with 3 directions and a button")
    assert all(card.instruction.startswith("play ") for card in cards.values())
    scores = {name for name in published("jat") if name.startswith("atari-")}
    assert sum(card.published is not None for card in cards.values()) == len(scores)


@pytest.mark.parametrize("game", SAMPLE)
def test_picture_shows_the_whole_screen(game: str) -> None:
    env = make(game)
    observation, _ = env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(30):
        observation, *_ = env.step(int(rng.integers(env.action_space.n)))
    assert env.observation_space.contains(observation)
    picture, screen = env._picture(env.ale.getScreen()), env.ale.getScreen()
    bright = np.where(np.isin(screen, env.game.background), 0, 64 + 27 * (screen.astype(int) >> 1 & 7))
    assert picture.shape == (SIDE, SIDE)
    edges = [row * len(screen) // SIDE for row in range(SIDE + 1)]
    for row in range(SIDE):
        band = bright[edges[row] : edges[row + 1]].max(0)
        np.testing.assert_array_equal(picture[row], band.reshape(SIDE, 2).max(1))
    assert env.render().shape == (SAMPLE[game], 320, 3)


def test_same_seed_same_play_in_an_environment_used_before() -> None:
    env, ends = make("ms-pacman"), []
    for seed in (3, 3, 4):
        env.reset(seed=seed)
        for step in range(60):
            observation, *_ = env.step(step % env.action_space.n)
        ends.append(observation["screen"].tobytes() + env.ale.getRAM().tobytes())
    assert ends[0] == ends[1] != ends[2]


def test_mode_and_difficulty() -> None:
    plain, other = make("space-invaders"), make("space-invaders", mode=8, difficulty=1)
    for env in (plain, other):
        env.reset(seed=0)
    assert [env.ale.cloneState().getCurrentMode() for env in (plain, other)] == [0, 8]
    assert [env.ale.cloneState().getDifficulty() for env in (plain, other)] == [0, 1]
    assert not np.array_equal(plain.ram, other.ram)
    with pytest.raises(OpengatoError, match=r"'name-this-game' has no mode 3\. Next: give one of 8, 24, 40, or None"):
        make("name-this-game", mode=3)
    with pytest.raises(OpengatoError, match=r"'amidar' has no difficulty 1\. Next: give one of 0, 3, or None"):
        registry.get("atari/amidar").make(difficulty=1)
