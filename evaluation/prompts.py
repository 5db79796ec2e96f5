"""What a policy is told before its episode: a demonstration, an instruction, both, nothing, or another task's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from opengato.agent.episode import Episode
from opengato.errors import OpengatoError, UnknownNameError
from opengato.tasks.card import Card

PromptKind = Literal["demonstration", "instruction", "both", "none", "wrong"]
PROMPTS: tuple[str, ...] = get_args(PromptKind)
DEMONSTRATION_SEED = 900_000  # prompts made on the spot; below the evaluation's seeds, above those of collecting
ATTEMPTS = 10  # how many episodes the demonstrator may take to succeed once


def make_prompt(
    kind: str,
    card: Card,
    data_dir: str | Path,
    others: Sequence[Card] = (),
    max_steps: int | None = None,
    shown: Episode | None = None,
) -> tuple[Any, str]:
    """The prompt of one task.

    Args:
        kind: one of `PROMPTS`.
        card: the task that will be played.
        data_dir: where collected demonstrations may be.
        others: tasks that "wrong" takes, if the body is the same, before others of the family.
        max_steps: cut a demonstration that is made on the spot.
        shown: the task's demonstration, in place of one that is looked for.

    Returns:
        A `Prompt` or None, and in words what it is made of.

    Raises:
        UnknownNameError: no such kind.
        OpengatoError: a demonstration is asked for and the task has none.
    """
    from opengato.agent.prompt import Prompt

    if kind not in PROMPTS:
        raise UnknownNameError("prompt", kind, PROMPTS, "Next: prompt=demonstration")
    if kind == "none":
        return None, "nothing"
    if kind == "instruction":
        return Prompt(instruction=card.instruction), f"“{card.instruction}”"
    if kind == "wrong":
        return _wrong(card, data_dir, others, max_steps)
    episode = shown if shown is not None else demonstration(card, data_dir, max_steps)
    words = f"a demonstration of {len(episode)} steps, seed {episode.seed}"
    if kind == "both":
        return Prompt(instruction=card.instruction, episode=episode), f"{words}, and “{card.instruction}”"
    return Prompt(episode=episode), words


def demonstration(card: Card, data_dir: str | Path, max_steps: int | None = None) -> Episode:
    """A good demonstration: the best successful one of the store's first few, else one made on the spot.

    Raises:
        OpengatoError: the store has none and the task has no demonstrator.
    """
    stored = _stored(card, data_dir)
    if stored is not None:
        return stored
    best: Episode | None = None
    for episode in demonstrate(card, range(DEMONSTRATION_SEED, DEMONSTRATION_SEED + ATTEMPTS), max_steps=max_steps):
        if best is None or (bool(episode.success), episode.total_return) > (bool(best.success), best.total_return):
            best = episode
        if best.success in (True, None):
            break
    assert best is not None
    return best


def demonstrate(
    card: Card, seeds: Iterable[int], evaluation: bool = False, max_steps: int | None = None
) -> Iterable[Episode]:
    """Episodes of the task's demonstrator, one per seed, made as they are asked for.

    Args:
        card: the task.
        seeds: the environment's seeds.
        evaluation: on the evaluation's split.
        max_steps: cut episodes here; by default the card's `demonstration_steps`.

    Raises:
        OpengatoError: the task has no demonstrator.
    """
    from opengato.training.demonstrations import run_episode

    demonstrator = card.make_demonstrator()
    if demonstrator is None:
        raise OpengatoError(
            f"{card.id} has no demonstrator and no stored demonstrations. Next: prompt=instruction, or opengato collect"
        )
    env = card.make(evaluation=evaluation)
    try:
        for seed in seeds:
            yield run_episode(env, demonstrator, seed, max_steps=max_steps or card.demonstration_steps)
    finally:
        env.close()


def fits(card: Card, other: Card) -> bool:
    """Whether two tasks have equal observation and action spaces."""
    env = card.make(evaluation=True)
    try:
        rival = other.make(evaluation=True)
        try:
            return bool(env.observation_space == rival.observation_space and env.action_space == rival.action_space)
        finally:
            rival.close()
    finally:
        env.close()


def _wrong(card: Card, data_dir: str | Path, others: Sequence[Card], max_steps: int | None) -> tuple[Any, str]:
    """Another task's demonstration where the body is the same, else another task's instruction."""
    from opengato.agent.prompt import Prompt
    from opengato.tasks import registry

    family = [other for other in registry.find(f"{card.family}/*") if other.id != card.id]
    rivals = list({other.id: other for other in [*others, *family] if other.id != card.id and other.available}.values())
    for other in rivals:
        if other.demonstrator is not None and fits(card, other):
            return Prompt(episode=demonstration(other, data_dir, max_steps)), f"a demonstration of {other.id}"
    strange = [other for other in [*others, *registry.find("*")] if other.instruction != card.instruction]
    if not strange:
        raise OpengatoError(f"there is no task but {card.id}, so no wrong prompt. Next: prompt=none")
    return Prompt(instruction=strange[0].instruction), f"“{strange[0].instruction}” of {strange[0].id}"


def _stored(card: Card, data_dir: str | Path, look_at: int = 20) -> Episode | None:
    """The best successful one of the first `look_at` stored demonstrations; None where nothing is stored."""
    from opengato.training.episodes import EpisodeStore, dataset_path

    if not dataset_path(data_dir, card.origin).is_dir():
        return None
    store = EpisodeStore.open(data_dir, card.id)
    rows = [(i, row) for i, row in enumerate(store.summaries()[:look_at]) if row["success"] in (True, None)]
    if not rows:
        return None
    return store[max(rows, key=lambda pair: pair[1]["total_return"] or 0.0)[0]]
