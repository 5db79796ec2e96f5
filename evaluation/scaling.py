"""`opengato scaling`: how scores grow with what a model has seen, and with its size.

Every model is trained on the same demonstrations for the same number of positions, and plays all tasks at the same
moments on the way (Gato, figure 8: in-distribution performance over tokens, a curve per size).
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from opengato.agent.config import preset
from opengato.errors import OpengatoError
from opengato.evaluation.evaluate import EvaluateConfig, evaluate
from opengato.evaluation.intervals import nested_interval
from opengato.evaluation.provenance import commit, machine, write_json
from opengato.tasks import registry

if TYPE_CHECKING:
    from opengato.agent.agent import Agent
    from opengato.tasks.card import Card

FILE = "scaling.json"
Row = dict[str, Any]


@dataclass(frozen=True)
class ScalingConfig:
    """The study.

    Args:
        tasks: ids and patterns; held-out tasks are left out always, and of a pattern those without demonstrations.
        models: presets.
        positions: seen by a model when it is evaluated; after the most of them its training ends.
        rows: sequences a batch, each as long as the model's window.
        learning_rate: of every model.
        seeds: runs of each model.
        episodes: rollouts per task at each moment.
        prompt: as in `evaluate`.
        data_dir: where demonstrations lie.
        out: folder of scaling.json, report.html and the runs.
        plugins: files of the user that register tasks.
        threads: of PyTorch; 0 leaves its own choice.
    """

    tasks: list[str] = field(default_factory=lambda: ["*"])
    models: list[str] = field(default_factory=lambda: ["pico", "micro", "nano", "small"])
    positions: list[int] = field(default_factory=lambda: [250_000, 500_000, 1_000_000, 2_000_000])
    rows: int = 16
    learning_rate: float = 1.5e-3
    seeds: int = 1
    episodes: int = 10
    prompt: str = "demonstration"
    data_dir: str = "data"
    out: str = "report/scaling"
    plugins: list[str] = field(default_factory=list)
    threads: int = 0

    def check(self) -> None:
        """Raises OpengatoError where a value is illegal."""
        for model in self.models:
            preset(model)
        for name in ("rows", "seeds", "episodes"):
            if getattr(self, name) < 1:
                raise OpengatoError(f"{name} is {getattr(self, name)}; legal: 1 or more.")
        least = self.rows * max(preset(model).window for model in self.models)
        if not self.positions or min(self.positions) < least:
            raise OpengatoError(f"positions is {list(self.positions)}; legal: numbers from {least} on, one batch.")

    def settings(self) -> Row:
        """What must be the same for runs to be compared."""
        names = ("tasks", "positions", "rows", "learning_rate", "episodes", "prompt")
        return {name: getattr(self, name) for name in names}


def study(config: ScalingConfig, cards: Sequence[Card], say: Callable[[str], None] = print) -> list[Row]:
    """Run what is missing of the study; `out/scaling.json` grows moment by moment.

    Returns:
        Per model, number of positions and task `model, parameters, positions, task, n, mean_return, score, interval`
        over all seeds.

    Raises:
        OpengatoError: a value is illegal, no task may be trained on, or `out` holds another study.
    """
    config.check()
    cards = [card for card in cards if card.split == "train"]
    if not cards:
        raise OpengatoError("no task that may be trained on has demonstrations. Next: opengato collect")
    path = Path(config.out) / FILE
    runs: list[Row] = []
    if path.is_file():
        found = json.loads(path.read_text("utf-8"))
        if found["settings"] != config.settings():
            raise OpengatoError(f"{path} was made with {found['settings']}. Next: another out=…")
        runs = found["runs"]

    def keep(moment: list[Row]) -> None:
        runs.extend(moment)
        write_json(path, {"settings": config.settings(), "machine": machine(), "runs": runs, "rows": rows(runs)})
        first = moment[0]
        told = [row["score"] for row in moment if row["score"] is not None]
        say(
            f"{first['model']}, seed {first['seed']}, {first['positions']} positions: "
            + (f"mean score {mean(min(value, 100) for value in told):.0f}" if told else "no scale")
        )

    for seed in range(config.seeds):
        for model in config.models:
            done = {run["positions"] for run in runs if (run["model"], run["seed"]) == (model, seed)}
            if done < set(config.positions):
                _run(config, cards, model, seed, done, keep)
    return rows(runs)


def _run(
    config: ScalingConfig, cards: Sequence[Card], model: str, seed: int, done: set[int],
    keep: Callable[[list[Row]], None],
) -> None:  # fmt: skip
    """Train one model, and play at every moment that is not done."""
    from opengato.agent.agent import Agent
    from opengato.training.mixture import MixtureConfig
    from opengato.training.train import learn_statistics, open_task
    from opengato.training.trainer import Trainer, TrainerConfig

    agent = Agent.new(preset(model), seed=seed)
    tasks = [open_task(card, config.data_dir, agent.vocabulary) for card in cards]
    learn_statistics(agent, tasks)
    batch = config.rows * agent.model.config.window
    settings = TrainerConfig(
        steps=max(config.positions) // batch, learning_rate=config.learning_rate, seed=seed,
        mixture=MixtureConfig(rows=config.rows), workers=0,
    )  # fmt: skip
    trainer = Trainer(agent, tasks, settings, Path(config.out) / f"{model}-{seed}", config.settings())
    trainer.resume()
    for positions in sorted(set(config.positions) - done):
        if (steps := positions // batch - trainer.step) > 0:
            trainer.run(stop_after=steps)  # which keeps a checkpoint at its end, so every moment is played before more
        facts = {"model": model, "parameters": agent.model.num_parameters, "positions": positions, "seed": seed}
        keep([{**facts, **played, "commit": commit()} for played in _play(config, cards, agent)])


def _play(config: ScalingConfig, cards: Sequence[Card], agent: Agent) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        settings = EvaluateConfig(
            agent="scaling", tasks=[card.id for card in cards], episodes=config.episodes, prompt=config.prompt,
            data_dir=config.data_dir, out=folder, plugins=list(config.plugins),
        )  # fmt: skip
        found = evaluate(settings, agent=agent)
    for row in found:
        if row["errors"]:
            raise OpengatoError(f"{row['task']}: {row['errors'][0]}")
    return [
        {
            "task": row["task"], "score": row["score"], "returns": [each["return"] for each in row["episodes"]],
            "scores": [each["score"] for each in row["episodes"]],
        }
        for row in found
    ]  # fmt: skip


def rows(runs: Sequence[Row]) -> list[Row]:
    """Runs summed up over their seeds."""
    found = []
    for key in dict.fromkeys((run["model"], run["positions"], run["task"]) for run in runs):
        members = [run for run in runs if (run["model"], run["positions"], run["task"]) == key]
        groups = [[value for value in run["scores"] if value is not None] for run in members]
        points = [value for group in groups for value in group]
        returns = [value for run in members for value in run["returns"]]
        interval = nested_interval(groups)
        found.append(
            {
                "model": key[0], "parameters": members[0]["parameters"], "positions": key[1], "task": key[2],
                "seeds": len(members), "n": len(returns), "mean_return": mean(returns),
                "score": round(mean(points), 1) if points else None,
                "interval": [round(value, 1) for value in interval] if interval else None,
            }
        )  # fmt: skip
    return found


def run(config: ScalingConfig, as_json: bool) -> Any:
    """The command."""
    import torch

    from opengato.evaluation.report import write_report
    from opengato.training.episodes import dataset_path

    registry.load_plugins(config.plugins)
    cards = [
        card
        for card in registry.find(config.tasks)
        if card.id in config.tasks or dataset_path(config.data_dir, card.id).is_dir()  # of a pattern what was collected
    ]
    if config.threads:
        torch.set_num_threads(config.threads)
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        found = study(config, cards)
    page = write_report([], config.out, "opengato: scaling", config)
    if as_json:
        return found
    print(page)
    return None
