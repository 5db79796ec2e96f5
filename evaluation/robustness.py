"""The sheet: an agent's score under delay, noise, other masses and friction, a moved camera, lost readings."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from opengato.agent.spec import Spec
from opengato.errors import UnknownNameError
from opengato.evaluation.evaluate import EvaluateConfig, Progress, evaluate, load_agent
from opengato.evaluation.provenance import commit, machine, write_json
from opengato.tasks import registry
from opengato.tasks.card import Card

SHEETS = ("sheet",)
FILE, PAGE, LEVELS = "robustness.json", "robustness.html", "levels"
# kind → (field of `Disturbance`, unit, levels, the level at which nothing is wrong)
KINDS: dict[str, tuple[str, str, tuple[float, ...], float]] = {
    "delay": ("latency_ms", "ms", (0, 50, 100, 150, 200), 0),
    "noise": ("noise", "of the range", (0, 0.01, 0.02, 0.05, 0.1), 0),
    "mass": ("mass", "×", (0.5, 0.75, 1, 1.5, 2), 1),
    "friction": ("friction", "×", (0.5, 0.75, 1, 1.5, 2), 1),
    "camera": ("camera_shift", "pixels", (0, 1, 2, 4, 8), 0),
    "dropped": ("dropped", "of readings", (0, 0.1, 0.2, 0.4, 0.6), 0),
}
KEPT = ("score", "interval", "success", "n", "mean_return")
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;color:#1c2330}
h2{margin:2rem 0 0}p{margin:0;color:#667}div{display:flex;flex-wrap:wrap;gap:12px}svg{width:170px;height:150px}
text{font-size:11px;fill:#556}.b{fill:#3d7bd922}.l{fill:none;stroke:#3d7bd9;stroke-width:2}
.g{stroke:#ccd;stroke-width:1}.d{fill:#3d7bd9}"""
Row = dict[str, Any]


def kinds(card: Card) -> list[str]:
    """What can go wrong with a body: a text knows no delay, and mass can be changed in MuJoCo alone."""
    env = card.make(evaluation=True)
    try:
        spec = Spec.from_env(env)
        found = [] if spec.text_action else ["delay", "dropped"]
        if spec.images or any(feature.kind == "continuous" for feature in spec.values):
            found.append("noise")
        if spec.images:
            found.append("camera")
        if hasattr(getattr(env.unwrapped, "model", None), "body_mass") and isinstance(env.action_space, spaces.Box):
            found += ["mass", "friction"]
        return [kind for kind in KINDS if kind in found]
    finally:
        env.close()


def sheet(
    config: EvaluateConfig, progress: Callable[[Progress], None] | None = None, agent: Any = None
) -> list[Row]:  # fmt: skip
    """Evaluate under every disturbance.

    `out/robustness.json` and `out/robustness.html` grow level by level, and what is there already with the same
    settings is not played again.

    Args:
        config: as for `evaluate`; its own disturbance stays on beneath the sheet's.
        progress: called after every batch step.
        agent: a loaded agent.

    Returns:
        Per task, kind and level `task, agent, kind, level, unit, score, interval, success, n`.

    Raises:
        UnknownNameError: `config.robustness` names no sheet.
    """
    if config.robustness not in SHEETS:
        raise UnknownNameError("robustness", config.robustness, SHEETS, "Next: robustness=sheet")
    out = Path(config.out)
    agent = agent if agent is not None else load_agent(config.agent, config.device, config.precision)
    registry.load_plugins(config.plugins)
    found: list[Row] = _read(out / FILE)
    rows: list[Row] = []
    for card in registry.find(config.tasks):
        for kind in kinds(card):
            field, unit, levels, neutral = KINDS[kind]
            for level in levels:
                wrong = {} if level == neutral else {field: level}
                one = replace(config, tasks=[card.id], robustness="", video=0, out=str(out / LEVELS))
                one = replace(one, disturbance={**config.disturbance, **wrong})
                facts = (card.id, one.agent, one.prompt, one.episodes, one.seed, one.max_steps, one.disturbance)
                key = json.dumps(facts)
                known = next((row for row in found if row["key"] == key), None)
                if known is None:
                    (known,) = evaluate(one, progress, agent)
                row = {"task": card.id, "agent": config.agent, "kind": kind, "level": level, "unit": unit, "key": key}
                row |= {name: known[name] for name in KEPT}
                rows.append(row)
                found = [old for old in found if (old["key"], old["kind"]) != (key, kind)] + [row]
                write_json(out / FILE, {"rows": found, "commit": commit(), "machine": machine()})
        (out / PAGE).write_text(page(found), encoding="utf-8")
    return rows


def _read(path: Path) -> list[Row]:
    return list(json.loads(path.read_text("utf-8"))["rows"]) if path.is_file() else []


def page(rows: Sequence[Row]) -> str:
    """One file: per body and agent a row of panels, score over what is wrong, with the 95 % interval."""
    bodies = dict.fromkeys((row["task"], row["agent"]) for row in rows)
    parts = []
    for task, agent in bodies:
        mine = [row for row in rows if (row["task"], row["agent"]) == (task, agent)]
        n = min(row["n"] for row in mine)
        panels = "".join(_panel(kind, [row for row in mine if row["kind"] == kind]) for kind in KINDS)
        parts.append(f"<h2>{escape(task)}</h2><p>{escape(agent)}, {n} rollouts a point</p><div>{panels}</div>")
    head = f"<!doctype html><meta charset=utf-8><title>Robustness</title><style>{STYLE}</style><h1>Robustness</h1>"
    scale = "<p>Score: 0 is acting at random, 100 the demonstrator, both undisturbed.</p>"
    return head + scale + "".join(parts)


def _panel(kind: str, rows: Sequence[Row]) -> str:
    """Score over level, as SVG of 170 × 150."""
    rows = [row for row in rows if row["score"] is not None]
    if not rows:
        return ""
    at = np.linspace(34, 160, len(rows))

    def y(score: float) -> float:
        return round(118 - float(np.clip(score, -20, 110)) * 0.9, 1)

    whole = [row["interval"] or (row["score"], row["score"]) for row in rows]
    up = [f"{x:.1f},{y(high)}" for x, (_, high) in zip(at, whole, strict=True)]
    down = [f"{x:.1f},{y(low)}" for x, (low, _) in zip(at, whole, strict=True)]
    line = " ".join(f"{x:.1f},{y(row['score'])}" for x, row in zip(at, rows, strict=True))
    grid = "".join(f'<path class=g d="M30 {y(m)}H164"/><text x=4 y="{y(m) + 4}">{m}</text>' for m in (0, 50, 100))
    ticks = "".join(
        f'<text x="{x:.1f}" y=134 text-anchor=middle>{row["level"]:g}</text>' for x, row in zip(at, rows, strict=True)
    )
    dots = "".join(
        f'<circle class=d cx="{x:.1f}" cy="{y(row["score"])}" r=3><title>{row["score"]:.0f}</title></circle>'
        for x, row in zip(at, rows, strict=True)
    )
    name = f"<text x=97 y=148 text-anchor=middle>{kind}, {escape(rows[0]['unit'])}</text>"
    band = f'<polygon class=b points="{" ".join([*up, *reversed(down)])}"/>'
    return (
        f'<svg viewBox="0 0 170 150" role=img>{grid}{band}<polyline class=l points="{line}"/>{dots}{ticks}{name}</svg>'
    )
