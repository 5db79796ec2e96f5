"""Intervals: right where a textbook tells, and honest on samples that are small or all alike."""

from __future__ import annotations

import numpy as np
import pytest

from opengato.evaluation import intervals


def test_wilson_is_the_textbook_one() -> None:
    low, high = intervals.wilson(15, 20) or (0, 0)
    assert (round(low, 3), round(high, 3)) == (0.531, 0.888)
    assert (intervals.wilson(0, 20) or (1, 1))[0] == 0
    assert (intervals.wilson(20, 20) or (0, 0))[1] == 1
    assert intervals.wilson(0, 0) is None
    with pytest.raises(ValueError, match=r"0 … n=3"):
        intervals.wilson(4, 3)


def test_mean_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(120):
        low, high = intervals.mean_interval(list(rng.exponential(1.0, 30))) or (0, 0)
        hits += low <= 1.0 <= high
    assert 100 <= hits <= 120


def test_mean_interval_of_odd_samples() -> None:
    assert intervals.mean_interval([3.0]) is None
    assert intervals.mean_interval([3.0, 3.0, 3.0]) == (3.0, 3.0)
    assert intervals.mean_interval([1.0, 1.0], binary=True) == intervals.wilson(2, 2)
    assert intervals.mean_interval([1.0, float("nan"), 2.0, 4.0]) == intervals.mean_interval([1.0, 2.0, 4.0])


def test_interquartile_mean_weighs_the_edges() -> None:
    assert intervals.interquartile_mean([0, 1, 2, 3, 4, 5, 6, 100]) == pytest.approx(3.5)
    # Five values: the quartiles cut the second and the fourth, three quarters of each count.
    assert intervals.interquartile_mean([0, 1, 2, 3, 100]) == pytest.approx((0.75 * 1 + 2 + 0.75 * 3) / 2.5)


def test_stratified_keeps_tasks_fixed() -> None:
    groups = [[0.0] * 10, [100.0] * 10]  # tasks differ, episodes do not: nothing to be unsure of
    assert intervals.stratified(groups) == (50.0, (50.0, 50.0))
    slow, interval = intervals.stratified([[1.0, 3.0, 5.0], [2.0, 2.0]], lambda g: intervals.mean_of_means(g))
    fast = intervals.stratified([[1.0, 3.0, 5.0], [2.0, 2.0]])
    assert slow == fast[0] == 2.5
    assert interval == pytest.approx(fast[1])


def test_values_that_share_a_draw_are_less_sure_than_as_many_alone() -> None:
    rng = np.random.default_rng(0)
    nested = pooled = 0
    for _ in range(60):
        groups = rng.normal(size=(5, 1)) + 0.5 * rng.normal(size=(5, 20))  # what a group shares, and what it does not
        low, high = intervals.nested_interval(groups.tolist()) or (0, 0)
        nested += low <= 0 <= high
        low, high = intervals.mean_interval(groups.ravel().tolist()) or (0, 0)
        pooled += low <= 0 <= high
    assert nested >= 48, "of 60, where 57 would be right: five groups are few"
    assert pooled <= 36


def test_nested_interval_of_odd_groups() -> None:
    one = [1.0, 2.0, 4.0]
    assert intervals.nested_interval([one]) == intervals.mean_interval(one)
    assert intervals.nested_interval([one, [float("nan")], []]) == intervals.mean_interval(one)
    assert intervals.nested_interval([]) is None
    assert intervals.nested_interval([[2.0], [2.0, 2.0]]) == (2.0, 2.0)
    low, high = intervals.nested_interval([[0.0] * 20, [0.0] * 20, [9.0] * 20]) or (0, 0)
    assert (low, high) == (0.0, 9.0)


def test_paired_difference_is_sharper_than_the_two_apart() -> None:
    before = np.random.default_rng(1).normal(0, 50, 20)
    figure, interval = intervals.paired_difference(list(before + 5), list(before))
    assert figure == pytest.approx(5)
    assert interval == pytest.approx((5, 5))


def test_few_pairs_are_never_clear() -> None:
    assert intervals.paired_difference([100.0] * 3, [0.0] * 3) == (100.0, None), "of three successes no zero width"
    few, enough = intervals.CLEAR_FROM - 1, intervals.CLEAR_FROM
    _, interval = intervals.paired_difference([9.0 + i for i in range(few)], [0.0] * few)
    assert interval is not None
    assert interval[0] > 0
    assert [intervals.clear(interval, n) for n in (few, enough)] == [0, 1]
    assert intervals.clear((-3.0, -1.0), enough) == -1
    assert intervals.clear((-3.0, 1.0), enough) == 0
    assert intervals.clear(None, enough) == 0
