"""Collecting demonstrations: run each task's demonstrator, keep the good episodes, store them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from opengato.envs.real.spread import read as read_disturbance
from opengato.errors import MissingExtraError, OpengatoError
from opengato.tasks import registry
from opengato.tasks.card import Card

from .collection import CollectConfig, Collection, Pool
from .progress import say
from .staging import EpisodeRunner
from .workers import ProcessPool, SerialPool, core_count

__all__ = ["CollectConfig", "collect"]

HUMAN = "opengato.training.human:Human"


def collect(config: CollectConfig, cards: Sequence[Card] | None = None) -> list[dict[str, Any]]:
    """Collect demonstrations of tasks.

    The same settings give the same episodes whatever the number of workers. A run that was killed goes on where it
    was. A dataset that is there already is left alone if it was collected with the same settings, and grown if it is
    too small.

    Args:
        config: settings.
        cards: the tasks; None finds them by `config.tasks`.

    Returns:
        Per task `{task, path, episodes, steps, attempted, failed, kept_share, mean_return, std_return, min_return,
        max_return, success_rate (of the attempts that did not fail), thresholds (least return kept, of undisturbed and
        of disturbed episodes), seconds, steps_per_s, skipped}`.

    Raises:
        OpengatoError: illegal settings, a task without demonstrator, or one whose demonstrator keeps failing; patterns
            that leave no task to collect.
    """
    config.check()
    read_disturbance(config.disturbance)
    registry.load_plugins(config.plugins)
    if config.demonstrator == "human":  # one person, one window; who has thrown an episode away decides what is kept
        config = replace(config, demonstrator=HUMAN, workers=1)
    cards = _cards(config) if cards is None else list(cards)
    if config.demonstrator:
        cards = [replace(card, demonstrator=config.demonstrator) for card in cards]
    for card in cards:
        if card.missing:
            raise MissingExtraError(f"task {card.id!r}", card.extra or "", card.missing, card.install_step)
        if card.demonstrator is None:
            raise OpengatoError(f"task {card.id!r} has no demonstrator. Next: name one in its @register line.")
    pool: Pool | None = None
    summaries = []
    try:
        for number, card in enumerate(cards, 1):
            collection = Collection(config, card, f"{card.id} ({number}/{len(cards)})" if len(cards) > 1 else card.id)
            if not collection.done:
                pool = pool or _make_pool(config)
            summaries.append(collection.run(pool))
    finally:
        if pool is not None:
            pool.close()
    return summaries


def _cards(config: CollectConfig) -> list[Card]:
    """The tasks that are meant; says how many of a pattern nobody can show here."""
    if not config.tasks:
        raise OpengatoError("which tasks? Next: opengato collect 'tasks=[control/walker-walk]', or a pattern")
    found = registry.find(config.tasks)
    for card in found:
        if card.ahead > 1:
            raise OpengatoError(f"{card.id} is trained on the demonstrations of {card.origin}. Next: collect those.")
    shown = [
        card
        for card in found
        if card.id in config.tasks or (card.available and (card.demonstrator is not None or config.demonstrator))
    ]
    if not shown:
        raise OpengatoError(
            f"none of the {len(found)} tasks of {list(config.tasks)} can be collected here: they have no demonstrator, "
            "or their simulator is missing. Next: opengato list tells which; demonstrator=human lets you show them."
        )
    if len(shown) < len(found):
        say("collect", f"{len(found) - len(shown)} of {len(found)} tasks have no demonstrator here, and are left out")
    return shown


def _make_pool(config: CollectConfig) -> Pool:
    workers = min(config.workers or core_count(), config.episodes)
    if workers == 1:
        return SerialPool(EpisodeRunner())
    return ProcessPool("opengato.training.staging:run_job", workers, config.timeout_s)
