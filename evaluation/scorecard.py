"""From an evaluation's results to an agent's card and to the README's table: no score is copied by hand."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Literal

from opengato.agent.shipped import DEFAULT, find
from opengato.errors import OpengatoError
from opengato.evaluation.provenance import write_json
from opengato.evaluation.results import RESULTS, about_results, ordinary, places, read_results
from opengato.evaluation.scores import COLLAPSED, MOST

BEGIN, END = "<!-- scores -->", "<!-- end of scores -->"
GOOD = 50.0  # a score worth having
KEPT = ("score", "interval", "mean_return", "success", "n", "prompt", "perplexity")
Row = dict[str, Any]


@dataclass(frozen=True)
class ScorecardConfig:
    """Publishing scores.

    Args:
        agent: whose results; a shipped agent's name or a folder. Its card.json is written.
        out: folder that holds results.json.
        prompt: rows of this prompt.
        readme: a Markdown file that gets a table between `<!-- scores -->` and `<!-- end of scores -->`; "" for none.
        table: a line for each of the `tasks`, or of the `families`.
    """

    agent: str = DEFAULT
    out: str = "report"
    prompt: str = "demonstration"
    readme: str = ""
    table: Literal["tasks", "families"] = "tasks"


def publish(config: ScorecardConfig) -> Path:
    """Write the scores of an agent into its card, and a table of them into a Markdown file.

    Returns:
        The card.

    Raises:
        OpengatoError: there are no such results, or the file has no place for a table.
    """
    rows = chosen(read_results(config.out), config.agent, config.prompt)
    if not rows:
        raise OpengatoError(
            f"{config.out}/{RESULTS} has no rows of agent {config.agent!r} with prompt {config.prompt!r}. "
            f"Next: opengato evaluate agent={config.agent} prompt={config.prompt} out={config.out} 'tasks=[…]'"
        )
    page = _page(config, rows) if config.readme else None  # refused before anything is written
    path = find(config.agent) / "card.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    card["scores"] = {row["task"]: {name: row[name] for name in KEPT if row.get(name) is not None} for row in rows}
    card.pop("mean_score_of_trained_tasks", None)  # of earlier scores; of these there may be none
    if trained(rows):
        card["mean_score_of_trained_tasks"] = round(mean(trained(rows)), 1)
    card["evaluation"] = {"prompt": config.prompt, "measured": places(rows, about_results(config.out))}
    write_json(path, card)
    if page is not None:
        Path(config.readme).write_text(page, encoding="utf-8")
    return path


def chosen(rows: list[Row], agent: str, prompt: str) -> list[Row]:
    """The ordinary rows of an agent outside of comparisons, by task: the last of each, where it was played twice."""
    kept = [row for row in rows if row["agent"] == agent and row["prompt"] == prompt and not row["stage"]]
    return sorted({row["task"]: row for row in filter(ordinary, kept)}.values(), key=lambda row: row["task"])


def trained(rows: list[Row]) -> list[float]:
    """What the tasks that are not held out count for in means; those without a scale are left out, and none counts for
    more than `MOST`."""
    return [min(row["score"], MOST) for row in rows if row["split"] == "train" and row["score"] is not None]


def markdown(rows: list[Row], table: str = "tasks") -> str:
    """A summary line and a table."""
    families: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        families[row["family"]].append(row)
    by_family = ", ".join(f"{name} {mean(trained(of)):.0f}" for name, of in sorted(families.items()) if trained(of))
    counts = ", ".join(f"{n} rollouts of {tasks}" for n, tasks in sorted(Counter(row["n"] for row in rows).items()))
    means = "No trained task has a score"
    if trained(rows):
        means = f"Mean score of the {len(trained(rows))} trained tasks: **{mean(trained(rows)):.1f}**{_around(rows, 1)}"
        means += f"; by family: {by_family}" if table == "tasks" else ""
    summary = [
        f"{means}. Prompt: {rows[0]['prompt']}; {counts} tasks. A score counts for 100 at most in means.",
        "",
    ]
    if table == "families":
        held_out = any(row["split"] == "held_out" for row in rows)
        heads = ["family", "trained tasks", "mean score", "of them 50 or better", "below 5"]
        heads += ["held-out tasks"] * held_out
        lines = [
            f"| {' | '.join(heads)} |",
            "|---" * len(heads) + "|",
            *(_family_line(name, of, held_out) for name, of in sorted(families.items())),
        ]
    else:
        lines = [
            "| task | return | random | demonstrator | success | score, 95 % interval |",
            "|---|---|---|---|---|---|",
            *(_line(row) for row in rows),
        ]
    return "\n".join(summary + lines)


def _around(rows: list[Row], digits: int = 0) -> str:
    """The interval of the mean over trained tasks, from the tasks' own: what they are wide adds up in squares."""
    known = [row for row in rows if row["split"] == "train" and row["score"] is not None]
    if not all(row["interval"] for row in known):
        return ""
    halves = [(min(row["interval"][1], MOST) - min(row["interval"][0], MOST)) / 2 for row in known]
    middle, half = mean(trained(rows)), sum(each**2 for each in halves) ** 0.5 / len(known)
    return f" [{middle - half:.{digits}f}, {min(middle + half, MOST):.{digits}f}]"


def _family_line(name: str, rows: list[Row], held_out: bool) -> str:
    scores = trained(rows)
    cells = [f"`{name}`", str(len(scores)), "", "", ""]
    if scores:
        good, low = sum(score >= GOOD for score in scores), sum(score < COLLAPSED for score in scores)
        cells[2:] = [f"{mean(scores):.0f}{_around(rows)}", str(good), str(low)]
    if held_out:
        others = [row for row in rows if row["split"] == "held_out" and row["score"] is not None]
        cells.append(", ".join(f"{row['task'].partition('/')[2]} {row['score']:.0f}" for row in others))
    return f"| {' | '.join(cells)} |"


def _line(row: Row) -> str:
    name = f"`{row['task']}`" + (" (held out)" if row["split"] == "held_out" else "")
    success = "" if row.get("success") is None else f"{row['success']:.0%}"
    score = "no scale"
    if row["score"] is not None:
        score = f"{row['score']:.0f}" + (" [{:.0f}, {:.0f}]".format(*row["interval"]) if row["interval"] else "")
    numbers = " | ".join("" if row[key] is None else f"{row[key]:.4g}" for key in ("mean_return", "random", "expert"))
    return f"| {name} | {numbers} | {success} | {score} |"


def _page(config: ScorecardConfig, rows: list[Row]) -> str:
    path = config.readme
    text = Path(path).read_text(encoding="utf-8") if Path(path).is_file() else ""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise OpengatoError(f"{path!r} has no single {BEGIN} … {END}. Next: put both where the table should be.")
    part = f"{BEGIN}\n{markdown(rows, config.table)}\n{END}"
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: part, text, flags=re.DOTALL)
