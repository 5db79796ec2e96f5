"""Which episodes are kept: by seeds and results alone, whatever the workers, the order or a kill."""

from __future__ import annotations

import random
from typing import Any

import pytest

from opengato.training.selection import Selection


def outcome(seed: int, dice: int) -> dict[str, Any]:
    rng = random.Random(seed * 1000 + dice)
    if rng.random() < 0.1:
        return {"failed": "bad luck"}
    return {"return": rng.choice([1.0, 8.0, 10.0]), "success": None, "noise": rng.choice([0.0, 0.5])}


@pytest.mark.parametrize("dice", range(20))
@pytest.mark.parametrize("workers", [2, 7])
def test_neither_workers_nor_order_nor_a_kill_change_the_selection(dice: int, workers: int) -> None:
    def run(count: int, known: list[int]) -> Selection:
        rng, running = random.Random(dice), []
        selection = Selection(goal=12, seed=5, keep=0.8, by_success=False)
        for seed in known:
            selection.add(seed, outcome(seed, dice))
        while not selection.done:
            while len(running) < count and (seed := selection.next_seed()) is not None:
                running.append(seed)
            seed = running.pop(rng.randrange(len(running)))
            selection.add(seed, outcome(seed, dice))
        return selection

    serial = run(1, [])
    leftover = [seed for seed in range(5, 25) if random.Random(seed + dice).random() < 0.5]
    for other in (run(workers, []), run(workers, leftover)):
        assert other.kept_seeds() == serial.kept_seeds()
        assert (other.end_seed, other.attempted, other.failed) == (serial.end_seed, serial.attempted, serial.failed)
        assert other.thresholds == serial.thresholds


def test_the_rule_is_80_per_cent_of_the_mean_of_like_episodes() -> None:
    selection = Selection(goal=6, seed=0, keep=0.8, by_success=False)
    for seed, (value, noise) in enumerate([(-10, 0), (-10, 0), (-10, 0), (4, 0.3), (5, 0.3), (6, 0.3)]):
        selection.add(seed, {"return": value, "success": None, "noise": noise})
    assert selection.thresholds == [-12.0, 4.0]
    assert selection.good({"return": -11.9, "success": None, "noise": 0})
    assert not selection.good({"return": -11.9, "success": None, "noise": 0.3})
    assert selection.good({"return": -11.9, "success": True, "noise": 0.3})


def test_an_episode_that_was_refused_is_no_failure() -> None:
    """A person may throw away as many as they like, more than the seeds there are otherwise."""
    selection = Selection(goal=2, seed=0, keep=0.8, by_success=True)
    for _ in range(selection.limit + 10):
        seed = selection.next_seed()
        assert seed is not None
        selection.add(seed, {"refused": "the person threw it away"})
        assert (selection.problem(), selection.done) == (None, False)
    for _ in range(2):
        seed = selection.next_seed()
        assert seed is not None
        selection.add(seed, {"return": 1.0, "success": True, "noise": 0.0})
    assert selection.done
    assert selection.kept_seeds() == [selection.end_seed - 2, selection.end_seed - 1]
    assert (selection.attempted, selection.failed) == (2, 0)
