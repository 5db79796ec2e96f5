"""A person's demonstrations, with SDL's display that shows nothing and keys that a test holds down."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import Env, spaces

from opengato.cli import main
from opengato.errors import EpisodeRefused, OpengatoError
from opengato.tasks import registry
from opengato.training.episodes import EpisodeStore
from opengato.training.human import Human

pygame = pytest.importorskip("pygame")


class Keys:
    """What is held down, in place of the keyboard."""

    def __init__(self) -> None:
        self.held: set[str] = set()

    def __getitem__(self, code: int) -> bool:
        return pygame.key.name(code) in self.held


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Keys:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    made = Keys()
    monkeypatch.setattr(pygame.key, "get_pressed", lambda: made)
    return made


class Fast(Env[Any, Any]):
    """A body that is drawn a thousand times a second, so that nothing waits."""

    metadata = {"render_fps": 1000}
    render_mode = "rgb_array"

    def __init__(self, space: spaces.Space[Any]) -> None:
        self.action_space = space
        self.observation_space = spaces.Box(-1, 1, (2,))

    def render(self) -> np.ndarray:
        return np.full((30, 40, 3), 200, np.uint8)

    def get_action_meanings(self) -> list[str]:
        return ["NOOP", "FIRE", "UP", "LEFT"]


def press(key: int) -> None:
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))


def test_keys_set_numbers_and_space_the_gripper(keys: Keys) -> None:
    human, env = Human(), Fast(spaces.Box(np.float32([-1, -2, 0, -1]), np.float32([1, 2, 4, 1])))
    human.reset(env)
    keys.held = {"right", "down", "w"}
    np.testing.assert_allclose(human.act(None), [1, -2, 4, 1])
    keys.held = set()
    press(pygame.K_SPACE)
    np.testing.assert_allclose(human.act(None), [0, 0, 2, -1], err_msg="rest is the middle, the gripper is shut")
    np.testing.assert_allclose(human.act(None)[-1], -1, err_msg="and stays so")
    human.reset(env)
    assert human.act(None)[-1] == 1, "a new episode begins with an open gripper"
    picture = pygame.surfarray.array3d(pygame.display.get_surface())
    assert (picture == 200).all()
    human.close()


def test_digits_and_arrows_choose(keys: Keys) -> None:
    human, env = Human(), Fast(spaces.Discrete(4, start=3))
    human.reset(env)
    assert human.act(None) == 3
    for held, wanted in (({"2"}, 5), ({"9"}, 3), ({"left"}, 6), ({"up"}, 5), ({"right"}, 3)):
        keys.held = held
        assert human.act(None) == wanted
    human.close()


def test_leaving_and_throwing_away(keys: Keys) -> None:
    human, env = Human(), Fast(spaces.Discrete(2))
    human.reset(env)
    press(pygame.K_BACKSPACE)
    with pytest.raises(EpisodeRefused):
        human.act(None)
    press(pygame.K_ESCAPE)
    with pytest.raises(KeyboardInterrupt):
        human.act(None)
    with pytest.raises(OpengatoError, match=r"demonstrator=human can't give actions of Text.*Next"):
        human.reset(Fast(spaces.Text(5)))
    human.close()


class Stick:
    """A gamepad whose sticks stand where a test puts them."""

    def __init__(self, *axes: float) -> None:
        self.axes = axes

    def get_numaxes(self) -> int:
        return len(self.axes)

    def get_axis(self, number: int) -> float:
        return self.axes[number]


def test_sticks_set_numbers_and_a_button_the_gripper(keys: Keys) -> None:
    human, env = Human(), Fast(spaces.Box(-1, 1, (4,)))
    human.reset(env)
    human._stick = Stick(0.5, -1.0, 0.1, 0.0)
    np.testing.assert_allclose(
        human.act(None), [0.5, 1.0, 0, 1], err_msg="forward is up; a hair off the middle is rest"
    )
    pygame.event.post(pygame.event.Event(pygame.JOYBUTTONDOWN, button=0))
    assert human.act(None)[-1] == -1
    keys.held = {"left"}
    human._stick = Stick(0.0)
    np.testing.assert_allclose(human.act(None), [-1, 0, 0, -1], err_msg="keys go where the stick rests")
    human.close()


class Slow(Fast):
    """A body whose picture takes longer to draw than there is between two actions."""

    metadata = {"render_fps": 50}
    drawn = 0

    def render(self) -> np.ndarray:
        self.drawn += 1
        time.sleep(0.05)
        return super().render()


def test_slow_pictures_do_not_slow_the_body_down(keys: Keys) -> None:
    human, env = Human(), Slow(spaces.Discrete(2))
    human.reset(env)
    for _ in range(40):
        human.act(None)
    assert 3 <= env.drawn <= 20, "drawing all of them would take three times as long as there is"
    human.close()


def test_collecting_what_a_person_shows(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opengato.training.human.RATE_HZ", 1000.0)
    card = registry.get("gridworld/go-to-red-ball")
    monkeypatch.setattr(
        type(card.make().unwrapped), "metadata", {"render_fps": 1000, "render_modes": ["rgb_array"]}, raising=False
    )
    keys.held = {"1"}
    words = ["collect", "tasks=[gridworld/go-to-red-ball]", "demonstrator=human", "episodes=2", "keep=0", "max_steps=5"]
    assert main([*words, f"data_dir={tmp_path}"]) == 0
    store = EpisodeStore.open(tmp_path, card.id)
    assert len(store) == 2
    assert store.metadata["settings"]["demonstrator"] == "opengato.training.human:Human"
    assert all(int(action) == 1 for action in store[0].actions)
