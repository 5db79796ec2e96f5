"""The study: nested subsets of the same demonstrations, several learners, the same rollouts.

Learners are evaluated before, and along the way, on seeds of their own, and the best moment of the smoothed curve is
what is measured (Gato, section 5.2), so that how long to train is no advantage of one of them, and what an agent can do
unseen is not lost by learning on.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from opengato.agent.agent import Agent
from opengato.agent.episode import Episode
from opengato.agent.spec import Spec
from opengato.errors import OpengatoError
from opengato.evaluation.evaluate import EvaluateConfig, evaluate
from opengato.evaluation.fewshot.config import FewshotConfig
from opengato.evaluation.fewshot.nearest import NearestAgent
from opengato.evaluation.intervals import nested_interval
from opengato.evaluation.provenance import commit, machine, write_json
from opengato.evaluation.scores import reference_for, score
from opengato.tasks.card import Card
from opengato.training import lora
from opengato.training.arrays import arrays_of
from opengato.training.finetune import FinetuneConfig, demonstrations
from opengato.training.prepare import prepare
from opengato.training.trainer import Trainer

FILE = "fewshot.json"
VALIDATION = 500_000  # added to the evaluation's seeds for the curve along the way
SMOOTH = 3  # moments of the curve that are averaged
# How a run was made: runs that differ in one of these are different studies. What a series draws from (`pool`) is not
# among them: that makes other draws, as another series does.
PROTOCOL = ("agent", "steps", "learning_rate", "lora", "moments", "along", "episodes", "prompt", "noise", "seed")
Row = dict[str, Any]


def study(config: FewshotConfig, card: Card, say: Callable[[str], None] = print) -> list[Row]:
    """Run what is missing of the study; `out/fewshot.json` grows run by run.

    Returns:
        Per method and number of demonstrations `task, method, demonstrations, series, mean_return, score, interval`
        (over the series' rollouts), `runs` and `n`.
    """
    config.check()
    path = Path(config.out) / FILE
    runs: list[Row] = json.loads(path.read_text())["runs"] if path.is_file() else []
    episodes, spec = _pool(config, card)
    reference = reference_for(card, config.data_dir)
    protocol = {"task": card.id, "pool": len(episodes), **{name: getattr(config, name) for name in PROTOCOL}}
    for series in range(config.series):
        order = np.random.default_rng([config.seed, series]).permutation(len(episodes))
        for count in sorted(config.demonstrations):
            chosen = [episodes[i] for i in order[:count]]
            for method in config.methods:
                facts = {"method": method, "demonstrations": count, "series": series, **protocol}
                facts["agent"] = _starts_from(config, method)
                if any(_agrees(run, facts) for run in runs):
                    continue
                agent, moment = _learn(config, card, spec, chosen, method, series)
                returns = _play(config, card, agent, chosen, config.episodes, 0)
                points = [score(value, reference) for value in returns]
                runs.append({**facts, "moment": moment, "returns": returns, "scores": points, "commit": commit()})
                write_json(path, {"machine": machine(), "runs": runs, "rows": rows(runs)})
                told = "no scale" if points[0] is None else f"score {mean(p for p in points if p is not None):.0f}"
                say(f"{card.id}, {method}, {count} demonstrations, series {series}: {told}")
    return rows([run for run in runs if _agrees(run, {**protocol, "agent": _starts_from(config, run["method"])})])


def rows(runs: Sequence[Row]) -> list[Row]:
    """Runs summed up over their draws; those of another protocol stay apart."""
    found = []
    for key in dict.fromkeys(_key(run) for run in runs):
        members = [run for run in runs if _key(run) == key]
        draws = [[value for value in run["scores"] if value is not None] for run in members]
        points = [value for draw in draws for value in draw]
        returns = [value for run in members for value in run["returns"]]
        interval = nested_interval(draws)
        found.append(
            {
                **dict(key), "series": len(members), "n": len(returns), "mean_return": mean(returns),
                "score": round(mean(points), 1) if points else None,
                "interval": [round(value, 1) for value in interval] if interval else None,
                "runs": [round(mean(run["scores"]), 1) for run in members] if points else None,
            }
        )  # fmt: skip
    return found


def _key(run: Row) -> tuple[tuple[str, Any], ...]:
    return tuple((name, run.get(name)) for name in ("task", "method", "demonstrations", *PROTOCOL))


def _starts_from(config: FewshotConfig, method: str) -> str:
    """The agent of a method."""
    return config.without_control if method == "no-control" else config.agent


def _agrees(run: Row, facts: Row) -> bool:
    return all(run.get(name) == value for name, value in facts.items())


def _pool(config: FewshotConfig, card: Card) -> tuple[list[Episode], Spec]:
    """Demonstrations to draw from: by default twice the most that is asked for, so that series differ."""
    most = config.pool or 2 * max(config.demonstrations)
    wanted = FinetuneConfig(task=card.id, demonstrations=most, data_dir=config.data_dir, noise=config.noise)
    episodes, spec = demonstrations(card, wanted)
    return episodes, spec


def _learn(
    config: FewshotConfig, card: Card, spec: Spec, episodes: Sequence[Episode], method: str, series: int
) -> tuple[Any, int]:
    """What a method makes of demonstrations, and after how many updates it was best."""
    base = Agent.load(_starts_from(config, method))
    if method == "nearest":
        return NearestAgent(spec, episodes, base.vocabulary), 0
    if method == "scratch":
        base = Agent.new(base.model.config, base.vocabulary, config.seed + series)
    arrays = arrays_of(episodes, card.id, card.instruction, base.codec(spec))
    train = FinetuneConfig(
        task=card.id, scratch=method == "scratch", steps=config.steps, learning_rate=config.learning_rate,
        seed=config.seed + series, lora=config.lora if method == "lora" else 0, log_seconds=1e9,
    )  # fmt: skip
    prepare(base, arrays, train)
    tuner = lora.adapt(base.model, config.lora) if method == "lora" else None
    trainer = Trainer(base, [arrays], train)
    moments, curve, kept = [], [], []
    for part in [0, *map(len, np.array_split(np.arange(config.steps), config.moments))]:  # the first is the start
        if part:
            trainer.run(stop_after=part)
        moments.append(trainer.step)
        curve.append(mean(_play(config, card, base, episodes, config.along, VALIDATION)))
        kept.append({name: value.clone() for name, value in base.model.state_dict().items()})
    smooth = [mean(curve[max(0, i - SMOOTH // 2) : i + SMOOTH // 2 + 1]) for i in range(len(curve))]
    best = int(np.argmax(smooth))
    base.model.load_state_dict(kept[best])
    if tuner is not None:
        lora.merge(tuner)
    return base, moments[best]


def _play(
    config: FewshotConfig, card: Card, agent: Any, given: Sequence[Episode], episodes: int, seed: int
) -> list[float]:
    """Returns of rollouts on the evaluation's seeds from `seed` on; what a prompt shows is the best of those given."""
    with tempfile.TemporaryDirectory() as folder:
        settings = EvaluateConfig(
            agent="fewshot", tasks=[card.id], episodes=episodes, prompt=config.prompt, seed=config.seed + seed,
            data_dir=config.data_dir, out=folder, plugins=list(config.plugins),
        )  # fmt: skip
        row = evaluate(settings, agent=agent, shown=max(given, key=lambda episode: episode.total_return))[0]
    if row["errors"]:
        raise OpengatoError(f"{card.id}: {row['errors'][0]}")
    return [float(each["return"]) for each in row["episodes"]]
