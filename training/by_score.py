"""More demonstrations of what an agent is bad at: a pattern's share of positions, divided by the scores that it has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from opengato.errors import OpengatoError
from opengato.training.mixture import pattern_of, shares


def weights_by_score(
    tasks: Sequence[str], weights: Mapping[str, float], scores: Mapping[str, Mapping[str, Any]], lift: float
) -> dict[str, float]:  # fmt: skip
    """Weights of single tasks, for `Mixture`.

    A task that scores 0 or less gets 1 + lift times what one that scores 100 or more gets, in between it is linear.
    What the tasks of a pattern have together stays: weights say what matters, scores where it is still to be learnt.

    Args:
        tasks: ids.
        weights: as in `Mixture`.
        scores: an agent's card's: task → `score`; a task that it lacks counts as one that scores 0.
        lift: 0 or more; 0 leaves the weights as they are.

    Raises:
        OpengatoError: `lift` is negative.
    """
    if lift < 0:
        raise OpengatoError(f"lift is {lift}; legal: 0 or more. Next: lift=0 draws tasks without a look at scores.")
    raised = [
        own * (1 + lift * _lacking(scores.get(task)))
        for task, own in zip(tasks, shares(tasks, weights), strict=True)
    ]  # fmt: skip
    patterns = [pattern_of(weights, task) for task in tasks]
    sums: dict[str | None, float] = defaultdict(float)
    for pattern, weight in zip(patterns, raised, strict=True):
        sums[pattern] += weight
    return {
        task: weight and weight * (patterns.count(None) if pattern is None else weights[pattern]) / sums[pattern]
        for task, pattern, weight in zip(tasks, patterns, raised, strict=True)
    }


def _lacking(row: Mapping[str, Any] | None) -> float:
    score = (row or {}).get("score")
    return 1 - min(max(0.0 if score is None else float(score), 0.0), 100.0) / 100
