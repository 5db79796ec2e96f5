"""Scores: what a return is worth between acting at random (0) and the demonstrator (100).

The references ship in `assets/scores.json`; a task that is not there is measured once and kept in
`data_dir/scores.json`.
"""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from opengato.envs.ahead import look_every
from opengato.errors import OpengatoError
from opengato.evaluation.intervals import mean_interval, paired_difference, wilson
from opengato.evaluation.provenance import commit, versions, write_json
from opengato.evaluation.rollout import Case, Stage, cases, rollout
from opengato.tasks import registry
from opengato.tasks.card import Card
from opengato.tasks.source import code_hash

# {"random": Measured, "expert": Measured | None}; Measured: mean, std, n, interval, success, seed
Reference = dict[str, Any]
FILE_NAME = "scores.json"
# What a task's score counts for at most in a mean over tasks: some demonstrators do what is asked and collect little
# reward by it (Meta-World's script for `button-press`), and one such task would outweigh five that are not done at all.
MOST = 100.0
COLLAPSED = 5.0  # a score below this is as good as chance
QUICK_EPISODES = 5  # for a task without a shipped reference, on the fly
ROUND = 5  # episodes that a demonstrator plays between two looks at its interval


def score(value: float | None, reference: Reference | None) -> float | None:
    """`100·(value − random)/(expert − random)`; None where the expert is no better than random, or unknown."""
    bounds = scale(reference)
    if bounds is None or value is None or not np.isfinite(value):
        return None
    random, expert = bounds
    return 100.0 * (value - random) / (expert - random)


def scale(reference: Reference | None) -> tuple[float, float] | None:
    """Mean returns of (random, expert), or None where they make no scale."""
    if not reference or not reference.get("random") or not reference.get("expert"):
        return None
    random, expert = reference["random"]["mean"], reference["expert"]["mean"]
    if random is None or expert is None or expert - random <= 1e-6 * max(1.0, abs(random), abs(expert)):
        return None
    return float(random), float(expert)


def reference_for(card: Card, data_dir: str | Path, max_steps: int | None = None) -> Reference | None:
    """The reference of a task, measured with a few episodes and kept in `data_dir` where there is none.

    One that was measured before the task's code changed is measured again; so is one for other episodes (`max_steps`).
    """
    if card.ahead > 1:
        steps = None if max_steps is None else max_steps * look_every(card.ahead)
        return reference_for(registry.get(card.origin), data_dir, steps)
    if card.same_returns_as:
        return reference_for(registry.get(card.same_returns_as), data_dir, max_steps)
    key = _key(card, max_steps)
    shipped = _shipped().get(key)
    if shipped is not None:
        return shipped
    file = Path(data_dir) / FILE_NAME
    known = _read(file).get(key)
    code = code_hash(card)
    if known is None or known.get("code") != code:
        known = {**measure(card, QUICK_EPISODES, max_steps=max_steps), "code": code}
        write_json(file, {**_read(file), "_about": _about(), key: known})
    return known


def measure(
    card: Card,
    episodes: int,
    seed: int = 0,
    max_steps: int | None = None,
    ceiling: bool = False,
    within: float = 0.0,
) -> Reference:
    """Play a task at random and by its demonstrator.

    Args:
        card: the task.
        episodes: of each; the seeds are the evaluation's.
        seed: added to the evaluation's seeds.
        max_steps: cut episodes here.
        within: the demonstrator plays fewer where its interval is already narrower than this percentage of its lead
            over chance; 0 plays them all.
        ceiling: also play the demonstrator with actions that have gone through an agent's bins and back: no agent does
            better. For tasks whose actions hold numbers.

    Returns:
        `{"random": …, "expert": … or None}`, each with mean, std, n, interval, success, success_interval, length and
        seed. With `ceiling` also `"quantised"`, with `lost`: the share of the demonstrator's lead over chance that the
        bins cost, in percent, and `lost_interval`, from the same episodes played both ways; None where there is no
        scale. More than 2 with an interval above 0 is a defect of the bins.
    """
    asked = cases(episodes, seed)
    random = _summary(_play(card, asked, seed, max_steps, "random"), card, seed)
    if card.demonstrator is None:
        return {"random": random, "expert": None}
    found: Reference = {"random": random}
    shown: list[Any] = []
    a_round = ROUND if within else len(asked)
    while len(shown) < len(asked):
        shown += _play(card, asked[len(shown) : len(shown) + a_round], seed, max_steps, "demonstrator")
        found["expert"] = _summary(shown, card, seed)
        if len(shown) > ROUND and _known_within(found, within):
            break
    if ceiling:
        rounded = _play(card, asked[: len(shown)], seed, max_steps, "quantised")
        found["quantised"] = _summary(rounded, card, seed) | _lost(shown, rounded, found)
    return found


def _known_within(reference: Reference, percent: float) -> bool:
    """Whether the interval of the demonstrator's mean is narrower than so much of its lead over chance."""
    bounds, interval = scale(reference), reference["expert"]["interval"]
    if bounds is None or interval is None:
        return False
    return bool(100 * (interval[1] - interval[0]) <= percent * (bounds[1] - bounds[0]))


def _lost(shown: Sequence[Any], rounded: Sequence[Any], reference: Reference) -> dict[str, Any]:
    """What the bins cost, in percent of the demonstrator's lead; both played the same episodes."""
    bounds = scale(reference)
    if bounds is None:
        return {"lost": None, "lost_interval": None}
    lost, interval = paired_difference([o.total_return for o in shown], [o.total_return for o in rounded])
    percent = 100.0 / (bounds[1] - bounds[0])
    told = None if interval is None else [round(percent * end, 2) for end in interval]
    return {"lost": round(percent * lost, 2), "lost_interval": told}


def measure_references(
    cards: Iterable[Card],
    episodes: int,
    out: str | Path,
    again: bool = False,
    max_steps: int | None = None,
    env: Mapping[str, Any] | None = None,
    progress: Callable[[str, Reference], None] | None = None,
    within: float = 0.0,
) -> Path:
    """Measure many tasks into a file, one after another; a task that is there already is left alone.

    The file is whole after every task, so a run that was stopped goes on where it stopped.

    Args:
        cards: the tasks; those whose simulator is missing are named in a warning and left out. For one that has the
            same returns as another, the other is measured.
        episodes: of each policy and task.
        out: the JSON file.
        again: measure what is there as well.
        max_steps: cut episodes here; such references are kept beside the whole ones, as `<task>@<max_steps>`.
        env: arguments of the environments, on top of the evaluation's own. `{"cameras": False}` of the arm leaves out
            pictures at which neither chance nor the script looks.
        progress: called with each task and its reference.
        within: see `measure`.

    Raises:
        OpengatoError: a task's environment does not take `env`.
    """
    out, env = Path(out), dict(env or {})
    for card in cards:
        if card.same_returns_as:
            card = registry.get(card.same_returns_as)
        known = _read(out)
        key = _key(card, max_steps)
        if key in known and not again:
            continue
        if not card.available:
            warnings.warn(f"{card.id} left out: {', '.join(card.missing)} is not installed", stacklevel=2)
            continue
        card = replace(card, evaluation_kwargs={**card.evaluation_kwargs, **env})
        entry = measure(card, episodes, max_steps=max_steps, ceiling=_has_numbers(card, env), within=within)
        entry |= {"commit": commit()} | ({"env": env} if env else {})
        write_json(out, {"_about": _about(), **{k: v for k, v in known.items() if k != "_about"}, key: entry})
        if progress is not None:
            progress(key, entry)
    return out


def summarise(returns: Sequence[float], successes: Sequence[bool | None]) -> dict[str, Any]:
    """Mean, standard deviation, n and interval of returns; share of successes with its interval, None where none is
    told.
    """
    array = np.asarray(returns, dtype=float)
    array = array[np.isfinite(array)]
    told = [bool(success) for success in successes if success is not None]
    # Where each return is 1 for a success and 0 for none, their mean is a share: Wilson's interval is the honest one.
    binary = len(told) == array.size and bool(np.array_equal(array, told))
    return {
        "mean": float(array.mean()) if array.size else None,
        "std": float(array.std(ddof=1)) if array.size > 1 else None,
        "n": int(array.size),
        "interval": mean_interval(array, binary=binary),  # type: ignore[arg-type]
        "success": float(np.mean(told)) if told else None,
        "success_interval": wilson(sum(told), len(told)) if told else None,
    }


def _has_numbers(card: Card, given: Mapping[str, Any]) -> bool:
    """Whether an action of the task holds a number that is put into bins."""
    from opengato.agent.spec import Spec

    try:
        env = card.make(evaluation=True)
    except TypeError as error:
        if not given:
            raise
        raise OpengatoError(
            f"{card.id} does not take env={dict(given)} ({error}). Legal: arguments of its environment. "
            "Next: leave env out, or name tasks of one family."
        ) from error
    try:
        return any(feature.kind == "continuous" for feature in Spec.from_env(env).action)
    finally:
        env.close()


def _play(card: Card, asked: Sequence[Case], seed: int, max_steps: int | None, who: str) -> list[Any]:
    """Outcomes of episodes at random, by the demonstrator, or by it through the bins, in the order of their seeds."""
    from opengato.evaluation.policies import DemonstratorPolicy, Policy, QuantisedPolicy, RandomPolicy

    def make() -> Any:
        return card.make(evaluation=True)

    with Stage(make, asked, batch_size=8, max_steps=max_steps, task=card.id, keep_turns=0) as stage:
        policy: Policy
        if who != "random":
            kind = QuantisedPolicy if who == "quantised" else DemonstratorPolicy
            policy = kind(stage.envs, card.make_demonstrator)
        else:
            policy = RandomPolicy(stage.envs[0].action_space, len(stage.envs), seed)
        return rollout(stage, policy)


def _summary(outcomes: Sequence[Any], card: Card, seed: int) -> dict[str, Any]:
    """`summarise` with the mean length, the seed and what went wrong.

    Raises:
        OpengatoError: every episode was lost.
    """
    found = summarise([o.total_return for o in outcomes], [o.success for o in outcomes if o.error is None])
    lengths = [outcome.length for outcome in outcomes if outcome.error is None]
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    if not found["n"]:
        raise OpengatoError(f"every episode of {card.id} was lost: {errors[0]}")
    found |= {"length": float(np.mean(lengths)), "seed": seed}
    return {**found, "errors": errors} if errors else found


def _key(card: Card, max_steps: int | None) -> str:
    return card.id if max_steps is None else f"{card.id}@{max_steps}"


def _about() -> dict[str, Any]:
    what = (
        "Mean returns on the evaluation's own seeds and splits; see evaluation/scores.py. interval: 95 %. versions and "
    )
    what += "commit are of the last measurement; an entry with a commit of its own was measured at that one."
    return {"what": what, "versions": versions(), "commit": commit()}


@functools.cache
def _shipped() -> dict[str, Any]:
    file = files("opengato.assets") / FILE_NAME
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _read(path: Path) -> dict[str, Any]:
    """A scores file; an empty one where there is none.

    Raises:
        OpengatoError: the file is damaged.
    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise OpengatoError(f"{str(path)!r} is damaged ({error}). Next: delete it; it is measured again.") from error
