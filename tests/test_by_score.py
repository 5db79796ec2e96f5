"""More of what an agent is bad at, within what its pattern has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengato.errors import OpengatoError
from opengato.training.by_score import weights_by_score
from opengato.training.mixture import shares

TASKS = ["a/good", "a/bad", "a/new", "b/only", "c/one", "c/two"]
WEIGHTS = {"a/*": 6.0, "b/*": 2.0}
SCORES = {"a/good": {"score": 130.0}, "a/bad": {"score": -4.0}, "b/only": {"score": 0.0}, "c/one": {"score": 50.0}}


def test_what_is_bad_gets_more_of_its_pattern() -> None:
    found = weights_by_score(TASKS, WEIGHTS, SCORES, lift=3.0)
    assert found["a/bad"] == pytest.approx(4 * found["a/good"])
    assert found["a/new"] == found["a/bad"]  # no score: nothing learnt yet
    assert found["a/good"] + found["a/bad"] + found["a/new"] == pytest.approx(6.0)
    assert found["b/only"] == 2.0  # a pattern's share is its own
    assert found["c/one"] / found["c/two"] == pytest.approx(2.5 / 4)
    assert found["c/one"] + found["c/two"] == pytest.approx(2.0)  # tasks of no pattern are one group


@given(st.lists(st.floats(-50, 200), min_size=6, max_size=6), st.floats(0, 20))
def test_no_task_is_left_out_and_no_pattern_gains(scores: list[float], lift: float) -> None:
    rows = {task: {"score": score} for task, score in zip(TASKS, scores, strict=True)}
    found = weights_by_score(TASKS, WEIGHTS, rows, lift)
    assert all(weight > 0 for weight in found.values())
    assert sum(found.values()) == pytest.approx(sum(shares(TASKS, WEIGHTS)))
    for better, worse in (("a/good", "a/bad"), ("c/one", "c/two")):
        if rows[better]["score"] >= rows[worse]["score"]:
            assert found[better] <= found[worse] * (1 + 1e-9)


def test_no_lift_leaves_weights_as_they_are() -> None:
    assert list(weights_by_score(TASKS, WEIGHTS, SCORES, 0.0).values()) == pytest.approx(list(shares(TASKS, WEIGHTS)))
    with pytest.raises(OpengatoError, match="lift is -1"):
        weights_by_score(TASKS, WEIGHTS, SCORES, -1)
