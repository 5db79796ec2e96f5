"""Two agents side by side: what one scores over the other, paired by seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from opengato.evaluation import intervals
from opengato.evaluation.results import alike

Row = dict[str, Any]


def paired(after: Row | None, before: Row | None) -> dict[str, Any] | None:
    """Mean difference of two rows with its 95 % interval, paired by seed; in score points where both have a score, else
    in return.

    Returns:
        `figure, interval, unit, n`; None where they share no seed.
    """
    if not after or not before:
        return None
    unit = "score" if after.get("score") is not None and before.get("score") is not None else "return"
    was = {episode["seed"]: episode[unit] for episode in before.get("episodes", ())}
    both = [(e[unit], was[e["seed"]]) for e in after.get("episodes", ()) if was.get(e["seed"]) is not None]
    if not both:
        return None
    figure, interval = intervals.paired_difference([now for now, _ in both], [then for _, then in both])
    return {"figure": figure, "interval": interval, "unit": unit, "n": len(both)}


def duel(rows: Sequence[Row], baselines: Sequence[str]) -> dict[str, Any] | None:
    """The two agents with most rows, on what both played with the same prompt.

    Returns:
        `first, second`, per task and prompt `{task, prompt, first, second, gain}` (largest gain of the first on top),
        and how many tasks each `wins`: its paired interval leaves zero out, of enough pairs (`intervals.CLEAR_FROM`).
        None where there are no two agents.
    """
    plain = alike([row for row in rows if not row.get("stage") and row["agent"] not in baselines])
    agents = [agent for agent, _ in Counter(row["agent"] for row in plain).most_common(2)]
    if len(agents) < 2:
        return None
    sides = [{(row["task"], row["prompt"]): row for row in plain if row["agent"] == agent} for agent in agents]
    lines = []
    for key in sides[0]:
        gain = paired(sides[0][key], sides[1].get(key))
        if gain is not None and gain["unit"] == "score":
            lines.append(
                {"task": key[0], "prompt": key[1], "first": sides[0][key], "second": sides[1][key], "gain": gain}
            )
    if not lines:
        return None
    lines.sort(key=lambda line: -line["gain"]["figure"])
    clear = [sign for line in lines if (sign := intervals.clear(line["gain"]["interval"], line["gain"]["n"]))]
    wins = clear.count(1), clear.count(-1)
    mean = sum(line["gain"]["figure"] for line in lines) / len(lines)
    return {"first": agents[0], "second": agents[1], "lines": lines, "wins": wins, "mean": mean}
