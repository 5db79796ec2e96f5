"""`opengato finetune`: a few demonstrations of one task, a few minutes, a new agent."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from opengato.agent.agent import Agent
from opengato.agent.config import ModelConfig
from opengato.agent.episode import Episode
from opengato.agent.shipped import DEFAULT
from opengato.agent.spec import Spec
from opengato.envs.ahead import look_every
from opengato.errors import OpengatoError
from opengato.tasks import registry
from opengato.tasks.card import Card
from opengato.training import lora
from opengato.training.arrays import arrays_of
from opengato.training.collect import CollectConfig, collect
from opengato.training.collection import Collection
from opengato.training.dataset_folder import dataset_path, restore_interrupted
from opengato.training.demonstrations import run_episode
from opengato.training.episodes import EpisodeStore, write_episodes
from opengato.training.held_back import HeldBack
from opengato.training.mixture import MixtureConfig
from opengato.training.prepare import SAYS, prepare
from opengato.training.provenance import provenance
from opengato.training.staging import simulator_versions
from opengato.training.train import OF_ITS_PARENT, announce
from opengato.training.trainer import Trainer, TrainerConfig

# Of a dataset's settings, what `opengato collect` must be told to make more of the same.
HOW = ("seed", "noise", "noise_fraction", "detours", "keep", "max_steps", "disturbance")


@dataclass(frozen=True)
class FinetuneConfig(TrainerConfig):
    """Fine-tuning.

    Args:
        task: what to learn.
        agent: where to start; a shipped agent's name, or the folder of one.
        scratch: start from random weights of the agent's own shape.
        demonstrations: how many episodes to learn from; where `data_dir` holds fewer, the others are collected.
        held_back: share of them that is not trained on but tells, by its loss, whether the end is worse than the start;
            then the best moment is taken, its start among them, and where it stays worse the run ends early. Below five
            demonstrations none is held back.
        recolour: start with eyes that take one colour for another where the demonstrations are clearer that way
            (`recolour.py`).
        target_smoothing: standard deviation, in bins, of what an agent that knows nothing of the task aims at, where
            actions are continuous (`prepare.py`); one that knows something of it keeps its own.
        read_anew: start with new vectors of numbers, and from random weights, where the agent knows nothing of the task
            and never met the body, which has no camera, or not like this (`prepare.py`).
        lora: rank of adapters beside the blocks' matrices (`lora.py`); 0 trains every weight.
        noise: disturbance of the demonstrations' execution when all are collected here (see `CollectConfig`); to those
            that are there more are added in the way that they were collected.
        data_dir: where demonstrations lie, and where those collected here are put.
        out: folder of the run; the agent ends up in `out/agent`.
        plugins: files of the user that register tasks.
        threads: of PyTorch; 0 leaves its own choice.
    """

    task: str = ""
    agent: str = DEFAULT
    scratch: bool = False
    demonstrations: int = 10
    held_back: float = 0.2
    recolour: bool = True
    target_smoothing: float = ModelConfig.target_smoothing
    read_anew: bool = True
    lora: int = 0
    noise: float = 0.3
    data_dir: str = "data"
    out: str = "runs/finetune"
    plugins: list[str] = field(default_factory=list)
    threads: int = 0
    steps: int = 400
    learning_rate: float = 1.5e-3
    warmup: int = 30
    workers: int = 0
    mixture: MixtureConfig = field(default_factory=lambda: MixtureConfig(rows=8, pixels=3_300_000, shift={"*": 2}))


def finetune(config: FinetuneConfig, card: Card) -> Path:
    """Fine-tune an agent on one task.

    Returns:
        The new agent's folder.

    Raises:
        OpengatoError: bad settings, no demonstrations and no demonstrator, or too few of another's.
    """
    config.check()
    if config.demonstrations < 1:
        raise OpengatoError(f"demonstrations is {config.demonstrations}; legal: 1 or more.")
    if not 0 <= config.held_back <= 0.5:
        raise OpengatoError(f"held_back is {config.held_back}; legal: 0 to 0.5.")
    ModelConfig(target_smoothing=config.target_smoothing)  # raises where it is out of range
    if config.threads:
        torch.set_num_threads(config.threads)
    agent = Agent.load(config.agent)
    if config.scratch:
        agent = Agent.new(agent.model.config, agent.vocabulary, config.seed)
    episodes, spec = demonstrations(card, config)
    kept = int(config.held_back * config.demonstrations) * look_every(card.ahead)
    arrays, watched = (
        arrays_of(part, card.id, card.instruction, agent.codec(spec)) if part else None
        for part in (episodes[: len(episodes) - kept], episodes[len(episodes) - kept :])
    )
    assert arrays is not None
    changed = prepare(agent, arrays, config)
    for name, value in changed.items():
        print(f"before it learns: {SAYS[name].format(value)}", flush=True)
    out = Path(config.out)
    identity = {"agent": config.agent, "scratch": config.scratch, "demonstrations": config.demonstrations, **changed}
    tuner = None
    if kept:
        identity["held_back"] = config.held_back
    if config.lora:
        identity["lora"] = config.lora
        tuner = lora.adapt(agent.model, config.lora)
    trainer = Trainer(agent, [arrays], config, out, identity)
    resumed = trainer.resume()
    announce(agent, [arrays], trainer, resumed)
    if watched is None:
        trainer.run()
    else:
        watched.codec = arrays.codec
        judge = HeldBack(agent, [watched], config.mixture, config.steps, out)
        trainer.run(watch=judge.watch)
        chosen = judge.choose()
        print(f"by the {kept} demonstrations held back: taken after {chosen} of {trainer.step} updates", flush=True)
    if tuner is not None:
        lora.merge(tuner)
    if config.scratch or "cold_start" in changed:  # nothing that the card tells is in these weights
        agent.card = {"tasks": [card.id]}
    else:
        for of_its_parent in OF_ITS_PARENT:
            agent.card.pop(of_its_parent, None)
        agent.card["init"] = config.agent
    agent.card["parameters"] = agent.model.num_parameters
    agent.card["finetuned"] = [
        *agent.card.get("finetuned", []),
        {
            "task": card.id,
            "demonstrations": config.demonstrations,
            "steps": trainer.step,
            "seed": config.seed,
            "scratch": config.scratch,
            **({"lora": config.lora} if config.lora else {}),
            **changed,
        },
    ]
    return agent.save(out / "agent")


def demonstrations(card: Card, config: FinetuneConfig) -> tuple[list[Episode], Spec]:
    """The first demonstrations of a task; what the store lacks is collected now and added to it.

    Returns:
        list of episodes, and the spec.

    Raises:
        OpengatoError: the store holds too few, and the task has no demonstrator or they are another's.
    """
    if card.ahead > 1:
        demonstrations(registry.get(card.origin), config)
        looks = look_every(card.ahead)
        cuts = EpisodeStore.open(config.data_dir, card.id)
        chosen = list(itertools.islice(iter(cuts), config.demonstrations * looks))
        return chosen, Spec(cuts.observation_space, cuts.action_space)
    path = dataset_path(config.data_dir, card.id)
    restore_interrupted(path)
    there = EpisodeStore.open(config.data_dir, card.id) if path.is_dir() else None
    if there is None:
        _collect(card, config)
    elif len(there) < config.demonstrations:
        _add(card, config, there)
    store = EpisodeStore.open(config.data_dir, card.id)
    episodes = list(itertools.islice(iter(store), config.demonstrations))
    return episodes, Spec(store.observation_space, store.action_space)


def _wanted(card: Card, config: FinetuneConfig, made: Mapping[str, Any]) -> CollectConfig:
    """What `opengato collect` would be told; `made`: how what is there was made, as its dataset says."""
    wanted = CollectConfig(
        tasks=[card.id], episodes=config.demonstrations, data_dir=config.data_dir, noise=config.noise,
        seed=config.seed, workers=1, plugins=config.plugins,
        keep=CollectConfig.keep if card.success else 0.0,
    )  # fmt: skip
    return replace(wanted, **{name: made[name] for name in HOW if made.get(name) is not None})


def _add(card: Card, config: FinetuneConfig, there: EpisodeStore) -> None:
    """Have `opengato collect` add what is missing, if the demonstrations that are there can be added to."""
    wanted = _wanted(card, config, there.metadata.get("settings", {}))
    try:
        Collection(wanted, card, card.id)
    except OpengatoError as error:
        why = str(error).partition(" Next: ")[0]
        raise OpengatoError(
            f"{config.demonstrations} demonstrations of {card.id!r} are wanted, but {why} They are by "
            f"{there.metadata.get('demonstrator', 'someone unknown')}, and others are not mixed in. "
            f"Next: demonstrations={len(there)}, or collect more in the way that they were, or another data_dir."
        ) from None
    there.close()
    if (found := collect(wanted, [card])[0]["episodes"]) < config.demonstrations:
        raise OpengatoError(f"only {found} of {config.demonstrations} demonstrations of {card.id!r} came out well.")


def _collect(card: Card, config: FinetuneConfig) -> None:
    """Collect all, and store them as `opengato collect` would, so that more can be added."""
    wanted = _wanted(card, config, {})
    wanted.check()
    collection = Collection(wanted, card, card.id)
    env = card.make()
    try:
        seeds, episodes = zip(*itertools.islice(_successes(card, env, config), config.demonstrations), strict=True)
        attempted = seeds[-1] + 1 - config.seed
        facts = {
            **provenance(), "demonstrator": collection.settings["demonstrator"], "settings": collection.settings,
            "code": collection.code, "versions": simulator_versions(), "seeds": [config.seed, seeds[-1]],
            "next_seed": seeds[-1] + 1, "thresholds": None, "attempted": attempted, "failed": 0,
            "succeeded": sum(bool(episode.success) for episode in episodes), "kept_share": len(episodes) / attempted,
        }  # fmt: skip
        write_episodes(config.data_dir, card.id, episodes, env.observation_space, env.action_space, facts)
    finally:
        env.close()


def _successes(card: Card, env: Any, config: FinetuneConfig) -> Iterator[tuple[int, Episode]]:
    """Episodes of the demonstrator with their seeds; failed ones are left out where the task says what a failure is."""
    demonstrator = card.make_demonstrator()
    if demonstrator is None:
        raise OpengatoError(
            f"task {card.id!r} has no demonstrator, and {config.data_dir!r} no demonstrations. "
            "Next: give the card a demonstrator, or put a dataset there."
        )
    failed = 0
    for seed in itertools.count(config.seed):
        noise = config.noise if seed % 2 else 0.0  # every other one disturbed, as in collecting
        episode = run_episode(env, demonstrator, seed, noise, max_steps=card.demonstration_steps)
        if card.success and not episode.success:
            failed += 1
            if failed > 5 * config.demonstrations:
                raise OpengatoError(f"the demonstrator of {card.id!r} failed {failed} times. Next: mend it.")
            continue
        print(f"demonstration {seed}: return {episode.total_return:.3g}, {len(episode)} steps", flush=True)
        yield seed, episode
