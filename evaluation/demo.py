"""`opengato demo`: the shipped agent plays a task of every family, learns a held-out one, and a report shows it."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from opengato.agent.shipped import DEFAULT
from opengato.evaluation.evaluate import EvaluateConfig, evaluate, prepare
from opengato.evaluation.listing import print_rows, progress_line
from opengato.evaluation.report import write_report
from opengato.evaluation.results import Row
from opengato.tasks import registry
from opengato.training.finetune import FinetuneConfig, finetune


@dataclass(frozen=True)
class DemoConfig:
    """The demo.

    Args:
        agent: who plays.
        tasks: one of every family.
        task: held-out task to learn.
        episodes: per task; `finetune_episodes` before and after learning.
        demonstrations: to learn from.
        max_steps: cut of long episodes, so that the demo stays short; scores are then relative to references cut alike.
        out: folder of the report.
        data_dir: where demonstrations and references are kept.
        seed: of everything.
        open: show the report in a browser where there is one.
    """

    agent: str = DEFAULT
    tasks: list[str] = field(
        default_factory=lambda: [
            "gridworld/go-to-local",
            "arm/lift-red",
            "control/walker-walk",
            "bullet/panda-push",
            "metaworld/door-open",
            "atari/freeway",
            "caption/scene",
            "dialogue/scene",
        ]  # fmt: skip
    )
    task: str = "arm/stack-blue-on-green"
    episodes: int = 4
    finetune_episodes: int = 10
    demonstrations: int = 10
    max_steps: int | None = None
    out: str = "report"
    data_dir: str = "data"
    seed: int = 0
    open: bool = True


def demo(config: DemoConfig) -> Path:
    """Run the demo; a task whose simulator is missing is named and left out.

    Returns:
        The report. It shows the demo's rows alone; `out/results.json` keeps what other evaluations found.

    Raises:
        OpengatoError: as `evaluate` does, before anything is played or written.
    """
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {text}", flush=True)

    out = Path(config.out)
    cards = [registry.get(task) for task in config.tasks]
    for card in cards:
        if not card.available:
            say(f"left out: {card.id} ({card.install_step})")
    playing = [card.id for card in cards if card.available]
    before = _settings(config, [config.task], config.finetune_episodes, "before", config.agent)
    _, _, agent = prepare(before, None)
    if playing:
        prepare(_settings(config, playing, config.episodes, "", config.agent), agent)
    say(
        f"{config.agent}: one set of weights, {agent.model.num_parameters / 1e6:.1f} M parameters, "
        f"{len(playing)} families"
    )
    rows: list[Row] = []
    for task in playing:
        rows += _play(_settings(config, [task], config.episodes, "", config.agent), say)
    say(f"learning {config.task}, which the agent has never seen, from {config.demonstrations} demonstrations")
    rows += _play(before, say)
    tuned = finetune(
        FinetuneConfig(
            task=config.task, agent=config.agent, demonstrations=config.demonstrations, data_dir=config.data_dir,
            out=_fresh(out / "finetune"), seed=config.seed,
        ),
        registry.get(config.task),
    )  # fmt: skip
    rows += _play(_settings(config, [config.task], config.finetune_episodes, "after", str(tuned)), say)
    path = write_report(rows, out, "opengato", dataclasses.asdict(config))
    say(f"report: {path.resolve()}")
    if config.open and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin"):
        webbrowser.open(path.resolve().as_uri())
    return path


def _settings(config: DemoConfig, tasks: Sequence[str], episodes: int, stage: str, agent: str) -> EvaluateConfig:
    return EvaluateConfig(
        agent=agent, tasks=list(tasks), episodes=episodes, video=1, seed=config.seed, data_dir=config.data_dir,
        out=config.out, max_steps=config.max_steps, stage=stage,
    )  # fmt: skip


def _play(settings: EvaluateConfig, say: Callable[[str], None]) -> list[Row]:
    rows = evaluate(settings, progress_line())
    say(f"played {', '.join(settings.tasks)} {settings.stage}".rstrip())
    print_rows(rows)
    return rows


def _fresh(folder: Path) -> str:
    """A fine-tuning run of its own every time: the demo shows learning, it does not go on from an earlier demo's."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
    return str(folder)
