"""`opengato prompts`: does the agent listen? Every task under the right prompts, none and a wrong one, on the same
seeds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from opengato.agent.shipped import DEFAULT
from opengato.errors import OpengatoError
from opengato.evaluation.evaluate import EvaluateConfig, evaluate, load_agent
from opengato.evaluation.intervals import paired_difference
from opengato.evaluation.listing import progress_line
from opengato.evaluation.prompts import PROMPTS
from opengato.evaluation.provenance import commit, machine, versions, write_json
from opengato.evaluation.results import Row
from opengato.tasks import registry

RESULTS = "prompts.json"
RIGHT, WRONG = "demonstration", "wrong"


@dataclass(frozen=True)
class PromptsConfig:
    """The study.

    Args:
        agent: a shipped agent's name or an agent's folder.
        tasks: ids and patterns; best those that share a body and differ in nothing but their goal: the wrong prompt is
            then a demonstration of the first other one.
        episodes: per task and prompt.
        prompts: which; at best all.
        seed: added to the evaluation's seeds, the same for every prompt.
        data_dir: where demonstrations and measured references are kept.
        out: folder of `prompts.json`; rows that are there are not played again, and those of other settings are
            refused.
        device: where the agent runs.
        plugins: files of the user that register tasks.
    """

    agent: str = DEFAULT
    tasks: list[str] = field(default_factory=list)
    episodes: int = 20
    prompts: list[str] = field(default_factory=lambda: list(PROMPTS))
    seed: int = 0
    data_dir: str = "data"
    out: str = "prompts"
    device: str = "auto"
    plugins: list[str] = field(default_factory=list)


def study(config: PromptsConfig) -> dict[str, Any]:
    """Play every task under every prompt; what is there already is kept.

    Returns:
        `rows`: per task and prompt `task, prompt, n, mean_return, score, interval, commit, scores`; `differences`: per
        task the mean difference of scores between the right demonstration and the wrong prompt, seed by seed, with
        its interval.

    Raises:
        OpengatoError: no or an unknown task, or `out` holds a study of another agent, other episodes or another seed.
    """
    registry.load_plugins(config.plugins)
    if not config.tasks:
        raise OpengatoError("no tasks given. Next: tasks=[metaworld/reach,metaworld/push], or opengato list")
    cards = registry.find(config.tasks)
    file = Path(config.out) / RESULTS
    wanted = {"agent": config.agent, "episodes": config.episodes, "seed": config.seed}
    rows: list[Row] = []
    if file.is_file():
        found = json.loads(file.read_text(encoding="utf-8"))
        if found["settings"] != wanted:
            raise OpengatoError(f"{file} was made with {found['settings']}. Next: another out=…")
        rows = found["rows"]
    done = {(row["task"], row["prompt"]) for row in rows}
    agent = load_agent(config.agent, config.device, "fp32")
    settings = EvaluateConfig(
        agent=config.agent, episodes=config.episodes, seed=config.seed, data_dir=config.data_dir, device=config.device,
        out=str(Path(config.out) / "played"), plugins=list(config.plugins),
    )  # fmt: skip
    for card in cards:
        for prompt in config.prompts:
            if (card.id, prompt) in done:
                continue
            played = evaluate(replace(settings, tasks=[card.id], prompt=prompt), progress_line(), agent, cards)
            rows.append(_kept(played[0]))
            whole = {"settings": wanted, "rows": rows, "differences": differences(rows)}
            write_json(file, {**whole, "commit": commit(), "machine": machine(), "versions": versions()})
    return {"settings": wanted, "rows": rows, "differences": differences(rows)}


def differences(rows: Sequence[Row]) -> list[Row]:
    """How much better the right demonstration is than the wrong prompt, on the same seeds: score points and their
    interval."""
    of = {(row["task"], row["prompt"]): row["scores"] for row in rows}
    out = []
    for task in dict.fromkeys(row["task"] for row in rows):
        right, wrong = of.get((task, RIGHT)), of.get((task, WRONG))
        if right is None or wrong is None:
            continue
        seeds = [seed for seed in right if seed in wrong and None not in (right[seed], wrong[seed])]
        if seeds:
            mean, interval = paired_difference([right[seed] for seed in seeds], [wrong[seed] for seed in seeds])
            out.append({"task": task, "n": len(seeds), "difference": mean, "interval": interval})
    return out


def _kept(row: Row) -> Row:
    kept = {
        name: row[name]
        for name in ("task", "prompt", "prompt_text", "n", "mean_return", "score", "interval", "success")
    }
    scores = {str(episode["seed"]): episode["score"] for episode in row["episodes"]}
    return {**kept, "commit": commit(), "scores": scores}


def table(found: dict[str, Any]) -> str:
    """Scores per task and prompt, and what the right one is better by, in Markdown."""
    prompts = [prompt for prompt in PROMPTS if any(row["prompt"] == prompt for row in found["rows"])]
    of = {(row["task"], row["prompt"]): row for row in found["rows"]}
    better = {row["task"]: row for row in found["differences"]}
    lines = [f"| task | {' | '.join(prompts)} | right − wrong |", "|---" * (len(prompts) + 2) + "|"]
    for task in dict.fromkeys(row["task"] for row in found["rows"]):
        cells = [
            _cell(of.get((task, prompt), {}).get("score"), of.get((task, prompt), {}).get("interval"))
            for prompt in prompts
        ]
        gap = better.get(task, {})
        lines.append(f"| `{task}` | {' | '.join(cells)} | {_cell(gap.get('difference'), gap.get('interval'))} |")
    return "\n".join(lines)


def _cell(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" + (f" [{interval[0]:.0f}, {interval[1]:.0f}]" if interval else "")


def run(config: PromptsConfig, as_json: bool) -> Any:
    """The command."""
    found = study(config)
    if as_json:
        return found
    print(table(found))
    return None
