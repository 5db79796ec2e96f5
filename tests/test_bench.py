"""`opengato bench`: what it promises to say, and what it refuses. How fast anything is, no test asks."""

import math

import pytest

from opengato.benchmarks.bench import BenchConfig, bench, table
from opengato.errors import OpengatoError

PROMISED = {"train_pool1", "train_default", "action_full", "action_full_over_empty", "batch16", "load_over_train"}


@pytest.mark.parametrize("wrong", [{"episode": 10}, {"actions": 4}], ids=str)
def test_too_little_to_time_is_refused_before_anything_is_timed(wrong) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(OpengatoError, match="legal"):
        bench(BenchConfig(**wrong))


@pytest.mark.slow
def test_every_case_runs_and_its_ratios_are_said() -> None:
    found = bench(BenchConfig(threads=[1], rounds=1, updates=1, actions=5, episode=0))
    whole = {"train_pool1_pictures", "train_default_pictures", "collecting", "evaluating"}
    assert set(found["ratios"]) == PROMISED | whole
    assert all(math.isfinite(value) and value > 0 for value in found["ratios"].values())
    assert all(name in table(found) for name in found["ratios"])
