"""`opengato train`: from collected demonstrations to an agent's folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from opengato.agent.agent import Agent
from opengato.agent.config import ModelConfig, preset
from opengato.agent.text import Vocabulary
from opengato.errors import OpengatoError
from opengato.tasks.card import Card
from opengato.training import distributed
from opengato.training.arrays import TaskArrays, open_arrays
from opengato.training.by_score import weights_by_score
from opengato.training.episodes import EpisodeStore
from opengato.training.mixture import pattern_of
from opengato.training.trainer import Trainer, TrainerConfig, native_bf16

SIZES = ("blocks", "heads", "width", "feedforward", "head_dim", "window")  # what the name of a model stands for
DROWNED = 30.0  # standard deviations from where on a bin is wider than one of them
# What an agent's card says of that agent alone, so that one trained from it doesn't bear its name, story and scores.
OF_ITS_PARENT = (
    "name", "command", "machine", "demonstrations", "hours_of_stages", "remark", "init_share", "scores",
    "mean_score_of_trained_tasks", "evaluation",
)  # fmt: skip


@dataclass(frozen=True)
class TrainConfig(TrainerConfig):
    """Pretraining.

    Args:
        tasks: ids and patterns; held-out tasks are left out always, and of a pattern those without demonstrations.
        data_dir: where `opengato collect` put the demonstrations.
        elsewhere: patterns of tasks whose demonstrations lie in another folder, `{arm/*: data-disturbed}`; the last
            that fits wins.
        shown: patterns of tasks whose demonstrations as prompts lie in another folder, `{arm/*: data-shown}`: where
            what is learnt from was disturbed, a prompt may still be as clean as the one that an agent will get.
        out: folder of the run; the agent ends up in `out/agent`.
        model: preset; `shape` changes single fields of it.
        init: an agent to start from instead of random weights. It brings its shape and vocabulary along: what `shape`,
            `vocabulary` and another `model` than the default say must fit those.
        init_share: how much of `init`'s weights is in the agent at the end, which is the average of both (`average`).
        lift: how much more a task gets of its pattern's share where `init` has a low score (`by_score.py`).
        vocabulary: path of a vocabulary; the shipped one by default.
        plugins: files of the user that register tasks.
        threads: of PyTorch; 0 leaves its own choice.
        skip_damaged: leave out episodes that are damaged, rather than stop.
    """

    tasks: list[str] = field(default_factory=lambda: ["*"])
    data_dir: str = "data"
    elsewhere: dict[str, str] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    out: str = "runs/train"
    model: str = "nano"
    shape: dict[str, Any] = field(default_factory=dict)
    init: str | None = None
    init_share: float = 0.0
    lift: float = 0.0
    vocabulary: str | None = None
    plugins: list[str] = field(default_factory=list)
    threads: int = 0
    skip_damaged: bool = False

    def folder_of(self, task: str) -> str:
        """Where the demonstrations of a task lie."""
        like = pattern_of(self.elsewhere, task)
        return self.data_dir if like is None else self.elsewhere[like]

    def shown_of(self, task: str) -> str | None:
        """Where the demonstrations lie that prompts of a task are drawn from; None where those do that are learnt."""
        like = pattern_of(self.shown, task)
        return None if like is None else self.shown[like]


def train(config: TrainConfig, cards: Sequence[Card]) -> Path:
    """Train an agent; goes on from the newest checkpoint of `out`.

    Args:
        config: settings.
        cards: the tasks that the patterns name.

    Returns:
        The agent's folder.

    Raises:
        OpengatoError: every task is held out, demonstrations are missing, a setting is illegal or does not fit `init`,
            or `init_share` has nothing to share.
    """
    config.check()
    if not 0 <= config.init_share < 1:
        raise OpengatoError(f"init_share is {config.init_share}; legal: 0 (all that was learnt) to below 1.")
    if config.init_share and not config.init:
        raise OpengatoError(f"init_share is {config.init_share}, but init names no agent. Next: init=FOLDER.")
    if config.threads:
        torch.set_num_threads(config.threads)
    cards = [card for card in cards if card.split == "train"]
    if not cards:
        raise OpengatoError("every task named is held out, so none may be trained on. Next: opengato finetune task=…")
    with distributed.session():
        return _train(config, cards)


def _train(config: TrainConfig, cards: Sequence[Card]) -> Path:
    agent = _start(config)
    first = distributed.place()[0] == 0
    if not first:  # the first process turns episodes into arrays, the others find them
        distributed.wait()
    tasks = [open_task(card, config.folder_of(card.id), agent.vocabulary, config.skip_damaged) for card in cards]
    for card, task in zip(cards, tasks, strict=True):
        if shown := config.shown_of(card.id):
            task.shown = open_task(card, shown, agent.vocabulary, config.skip_damaged)
    if first:
        distributed.wait()
    learn_statistics(agent, tasks)
    out = Path(config.out)
    if config.lift:
        scores = agent.card.get("scores", {})
        weights = weights_by_score([task.task for task in tasks], config.weights, scores, config.lift)
        config = replace(config, weights=weights)
    trainer = Trainer(agent, tasks, config, out, {"model": config.model, "shape": config.shape, "init": config.init})
    resumed = trainer.resume()
    if first:
        announce(agent, tasks, trainer, resumed)
    trainer.run()
    agent = trainer.trained()
    if config.init and config.init_share:
        average(agent, Agent.load(config.init), config.init_share)
    for of_its_parent in OF_ITS_PARENT:
        agent.card.pop(of_its_parent, None)
    if config.init:
        agent.card["init"] = config.init
    if config.init_share:
        agent.card["init_share"] = config.init_share
    agent.card.update(
        tasks=[task.task for task in tasks], steps=trainer.step, seed=config.seed,
        hours=round(trainer.seconds / 3600, 3), episodes={task.task: len(task) for task in tasks},
        parameters=agent.model.num_parameters, torch=torch.__version__,
    )  # fmt: skip
    return agent.save(out / "agent") if first else out / "agent"


def _start(config: TrainConfig) -> Agent:
    unknown = sorted(set(config.shape) - set(ModelConfig.__dataclass_fields__))
    if unknown:
        raise OpengatoError(f"shape has unknown fields {unknown}; known: {sorted(ModelConfig.__dataclass_fields__)}.")
    shape = replace(preset(config.model), **config.shape)
    vocabulary = Vocabulary.load(config.vocabulary)
    if not config.init:
        return Agent.new(shape, vocabulary, config.seed)
    agent = Agent.load(config.init)
    for name in sorted({*config.shape, *(SIZES if config.model != TrainConfig.model else ())}):
        if (own := getattr(agent.model.config, name)) != getattr(shape, name):
            raise OpengatoError(
                f"init={config.init} has {name}={own}, and model and shape say {getattr(shape, name)}. "
                "Next: leave model and shape out, for an agent keeps its shape; or leave init out."
            )
    if config.vocabulary and vocabulary.digest != agent.vocabulary.digest:
        raise OpengatoError(
            f"init={config.init} has another vocabulary than {config.vocabulary!r}. Next: leave one of them out."
        )
    return agent


@torch.no_grad()
def average(agent: Agent, start: Agent, share: float) -> None:
    """Average an agent's weights with those that it was trained from.

    On the way between the two an agent is often better than either: what was forgotten comes back, and much of what was
    learnt stays (WiSE-FT, Wortsman et al. 2022).

    Args:
        agent: changed in place.
        start: of the same shape.
        share: of `start` in each weight, 0 to 1.
    """
    before = start.model.state_dict()
    for name, weight in agent.model.state_dict().items():
        if weight.is_floating_point():
            mean = weight.double().lerp(before[name].to(weight.device).double(), share)
            weight.copy_(mean)


def open_task(card: Card, data_dir: str, vocabulary: Vocabulary, skip_damaged: bool = False) -> TaskArrays:
    """The demonstrations of a task as arrays. Raises OpengatoError when they were not collected."""
    store = EpisodeStore.open(data_dir, card.id)
    return open_arrays(store, card.id, card.instruction, vocabulary, skip_damaged)


def learn_statistics(agent: Agent, tasks: Sequence[TaskArrays]) -> None:
    """Take the statistics of embodiments that the agent does not know yet, over all tasks that share one.

    Those it knows stay, since its weights were fitted to them, unless the new demonstrations lie so far outside that
    they would drown in the last bins: then they are learnt anew.
    """
    groups: dict[str, list[TaskArrays]] = {}
    for task in tasks:
        groups.setdefault(task.spec.signature, []).append(task)
    for signature, members in groups.items():
        known = agent.statistics.get(signature)
        if known is None or any(outside(member, *known, DROWNED) for member in members):
            means, stds = zip(*(member.statistics() for member in members), strict=True)
            mean = np.mean(means, axis=0)
            spread = np.sqrt(np.mean(np.square(stds) + np.square(np.asarray(means) - mean), axis=0))
            agent.statistics[signature] = (mean.astype(np.float32), np.maximum(spread, 1e-3).astype(np.float32))
        agent.specs[signature] = members[0].spec.describe()
        for member in members:
            member.codec = agent.codec(member.spec)


def outside(task: TaskArrays, mean: np.ndarray, std: np.ndarray, far: float) -> bool:
    """Whether one of twenty values of some number lies more than `far` standard deviations from its mean."""
    values = np.asarray(task.steps.values[:: max(1, len(task.steps.values) // 10_000)])
    discrete = task.codec.observation_scale.discrete
    beyond = np.abs(values - mean)[:, ~discrete] > far * std[~discrete]
    return bool(beyond.size and beyond.mean(0).max() > 0.05)


def announce(agent: Agent, tasks: Sequence[TaskArrays], trainer: Trainer, resumed: bool) -> None:
    """Say what is about to happen, on which device and why."""
    steps = sum(int(task.starts[-1]) for task in tasks)
    kind = "bf16" if trainer.bf16 else "float32"
    why = "multiplied natively" if native_bf16(trainer.device) else "this processor has no native bf16"
    print(
        f"{agent.model.num_parameters / 1e6:.1f} M parameters, {len(tasks)} tasks, {steps} timesteps "
        f"of demonstrations; "
        f"device {trainer.device}, {kind} ({why}), {torch.get_num_threads()} threads"
        + (f", {trainer.world} processes" if trainer.world > 1 else "")
        + (f"; resumed at step {trainer.step}" if resumed else ""),
        flush=True,
    )
    for task, number in trainer.mixture.too_long.items():
        print(f"{task}: {number} timesteps are longer than the model's window, and never drawn", flush=True)
