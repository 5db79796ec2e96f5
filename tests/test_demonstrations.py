"""One demonstrated episode: what is recorded of it, and how its actions are disturbed and fitted."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from opengato.errors import ObservationError, OpengatoError
from opengato.training.demonstrations import ActionNoise, fit_action, run_episode


def test_an_episode_records_copies_of_what_was_seen(odd: ModuleType) -> None:
    episode = run_episode(odd.Odd(), odd.Follow(), seed=3)
    assert len(episode) == 10
    images = np.stack([observation["camera/front"] for observation in episode.observations])
    assert len(np.unique(images[:, 0, 0], axis=0)) > 5, "the body draws into one buffer"
    assert episode.seed == 3
    assert episode.success is not None
    assert episode.info == {"terminated": False, "truncated": True, "noise": 0.0}
    assert episode.final_observation["count"] == 10


def test_noise_disturbs_what_is_done_and_not_what_is_recorded(odd: ModuleType) -> None:
    env = odd.Odd(length=60)
    done: list[Any] = []
    step = env.step
    env.step = lambda action: (done.append(action), step(action))[1]
    seed = next(seed for seed in range(9) if run_episode(env, odd.Follow(), seed).success)
    done.clear()
    episode = run_episode(env, odd.Follow(), seed, noise=0.4)
    for action, observation in zip(episode.actions, episode.observations, strict=True):
        np.testing.assert_array_equal(action["x"], observation["target"])
        assert action["choice"] == 1 + observation["count"][0] % 4
    assert np.mean([not np.allclose(a["x"], d["x"]) for a, d in zip(episode.actions, done, strict=True)]) > 0.9
    assert 0.05 < np.mean([a["choice"] != d["choice"] for a, d in zip(episode.actions, done, strict=True)]) < 0.6
    assert {d["say"] for d in done} == {"ab"}, "words are never disturbed"
    assert episode.total_return < 60, "rewards are those of what was done"
    again = run_episode(odd.Odd(length=60), odd.Follow(), seed, noise=0.4)
    np.testing.assert_array_equal(again.rewards, episode.rewards)


def test_a_detour_follows_another_goal_and_records_the_right_one(odd: ModuleType) -> None:
    env = odd.Odd(length=200)
    done: list[Any] = []
    step = env.step
    env.step = lambda action: (done.append(action), step(action))[1]
    shown = odd.Follow()
    with pytest.raises(OpengatoError, match="Follow knows no other goal of its body"):
        run_episode(env, shown, 1, detours=0.4)
    shown.astray = lambda rng: SimpleNamespace(act=lambda seen: {**shown.act(seen), "x": (-seen["target"]).tolist()})
    done.clear()
    episode = run_episode(env, shown, 1, detours=0.4)
    for action, observation in zip(episode.actions, episode.observations, strict=True):
        np.testing.assert_array_equal(action["x"], observation["target"])
    aside = [not np.allclose(a["x"], d["x"]) for a, d in zip(episode.actions, done, strict=True)]
    assert 0.2 < np.mean(aside) < 0.6
    starts = np.flatnonzero(np.diff([False, *aside]) & np.array(aside))
    assert len(starts) < 20, "a detour lasts"


def test_an_episode_can_be_cut(odd: ModuleType) -> None:
    episode = run_episode(odd.Odd(), odd.Follow(), seed=0, max_steps=4)
    assert len(episode) == 4
    assert episode.info["truncated"]
    assert episode.final_observation["count"] == 4


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-1, 1, (3,), np.float32),
        spaces.Box(np.float32([-2, 0]), np.float32([1, np.inf])),
        spaces.Box(-3, 9, (2, 2), np.int16),
        spaces.Box(-1, 1, (), np.float64),
        spaces.Discrete(5, start=-2),
        spaces.MultiDiscrete([3, 4]),
        spaces.MultiBinary(4),
        spaces.Text(5),
        spaces.Tuple([spaces.Dict({"a": spaces.Discrete(3)}), spaces.Box(-1, 1, (1,), np.float32)]),
    ],
    ids=str,
)
def test_disturbed_and_fitted_actions_are_inside_every_space(space: spaces.Space) -> None:
    space.seed(0)
    disturb = ActionNoise(space, 1.0, np.random.default_rng(0))
    for _ in range(50):
        action = space.sample()
        assert space.contains(fit_action(space, action))
        assert space.contains(disturb(action))


def test_noise_has_the_strength_that_was_asked_for() -> None:
    disturb = ActionNoise(spaces.Box(-4, 4, (2,), np.float64), 0.1, np.random.default_rng(0))
    pushes = np.array([disturb(np.zeros(2)) for _ in range(5000)])
    assert pushes.std() == pytest.approx(0.4, rel=0.1)
    assert np.corrcoef(pushes[1:, 0], pushes[:-1, 0])[0, 1] == pytest.approx(0.5, abs=0.1)
    disturb = ActionNoise(spaces.Discrete(1000), 0.3, np.random.default_rng(0))
    assert np.mean([disturb(0) != 0 for _ in range(5000)]) == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize(
    ("space", "action", "message"),
    [
        (spaces.Box(-1, 1, (2,)), [0.0, 1.01], r"action: .* is outside Box"),
        (spaces.Box(-1, 1, (2,)), [0.0, np.nan], "action: NaN"),
        (spaces.Box(-1, 1, (2,)), 0.0, r"action: expected shape \(2,\), got \(\)"),
        (spaces.Discrete(3), 3, "is outside Discrete"),
        (spaces.Discrete(3), 1.5, "do not fit into int64"),
        (spaces.Discrete(3), None, "expected numbers"),
        (spaces.Text(3), 5, "is outside Text"),
        (spaces.Dict({"a": spaces.Discrete(2)}), {"b": 1}, r"expected a dict with the keys \['a'\]"),
        (spaces.Tuple([spaces.Discrete(2)]), 1, "expected a tuple of 1"),
    ],
)
def test_illegal_actions_are_named(space: spaces.Space, action: Any, message: str) -> None:
    with pytest.raises(ObservationError, match=message):
        fit_action(space, action)


def test_a_rounding_error_is_clipped() -> None:
    action = fit_action(spaces.Box(-1, 1, (2,)), np.array([1.00001, -0.5]))
    assert action.dtype == np.float32
    np.testing.assert_array_equal(action, np.float32([1, -0.5]))
