"""Rows of the registry and of results for people and machines. Imports no simulator, so that listing stays quick."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

from opengato.tasks.card import Card

SURE, STRONG = 0.9, 0.8
SHARES = {"sure": "told", "strong": "compared"}  # counts in `families`, and what they are counted among


def rows(cards: Sequence[Card]) -> list[dict[str, Any]]:
    """Per task what the card says, whether it is `available`, and what was measured.

    Keys: `id, family, split, tags, instruction, extra, available, install, demonstrator, random, expert, published`;
    `install` is the command that brings what is missing, None where nothing is. `random` and `expert` are means of
    measured returns, None where not measured.
    """
    scores = _measured()
    return [_row(card, scores.get(card.measured_as, {})) for card in cards]


def families(cards: Sequence[Card]) -> list[dict[str, Any]]:
    """Per family `family, tasks, available, demonstrators, held_out, measured` (chance and demonstrator): counts; and
    the `extra` it needs.

    `told` of the measured tasks define a success, and in `sure` of these the demonstrator succeeds in 90 % of its
    episodes or more. `compared` have a published expert whose episodes are as long as ours, and in `strong` of these
    the demonstrator has 80 % of that expert's lead over chance, or more.
    `install` is the command that brings what is missing here, None where nothing is.
    """
    scores = _measured()
    found = []
    for name in sorted({card.family for card in cards}):
        members = [card for card in cards if card.family == name]
        successes = [share for card in members if (share := _success(scores.get(card.measured_as))) is not None]
        leads = [share for card in members if (share := _lead(card, scores.get(card.measured_as))) is not None]
        found.append(
            {
                "family": name,
                "tasks": len(members),
                "available": sum(card.available for card in members),
                "demonstrators": sum(card.demonstrator is not None for card in members),
                "held_out": sum(card.split == "held_out" for card in members),
                "measured": sum(bool(scores.get(card.measured_as, {}).get("expert")) for card in members),
                "told": len(successes),
                "sure": sum(share >= SURE for share in successes),
                "compared": len(leads),
                "strong": sum(share >= STRONG for share in leads),
                "extra": next((card.extra for card in members if card.extra), None),
                "install": next((card.install_step for card in members if not card.available), None),
            }
        )
    return found


def _success(measured: dict[str, Any] | None) -> float | None:
    """The demonstrator's share of successes, None where none is told or nothing was measured."""
    return ((measured or {}).get("expert") or {}).get("success")


def _lead(card: Card, measured: dict[str, Any] | None) -> float | None:
    """The demonstrator's lead over chance as a share of the published expert's, None where they do not compare."""
    known, expert = card.published or {}, (measured or {}).get("expert")
    if not measured or not expert or known.get("expert") is None or known.get("steps"):
        return None
    chance = measured["random"]["mean"]
    best = known["expert"] - chance
    return (expert["mean"] - chance) / best if best > 0 else None


def _measured() -> dict[str, Any]:
    """What ships of measured returns, by task."""
    path = files("opengato.assets") / "scores.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _row(card: Card, measured: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": card.id,
        "family": card.family,
        "split": card.split,
        "tags": list(card.tags),
        "instruction": card.instruction,
        "extra": card.extra,
        "available": card.available,
        "install": None if card.available else card.install_step,
        "demonstrator": card.demonstrator is not None,
        "random": (measured.get("random") or {}).get("mean"),
        "expert": (measured.get("expert") or {}).get("mean"),
        "published": dict(card.published) if card.published else None,
    }


def print_rows(results: Sequence[dict[str, Any]]) -> None:
    """Results as a table."""
    for row in results:
        interval = row.get("interval")
        span = f" [{interval[0]:.1f}, {interval[1]:.1f}]" if interval else ""
        score = "no scale" if row["score"] is None else f"{row['score']:.1f}{span}"
        mean = "-" if row["mean_return"] is None else f"{row['mean_return']:.4g}"
        success = "" if row.get("success") is None else f"  success {row['success']:.2f}"
        perplexity = "" if row.get("perplexity") is None else f"  perplexity {row['perplexity']:.1f}"
        perplexity += "" if row.get("cider") is None else f"  CIDEr {row['cider']:.2f}"
        print(
            f"{row['task']:<34} {row['prompt']:<13} n={row['n']:<4} return {mean}  score {score}{success}{perplexity}"
        )


def progress_line() -> Callable[[Any], None]:
    """A progress callback: one line that renews itself on a terminal, a line every 10 s elsewhere (standard error)."""
    terminal = sys.stderr.isatty()
    last = [time.monotonic()]

    def tell(state: Any) -> None:
        now = time.monotonic()
        if now - last[0] < (0.2 if terminal else 10):
            return
        last[0] = now
        where = f"{state.task} ({state.index + 1}/{state.tasks})"
        text = f"{where}: {state.done}/{state.episodes} episodes, step {state.steps}"
        print(f"\r{text:<90}" if terminal else text, end="" if terminal else "\n", file=sys.stderr, flush=True)

    return tell


def family_table(found: Sequence[dict[str, Any]]) -> str:
    """The counts of `families` as a Markdown table, as docs/worlds.md shows it."""
    names = ("tasks", "demonstrators", "held_out", "measured")
    total = {"family": "all"} | {name: sum(row[name] for row in found) for name in (*names, *SHARES, *SHARES.values())}
    heads = ("family", "tasks", "with a demonstrator", "held out", "references measured", "succeeds in 90 %")
    lines = [f"| {' | '.join(heads)} | 80 % of a published expert |", "|---" * 7 + "|"]
    for row in [*found, total]:
        name = row["family"] if row is total else f"`{row['family']}`"
        shares = [f"{row[part]} of {row[whole]}" if row[whole] else "" for part, whole in SHARES.items()]
        lines.append(f"| {name} | " + " | ".join([*(str(row[name]) for name in names), *shares]) + " |")
    return "\n".join(lines)
