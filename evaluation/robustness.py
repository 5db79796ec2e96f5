"""The sheet: an agent's score under delay, noise, other masses and friction, a moved camera, lost readings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gymnasium import spaces

from opengato.agent.spec import Spec
from opengato.envs.real.physique import physique_of
from opengato.errors import OpengatoError, UnknownNameError
from opengato.evaluation.evaluate import EvaluateConfig, Progress, evaluate, prepare
from opengato.evaluation.provenance import commit, machine, write_json
from opengato.evaluation.report import write_report
from opengato.evaluation.results import PRECISION, read_results
from opengato.tasks.card import Card

SHEETS = ("sheet",)
FILE, LEVELS = "robustness.json", "levels"
# kind → (field of `Disturbance`, unit, levels, the level at which nothing is wrong)
KINDS: dict[str, tuple[str, str, tuple[float, ...], float]] = {
    "delay": ("latency_ms", "ms", (0, 50, 100, 150, 200), 0),
    "noise": ("noise", "of the range", (0, 0.01, 0.02, 0.05, 0.1), 0),
    "mass": ("mass", "×", (0.5, 0.75, 1, 1.5, 2), 1),
    "friction": ("friction", "×", (0.5, 0.75, 1, 1.5, 2), 1),
    "camera": ("camera_shift", "pixels", (0, 2, 4, 8, 16), 0),
    "dropped": ("dropped", "of readings", (0, 0.1, 0.2, 0.4, 0.6), 0),
}
KEPT = ("score", "interval", "success", "n", "mean_return")
Row = dict[str, Any]


def kinds(card: Card) -> list[str]:
    """What can go wrong with a body: a text knows no delay, and mass is changed where there is a body."""
    env = card.make(evaluation=True)
    try:
        spec = Spec.from_env(env)
        found = [] if spec.text_action else ["delay", "dropped"]
        if spec.images or any(feature.kind == "continuous" for feature in spec.values):
            found.append("noise")
        if spec.images:
            found.append("camera")
        physique = physique_of(env)
        if physique and isinstance(env.action_space, spaces.Box):  # what only draws a scene has bodies too
            found += physique.can
        return [kind for kind in KINDS if kind in found]
    finally:
        env.close()


def sheet(
    config: EvaluateConfig, progress: Callable[[Progress], None] | None = None, agent: Any = None
) -> list[Row]:  # fmt: skip
    """Evaluate under every disturbance.

    `out/robustness.json` grows level by level, and what is there already with the same settings is not played again.
    The undisturbed rollouts are results like any others; `out/report.html` shows both.

    Args:
        config: as for `evaluate`; its own disturbance stays on beneath the sheet's.
        progress: called after every batch step.
        agent: a loaded agent.

    Returns:
        Per task, kind and level `task, agent, kind, level, unit, score, interval, success, n`.

    Raises:
        UnknownNameError: `config.robustness` names no sheet.
        OpengatoError: none of the tasks has anything that can be disturbed, or as `evaluate` does.
    """
    if config.robustness not in SHEETS:
        raise UnknownNameError("robustness", config.robustness, SHEETS, "Next: robustness=sheet")
    config, cards, agent = prepare(config, agent)
    out = Path(config.out)
    found: list[Row] = _read(out / FILE)
    rows: list[Row] = []
    for card in cards:
        wrongs = kinds(card)
        for kind in wrongs:
            field, unit, levels, neutral = KINDS[kind]
            for level in levels:
                wrong = {} if level == neutral else {field: level}
                one = replace(config, tasks=[card.id], robustness="", disturbance={**config.disturbance, **wrong})
                if wrong:
                    one = replace(one, video=0, out=str(out / LEVELS))
                played = (one.prompt, one.episodes, one.seed, one.max_steps)
                weights = () if one.precision == PRECISION else (one.precision,)  # sheets of before know the usual
                facts = (card.id, one.agent, *played, *weights, one.disturbance)
                key = json.dumps(facts)
                known = next((row for row in found if row["key"] == key), None)
                if known is None:
                    (known,) = evaluate(one, progress, agent)
                row = {"task": card.id, "agent": config.agent, "kind": kind, "level": level, "unit": unit, "key": key}
                row |= {name: known[name] for name in KEPT}
                rows.append(row)
                found = [old for old in found if (old["key"], old["kind"]) != (key, kind)] + [row]
                write_json(out / FILE, {"rows": found, "commit": commit(), "machine": machine()})
        if wrongs:
            write_report(read_results(out), out, "opengato: what will break")
    if not rows:
        told = ", ".join(card.id for card in cards[:3])
        raise OpengatoError(f"nothing can be disturbed in {told}. Next: leave robustness out, or a task with a body")
    return rows


def _read(path: Path) -> list[Row]:
    return list(json.loads(path.read_text("utf-8"))["rows"]) if path.is_file() else []
