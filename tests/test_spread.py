"""Disturbances that are drawn for every episode: seeded, recorded, undone; and what is new to disturb."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from opengato.cli import main
from opengato.envs.arm import make
from opengato.envs.real.disturb import Disturbance, Sensors
from opengato.envs.real.disturbed import Disturbed
from opengato.envs.real.spread import PRESETS, Spread, read
from opengato.errors import OpengatoError, UnknownNameError
from opengato.training.collect import CollectConfig, collect
from opengato.training.episodes import EpisodeStore


class Clock(gym.Env[Any, Any]):
    """Two signals that both say how many steps were taken, and a grey picture; remembers what it was told."""

    observation_space = spaces.Dict(
        {
            "slow": spaces.Box(0, 99, (1,)),
            "fast": spaces.Box(0, 99, (1,)),
            "picture": spaces.Box(0, 255, (4, 4, 3), np.uint8),
        }
    )
    action_space = spaces.Box(-1, 1, (1,))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.count, self.told = 0, list[float]()
        return self.seen(), {}

    def seen(self) -> dict[str, np.ndarray]:
        count = np.full(1, self.count, np.float32)
        return {"slow": count, "fast": count, "picture": np.full((4, 4, 3), 100, np.uint8)}

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.count += 1
        self.told.append(float(action[0]))
        return self.seen(), 0.0, False, False, {}


def test_numbers_stay_and_ranges_are_drawn() -> None:
    assert read({}) is None
    assert read({"mass": 2}) == Disturbance(mass=2)
    spread = read({"mass": [0.5, 2], "latency_ms": 40, "camera_shift": [0, 3]})
    assert isinstance(spread, Spread)
    drawn = [spread.draw(np.random.default_rng(seed)) for seed in range(50)]
    assert all(0.5 <= each.mass <= 2 and each.latency_ms == 40 and each.camera_shift in range(4) for each in drawn)
    assert len({each.mass for each in drawn}) == 50
    assert {each.camera_shift for each in drawn} == {0, 1, 2, 3}
    assert spread.draw(np.random.default_rng(7)) == spread.draw(np.random.default_rng(7))
    preset = read({"preset": "arm", "mass": 1.0})
    assert isinstance(preset, Spread)
    assert "mass" not in preset.drawn
    assert set(preset.drawn) | {"mass"} == set(PRESETS["arm"])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"weight": 2}, "disturbance 'weight'"),
        ({"mass": "heavy"}, r"mass is 'heavy'; legal: a number, or \[low, high\]"),
        ({"mass": [2, 1]}, r"mass is \[2, 1\]"),
        ({"mass": [0, 1]}, "mass is 0"),
        ({"preset": "leg"}, "preset of disturbances 'leg'"),
        ({"delays_ms": 3}, "delays_ms is 3"),
        ({"texture": 2}, "texture is 2"),
        ({"camera_shift": 2.5}, "camera_shift is 2.5; legal: 0, 1, 2"),
        ({"camera_shift": [0, 2.5]}, "camera_shift is 2.5"),
        ({"seed": -1}, "seed is -1; legal"),
        ({"seed": 1.5}, "seed is 1.5; legal"),
        ({"preset": ["arm"]}, r"preset of disturbances \"\['arm'\]\""),
    ],
)
def test_what_is_illegal_is_named(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises((OpengatoError, UnknownNameError), match=told):
        read(wrong)


def test_one_signal_may_be_older_than_another() -> None:
    env = Disturbed(Clock(), Disturbance(delays_ms={"sl*": 120}), 20.0)
    seen = [env.reset(seed=0)[0], *(env.step(np.zeros(1, np.float32))[0] for _ in range(6))]
    assert [float(each["fast"][0]) for each in seen] == [0, 1, 2, 3, 4, 5, 6]
    assert [float(each["slow"][0]) for each in seen] == [0, 0, 0, 0, 1, 2, 3]
    assert float(env.reset(seed=1)[0]["slow"][0]) == 0, "nothing is left of the episode before"
    with pytest.raises(OpengatoError, match=r"legal: entries of the observation, \['fast', 'picture', 'slow'\]"):
        Disturbed(Clock(), Disturbance(delays_ms={"sound": 10}), 20.0)


@pytest.mark.parametrize(
    ("rate_hz", "latency_ms", "late"),
    [
        (20, 50, 1), (20, 100, 2), (20, 150, 3), (20, 200, 4), (30, 100, 3), (80, 100, 8), (100, 70, 7), (12.5, 160, 2),
        (20, 120, 2), (80, 49, 3),
    ],
)  # fmt: skip
def test_a_delay_is_the_same_at_every_step(rate_hz: float, latency_ms: float, late: int) -> None:
    env = Disturbed(Clock(), Disturbance(latency_ms=latency_ms), rate_hz)
    env.reset(seed=0)
    for number in range(400):
        env.step(np.array([number], np.float32))
    assert env.unwrapped.told == [0] * late + list(range(400 - late))  # type: ignore[attr-defined]


def test_a_signal_that_is_whole_steps_late_is_no_step_more() -> None:
    env = Disturbed(Clock(), Disturbance(delays_ms={"slow": 1000}), 49.0)  # 1 / (1 / 49) · 1 s is a little more than 49
    env.reset(seed=0)
    seen = [float(env.step(np.zeros(1, np.float32))[0]["slow"][0]) for _ in range(51)]
    assert seen == [0] * 49 + [1, 2]


def test_light_darkens_pictures_alone() -> None:
    env = Disturbed(Clock(), Disturbance(light=0.5), 20.0)
    seen = env.reset(seed=0)[0]
    assert (seen["picture"] == 50).all()
    assert seen["slow"] == 0


def test_pictures_are_rounded_and_so_grow_no_darker() -> None:
    picture = np.full((64, 64, 3), 100, np.uint8)
    space, rng = spaces.Box(0, 255, picture.shape, np.uint8), np.random.default_rng(0)
    assert (Sensors(space, Disturbance(light=0.999), rng, 20.0)(picture) == 100).all()
    assert Sensors(space, Disturbance(noise=0.01), rng, 20.0)(picture).mean() == pytest.approx(100, abs=0.1)


def test_the_body_is_another_every_episode_and_never_drifts() -> None:
    env = Disturbed(make("lift", "red"), read({"mass": [0.5, 2], "gear": [0.9, 1.1], "texture": 0.2}), 20.0)  # type: ignore[arg-type]
    plain = make("lift", "red").unwrapped.model  # type: ignore[attr-defined]
    model = env.unwrapped.model  # type: ignore[attr-defined]
    pictures = []
    for seed in (1, 2, 1):
        seen, info = env.reset(seed=seed)
        told = info["disturbance"]
        assert model.body_mass.sum() == pytest.approx(told["mass"] * plain.body_mass.sum())
        np.testing.assert_allclose(model.actuator_gear, told["gear"] * plain.actuator_gear)
        assert 0.01 < np.abs(model.geom_rgba - plain.geom_rgba).max() <= 0.2 + 1e-6
        pictures.append(seen["camera_front"])
    assert np.array_equal(pictures[0], pictures[2]), "all chance comes from the seed"
    assert not np.array_equal(pictures[0], pictures[1])


def test_what_was_drawn_is_in_the_dataset(tmp_path: Path) -> None:
    words = ["collect", "tasks=[arm/reach-red]", "episodes=3", "workers=1", "max_steps=60", f"data_dir={tmp_path}"]
    assert main([*words, "disturbance={preset: arm, latency_ms: 0}"]) == 0
    store = EpisodeStore.open(tmp_path, "arm/reach-red")
    drawn = [store[index].info["disturbance"] for index in range(3)]
    assert len({each["mass"] for each in drawn}) == 3
    assert all(each["latency_ms"] == 0 for each in drawn)
    plain = CollectConfig(tasks=["arm/reach-red"], episodes=3, max_steps=60, workers=1, data_dir=str(tmp_path))
    with pytest.raises(OpengatoError, match="other settings"):
        collect(plain)
