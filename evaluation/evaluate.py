"""Evaluating an agent: prompt, roll out, score, film, one row per task."""

from __future__ import annotations

import functools
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from opengato.agent.episode import Episode
from opengato.agent.shipped import DEFAULT
from opengato.envs.real.disturb import Disturbance
from opengato.envs.real.disturbed import RATE_HZ, Disturbed
from opengato.envs.real.spread import Spread, read
from opengato.errors import OpengatoError, UnknownNameError
from opengato.evaluation.cider import cider
from opengato.evaluation.intervals import mean_interval
from opengato.evaluation.policies import DemonstratorPolicy, Policy, RandomPolicy
from opengato.evaluation.prompts import PROMPTS, demonstrate, make_prompt
from opengato.evaluation.provenance import commit, machine
from opengato.evaluation.results import STAGES, Row, add_results, digest, known_results, plain_row
from opengato.evaluation.rollout import FIRST_SEED, Outcome, Stage, cases, rollout
from opengato.evaluation.scores import reference_for, score, summarise
from opengato.evaluation.video import Film, join, remove
from opengato.evaluation.workers import WorkerStage
from opengato.tasks import registry
from opengato.tasks.card import Card

BASELINES = ("random", "demonstrator")
BATCH = 32  # environments at a time
CLIPS_JOINED = 8  # episodes of text that may go into one video
TRANSCRIPTS = 8  # episodes of text whose turns are kept in a row


@dataclass(frozen=True)
class EvaluateConfig:
    """What to evaluate.

    Args:
        agent: a shipped agent's name, an agent's folder, "random" or "demonstrator".
        tasks: ids or patterns (`control/*`); none for those that the agent was trained on.
        episodes: per task.
        prompt: demonstration, instruction, both, none, or wrong (another task's).
        video: episodes per task to record.
        seed: added to the evaluation's seeds.
        data_dir: where demonstrations and measured references are kept.
        out: folder of results and videos.
        plugins: Python files that register tasks.
        max_steps: cut episodes here; the references are then measured alike.
        workers: processes that step environments; 0 steps them in this process.
        stage: "before", "after" or "scratch" in a comparison around fine-tuning, else "".
        device: where the agent runs; "auto" takes a CUDA GPU where there is one.
        precision: of the agent's weights: fp32, bf16 or int8.
        disturbance: what goes wrong, e.g. `{latency_ms: 100, mass: [0.5, 2]}`; see `opengato.envs.real.disturb` and
            `spread`.
        robustness: "sheet" plays every task under each of a set of disturbances (`robustness.py`).
    """

    agent: str = DEFAULT
    tasks: list[str] = field(default_factory=list)
    episodes: int = 20
    prompt: str = "demonstration"
    video: int = 0
    seed: int = 0
    data_dir: str = "data"
    out: str = "report"
    plugins: list[str] = field(default_factory=list)
    max_steps: int | None = None
    workers: int = 0
    stage: str = ""
    device: str = "auto"
    precision: str = "fp32"
    disturbance: dict[str, Any] = field(default_factory=dict)
    robustness: str = ""


@dataclass(frozen=True)
class Progress:
    """How far an evaluation is: the task at hand, its place among all, episodes done of how many, steps taken in the
    task.
    """

    task: str
    index: int
    tasks: int
    done: int
    episodes: int
    steps: int


@dataclass(frozen=True)
class MakeTask:
    """Makes a task's environment, in whatever process it is called.

    Args:
        task: id.
        plugins: files to load first.
        draw: ask for pictures for videos where the factory does not give them anyway.
        disturbance: what goes wrong; None for nothing.
    """

    task: str
    plugins: tuple[str, ...] = ()
    draw: bool = False
    disturbance: Disturbance | Spread | None = None

    def __call__(self) -> Any:
        registry.load_plugins(self.plugins)
        card = registry.get(self.task)
        env = card.make(evaluation=True)
        if self.draw and env.render_mode != "rgb_array" and "rgb_array" in env.metadata.get("render_modes", ()):
            env.close()
            env = card.make(evaluation=True, render_mode="rgb_array")
        return env if self.disturbance is None else Disturbed(env, self.disturbance, card.rate_hz or RATE_HZ)


def evaluate(
    config: EvaluateConfig,
    progress: Callable[[Progress], None] | None = None,
    agent: Any = None,
    others: Sequence[Card] = (),
    shown: Episode | None = None,
) -> list[Row]:
    """Evaluate an agent on tasks; rows are also added to `out/results.json`.

    Args:
        config: what to evaluate.
        progress: called after every batch step.
        agent: a loaded agent to use in place of `config.agent`, which then only names it.
        others: tasks whose demonstrations the prompt "wrong" may show, before those of the evaluation.
        shown: the demonstration that prompts show, in place of one that is looked for.

    Returns:
        One row per task: `task, family, split, agent, stage, prompt, prompt_text, n, mean_return, return_interval,
        score, interval, success, success_interval, random, expert, published, steps, seconds, errors, episodes,
        videos, precision, commit, machine`, and for text tasks `transcripts`, `perplexity` and `cider` where they
        apply. `interval` is the score's; figures that do not exist are None.

    Raises:
        OpengatoError: an unknown task, prompt, stage or agent, a missing extra, or a number out of range; nothing is
            written then.
    """
    config, cards, agent = prepare(config, agent)
    rows = []
    for index, card in enumerate(cards):
        report = None
        if progress is not None:
            report = functools.partial(_report, progress, card.id, index, len(cards), config.episodes)
            report(0, 0)
        rows.append(_evaluate_task(config, card, [*others, *cards], agent, report, shown))
        add_results(config.out, [rows[-1]], settings(config))
    return rows


def prepare(config: EvaluateConfig, agent: Any) -> tuple[EvaluateConfig, list[Card], Any]:
    """The configuration with its tasks named, their cards, and the loaded agent. Raises as `evaluate` does, before
    anything is made."""
    if not config.tasks and config.agent not in BASELINES:
        agent = agent if agent is not None else load_agent(config.agent, config.device, config.precision)
        config = replace(config, tasks=list(agent.card.get("tasks", [])))
    cards = _check(config)
    known_results(config.out)  # a damaged file is refused before the work, not after it
    return config, cards, agent if agent is not None else load_agent(config.agent, config.device, config.precision)


def _check(config: EvaluateConfig) -> list[Card]:
    """The cards; refuses what cannot work before anything is made."""
    registry.load_plugins(config.plugins)
    if not config.tasks:
        raise OpengatoError("no tasks given. Next: tasks=[control/walker-walk], or opengato list")
    if config.prompt not in PROMPTS:
        raise UnknownNameError("prompt", config.prompt, PROMPTS, "Next: prompt=demonstration")
    if config.stage not in ("", *STAGES):
        raise UnknownNameError("stage", config.stage, STAGES, "Next: leave it out")
    for name in ("video", "workers"):
        if getattr(config, name) < 0:
            raise OpengatoError(f"{name} must be 0 or more, got {getattr(config, name)}. Next: {name}=0")
    if config.max_steps is not None and config.max_steps < 1:
        raise OpengatoError(f"max_steps must be at least 1, got {config.max_steps}. Next: leave it out")
    read(config.disturbance)
    cases(config.episodes, config.seed)
    cards = registry.find(config.tasks)
    for card in cards:
        if not card.available:
            card.make()  # raises with the command that brings what is missing
        if config.agent == "demonstrator" and card.ahead > 1:
            raise OpengatoError(f"a demonstrator acts step by step. Next: tasks=[{card.origin}]")
        if config.agent == "demonstrator" and card.demonstrator is None:
            raise OpengatoError(f"{card.id} has no demonstrator. Next: leave it out, or agent=random")
    return cards


def load_agent(name: str, device: str, precision: str) -> Any:
    if name in BASELINES:
        return name
    from opengato.agent import Agent
    from opengato.agent.device import pick_device

    return Agent.load(name, pick_device(device), precision)


def _evaluate_task(
    config: EvaluateConfig, card: Card, others: Sequence[Card], agent: Any,
    report: Callable[[int, int], None] | None, shown: Episode | None,
) -> Row:  # fmt: skip
    started = time.perf_counter()
    baseline = agent in BASELINES if isinstance(agent, str) else False
    prompt, words = (None, "nothing")
    if not baseline:
        prompt, words = make_prompt(config.prompt, card, config.data_dir, others, config.max_steps, shown)
    stage = _make_stage(config, card)
    with stage:
        policy, spec = _make_policy(config, card, stage, agent, prompt)
        outcomes = rollout(stage, policy, report)
    seconds = time.perf_counter() - started
    row = _make_row(config, card, outcomes, "none" if baseline else config.prompt, words)
    row["seconds"] = round(seconds, 2)
    if not baseline and {"chat", "perplexity"} & set(card.tags):
        seeds = range(FIRST_SEED + config.seed, FIRST_SEED + config.seed + config.episodes)
        row["perplexity"] = float(agent.perplexity(spec, list(demonstrate(card, seeds, evaluation=True))))
    return row


def _speaks(space: Any) -> bool:
    """Whether acting means writing."""
    from gymnasium import spaces

    parts = list(space.spaces.values()) if isinstance(space, spaces.Dict) else getattr(space, "spaces", [space])
    return any(isinstance(part, spaces.Text) or (part is not space and _speaks(part)) for part in parts)


def _make_stage(config: EvaluateConfig, card: Card) -> Stage | WorkerStage:
    disturbance = read(config.disturbance)
    make = MakeTask(card.id, tuple(map(str, config.plugins)), config.video > 0, disturbance)
    probe = make()
    text = _speaks(probe.action_space)
    probe.close()
    film = None
    if config.video:
        prompt = "" if config.agent in BASELINES else config.prompt
        # Every trained agent's folder is called "agent", so what tells rows apart is in the name, too.
        kind = digest(_facts(config, card, prompt or "none"))
        name = (card.id, Path(config.agent).name, prompt, config.stage, kind)
        stem = re.sub(r"[^\w.]+", "-", "-".join(filter(None, name)))
        count = config.video * CLIPS_JOINED if text else config.video
        film = Film(Path(config.out) / "videos", stem, card.id, count, text)
    played = cases(config.episodes, config.seed)
    if config.workers and config.agent != "demonstrator":
        return WorkerStage(make, played, config.workers, BATCH, config.max_steps, film, card.id)
    return Stage(make, played, BATCH, config.max_steps, film, card.id)


def _make_policy(
    config: EvaluateConfig, card: Card, stage: Stage | WorkerStage, agent: Any, prompt: Any
) -> tuple[Policy, Any]:
    """The policy for a stage, and the spec it acts with (None for baselines)."""
    if agent == "demonstrator":
        assert isinstance(stage, Stage)
        return DemonstratorPolicy(stage.envs, card.make_demonstrator), None
    env = stage.envs[0] if isinstance(stage, Stage) else card.make(evaluation=True)
    rows = len(stage.envs) if isinstance(stage, Stage) else sum(stage.shares)
    try:
        if agent == "random":
            return RandomPolicy(env.action_space, rows, config.seed), None
        from opengato.agent.spec import Spec

        spec = Spec.from_env(env)
        return agent.policy(spec, prompt=prompt, batch_size=rows, seed=config.seed), spec
    finally:
        if not isinstance(stage, Stage):
            env.close()


def _facts(config: EvaluateConfig, card: Card, prompt: str) -> Row:
    """What a row is of."""
    row: Row = {"task": card.id, "family": card.family, "split": card.split, "tags": list(card.tags)}
    row |= {"instruction": card.instruction, "agent": config.agent, "stage": config.stage, "prompt": prompt}
    row |= {"seed": config.seed, "max_steps": config.max_steps, "precision": config.precision}
    return row | {"disturbance": dict(config.disturbance), "commit": commit(), "machine": machine()}


def _make_row(config: EvaluateConfig, card: Card, outcomes: list[Outcome], prompt: str, words: str) -> Row:
    kept = [outcome for outcome in outcomes if outcome.error is None]
    reference = reference_for(card, config.data_dir, config.max_steps)
    found = summarise([outcome.total_return for outcome in kept], [outcome.success for outcome in kept])
    scores = [score(outcome.total_return, reference) for outcome in kept]
    told = [value for value in scores if value is not None]
    interval = found["interval"] and tuple(score(end, reference) for end in found["interval"])
    row = {**_facts(config, card, prompt), "prompt_text": words, "n": found["n"]}
    if config.disturbance:  # where the report says what the agent was told, it must say this too
        row["prompt_text"] += f"; disturbed: {json.dumps(config.disturbance)}"
    row |= {"mean_return": found["mean"], "return_interval": found["interval"]}
    row |= {"score": score(found["mean"], reference), "interval": interval if told else None}
    row |= {"success": found["success"], "success_interval": found["success_interval"]}
    row |= {name: ((reference or {}).get(name) or {}).get("mean") for name in ("random", "expert")}
    row |= {"published": dict(card.published) if card.published else None}
    row |= {"published_score": _published_score(card, reference) if config.max_steps is None else None}
    row |= {"steps": sum(outcome.length for outcome in outcomes)}
    row |= {"errors": [f"seed {o.seed}, step {o.length}: {o.error}" for o in outcomes if o.error is not None]}
    episodes = zip(kept, scores, strict=True)
    row["episodes"] = [
        {"seed": o.seed, "return": o.total_return, "length": o.length, "success": o.success, "score": value}
        for o, value in episodes
    ]
    clips = _join_short([outcome.clip for outcome in kept if outcome.clip is not None], config.video)
    row["videos"] = [{**clip, **{key: _inside(config.out, clip[key]) for key in ("path", "poster")}} for clip in clips]
    talked = [outcome for outcome in kept if outcome.turns]
    if talked:
        row["transcripts"] = [[turn.as_dict() for turn in outcome.turns] for outcome in talked[:TRANSCRIPTS]]
        exact = [sum(turn.right for turn in outcome.turns) / len(outcome.turns) for outcome in talked]
        row["exact"], row["exact_interval"] = (
            sum(exact) / len(exact),
            mean_interval(exact, binary=set(exact) <= {0.0, 1.0}),
        )
        if "caption" in card.tags or any(turn.references for outcome in talked for turn in outcome.turns):
            row["cider"] = cider([turn for outcome in talked for turn in outcome.turns])
    if "chat" in card.tags:  # to say the very words that a person said is no criterion
        row |= {"success": None, "success_interval": None, "exact": None, "exact_interval": None}
    return plain_row(row)


def _published_score(card: Card, reference: Any) -> float | None:
    """The published expert on our scale, in score points; None where it was measured over shorter episodes."""
    known = card.published or {}
    return None if known.get("steps") else score(known.get("expert"), reference)


def _join_short(clips: list[dict[str, Any]], wanted: int) -> list[dict[str, Any]]:
    """As many clips as were asked for: where there are more (text), neighbours are joined up to about 15 seconds."""
    if len(clips) <= wanted:
        return clips
    groups: list[list[dict[str, Any]]] = [[]]
    for clip in clips:
        if groups[-1] and sum(one["seconds"] for one in groups[-1]) + clip["seconds"] > 15.0:
            groups.append([])
        groups[-1].append(clip)
    for clip in (clip for group in groups[wanted:] for clip in group):
        remove(clip)
    return [join(group) for group in groups[:wanted]]


def _inside(out: str, path: str) -> str:
    """A path relative to the output folder, so that the folder can be moved."""
    return Path(path).relative_to(out).as_posix()


def _report(
    progress: Callable[[Progress], None], task: str, index: int, tasks: int, episodes: int, done: int, steps: int
) -> None:
    progress(Progress(task, index, tasks, done, episodes, steps))


def settings(config: EvaluateConfig) -> dict[str, Any]:
    """The configuration as JSON values, for the report."""
    return asdict(config)
