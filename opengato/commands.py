"""What each command does with its settings: calls one function of a floor below and prints its result."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opengato.agent.shipped import DEFAULT
from opengato.errors import OpengatoError
from opengato.tasks import registry


def collect(config: Any, as_json: bool) -> Any:
    """Record demonstrations."""
    from opengato.training.collect import collect as run

    summaries = run(config)
    if as_json:
        return summaries
    for row in summaries:
        print(
            f"{row['task']}: {row['episodes']} episodes, {row['steps']} timesteps, "
            f"mean return {row['mean_return']:.4g} → {row['path']}"
        )
    return None


def verify(config: Any, as_json: bool) -> Any:
    """Look for damaged episodes; an error if there are any, after all are told."""
    from opengato.training.verify import verify as run

    rows = run(config)
    damaged = sum(len(row["damaged"]) for row in rows)
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
    else:
        for row in rows:
            unsigned = f", {row['unsigned']} without a checksum" if row["unsigned"] else ""
            print(f"{row['task']}: {row['episodes']} episodes, {row['steps']} timesteps{unsigned}")
            for entry in row["damaged"]:
                print(f"  {entry['why']}")
    if damaged:
        raise OpengatoError(f"{damaged} damaged. Next: collect those datasets again, or train with skip_damaged=true.")
    return None


def import_(config: Any, as_json: bool) -> Any:
    """Bring a dataset in."""
    from opengato.training.exchange import import_ as run

    return _made("dataset", run(config), as_json)


def export(config: Any, as_json: bool) -> Any:
    """Give a dataset away."""
    from opengato.training.exchange import export as run

    return _made("dataset", run(config), as_json)


def train(config: Any, as_json: bool) -> Any:
    """Pretrain an agent."""
    from opengato.training.train import train as run

    registry.load_plugins(config.plugins)
    cards = [card for card in registry.find(config.tasks) if card.id in config.tasks or _collected(config, card)]
    if not cards:
        raise OpengatoError(f"no demonstrations of {list(config.tasks)} in {config.data_dir}. Next: opengato collect")
    _keep_config(config)
    return _made("agent", run(config, cards), as_json)


def _collected(config: Any, card: Any) -> bool:
    from opengato.training.episodes import dataset_path

    return dataset_path(config.folder_of(card.id), card.origin).is_dir()


def finetune(config: Any, as_json: bool) -> Any:
    """Fine-tune an agent."""
    from opengato.training.finetune import finetune as run

    if not config.task:
        raise OpengatoError("which task? Next: opengato finetune task=control/cartpole-swingup")
    registry.load_plugins(config.plugins)
    card = registry.get(config.task)
    _keep_config(config)
    if as_json:  # progress goes elsewhere, so that standard output is JSON alone
        import contextlib

        with contextlib.redirect_stdout(sys.stderr):
            folder = run(config, card)
    else:
        folder = run(config, card)
    return _made("agent", folder, as_json)


def evaluate(config: Any, as_json: bool) -> Any:
    """Score an agent."""
    from opengato.evaluation.evaluate import evaluate as run
    from opengato.evaluation.listing import print_rows, progress_line
    from opengato.evaluation.results import plain_row

    registry.load_plugins(config.plugins)
    if config.robustness:
        return _sheet(config, as_json)
    rows = run(config, progress_line())
    if as_json:
        return [plain_row(row) for row in rows]
    print_rows(rows)
    if config.video:
        report(ReportConfig(out=config.out), False)
    return None


def _sheet(config: Any, as_json: bool) -> Any:
    """Score an agent under disturbances."""
    from opengato.evaluation.listing import progress_line
    from opengato.evaluation.robustness import sheet

    rows = sheet(config, progress_line())
    if as_json:
        return rows
    for row in rows:
        told = "no scale" if row["score"] is None else f"score {row['score']:.0f}"
        print(f"{row['task']:<30} {row['kind']:<9} {row['level']:<6g} {told}")
    print(Path(config.out) / "report.html")
    return None


@dataclass(frozen=True)
class ReportConfig:
    """The report.

    Args:
        out: folder that holds results.json.
        title: heading of the page.
    """

    out: str = "report"
    title: str = "opengato: evaluation"


def report(config: ReportConfig, as_json: bool) -> Any:
    """Make report.html."""
    from opengato.evaluation.report import write_report
    from opengato.evaluation.results import read_results

    return _made("report", write_report(read_results(config.out), config.out, config.title), as_json)


def demo(config: Any, as_json: bool) -> Any:
    """Run the demo."""
    from opengato.evaluation.demo import demo as run

    path = run(config)
    return {"report": str(path)} if as_json else None


@dataclass(frozen=True)
class CaptionConfig:
    """Captioning.

    Args:
        image: path of a picture.
        agent: who describes it.
        task: caption/scene or caption/icons; which kind of description.
    """

    image: str
    agent: str = DEFAULT
    task: str = "caption/scene"


def caption(config: CaptionConfig, as_json: bool) -> Any:
    """Describe a picture."""
    from opengato.evaluation.talk import describe

    text = describe(config.agent, config.image, registry.get(config.task))
    if as_json:
        return {"image": config.image, "caption": text}
    print(text)
    return None


@dataclass(frozen=True)
class ChatConfig:
    """Talking.

    Args:
        agent: with whom.
        image: a picture to talk about; without one it is small talk.
        temperature: 0 takes the likeliest word each time.
        seed: of the sampling.
    """

    agent: str = DEFAULT
    image: str | None = None
    temperature: float = 0.7
    seed: int = 0


def chat(config: ChatConfig, as_json: bool) -> Any:
    """Talk; a line in, a line out, until the input ends."""
    from opengato.evaluation.talk import Conversation

    task = registry.get("dialogue/scene" if config.image else "dialogue/smalltalk")
    talk = Conversation(config.agent, task, config.image, config.temperature, config.seed)
    if sys.stdin.isatty():
        print("Say something; an empty line ends the chat.")
    while True:
        try:
            said = input("> " if sys.stdin.isatty() else "").strip()
        except EOFError:
            return None
        if not said:
            return None
        answer = talk.reply(said)
        print(json.dumps({"you": said, "agent": answer}, ensure_ascii=False) if as_json else answer, flush=True)


@dataclass(frozen=True)
class DoctorConfig:
    """Diagnosis.

    Args:
        plugins: files of the user that register tasks.
    """

    plugins: list[str] = field(default_factory=list)


def doctor(config: DoctorConfig, as_json: bool) -> Any:
    """Try every renderer and family."""
    from opengato.evaluation.doctor import doctor as run

    findings = run(config.plugins, show=not as_json)
    return findings if as_json else None


def expert(config: Any, as_json: bool) -> Any:
    """Train a small expert policy."""
    from opengato.training.experts import train as run

    result = run(config)
    return result if as_json else None


@dataclass(frozen=True)
class ReferencesConfig:
    """Measuring references.

    Args:
        tasks: patterns of task ids.
        episodes: of random and of the demonstrator.
        within: the demonstrator plays fewer where its 95 % interval is already narrower than this percentage of its
            lead over chance; 0 plays them all.
        out: file to add to.
        again: measure what is there as well.
        max_steps: cut episodes here.
        env: arguments of the environments; `env={cameras: false}` leaves out the arm's pictures, at which neither
            chance nor the script looks.
        plugins: files of the user that register tasks.
    """

    tasks: list[str] = field(default_factory=lambda: ["*"])
    episodes: int = 50
    within: float = 0.0
    out: str = "assets/scores.json"
    again: bool = False
    max_steps: int | None = None
    env: dict[str, Any] = field(default_factory=dict)
    plugins: list[str] = field(default_factory=list)


def references(config: ReferencesConfig, as_json: bool) -> Any:
    """Measure random and demonstrator scores."""
    from opengato.evaluation.scores import measure_references

    registry.load_plugins(config.plugins)

    def tell(task: str, entry: Any) -> None:
        print(f"{task}: {json.dumps(entry, default=str)[:300]}", file=sys.stderr, flush=True)

    path = measure_references(
        registry.find(config.tasks), config.episodes, config.out, config.again, config.max_steps, config.env, tell,
        config.within,
    )  # fmt: skip
    return {"scores": str(path)} if as_json else None


def scorecard(config: Any, as_json: bool) -> Any:
    """Write an agent's scores into its card."""
    from opengato.evaluation.scorecard import publish

    return _made("card", publish(config), as_json)


def vocabulary(config: Any, as_json: bool) -> Any:
    """Learn a vocabulary from the texts of demonstrations."""
    from opengato.training.vocabulary import learn

    registry.load_plugins(config.plugins)
    path = learn(config, registry.find(config.tasks))
    return {"vocabulary": str(path)} if as_json else None


def _keep_config(config: Any) -> None:
    """Write the resolved settings beside what the command makes."""
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(dataclasses.asdict(config), indent=1, default=str))


def _made(what: str, path: Path, as_json: bool) -> Any:
    """Say what a command has made, and where."""
    if as_json:
        return {what: str(path)}
    print(f"{what}: {path}")
    return None
