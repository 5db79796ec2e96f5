"""`opengato vocabulary`: learn a byte-level vocabulary from the texts of collected demonstrations."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from opengato.agent.spec import Spec, pick
from opengato.agent.text import Vocabulary
from opengato.errors import OpengatoError
from opengato.tasks.card import Card
from opengato.training.episodes import EpisodeStore


@dataclass(frozen=True)
class VocabularyConfig:
    """Learning a vocabulary.

    Args:
        tasks: patterns; instructions of all, texts of those that have some.
        size: tokens.
        episodes: read per task at most.
        data_dir: where demonstrations lie.
        out: file to write.
        plugins: files of the user that register tasks.
    """

    tasks: list[str] = field(default_factory=lambda: ["*"])
    size: int = 2048
    episodes: int = 2000
    data_dir: str = "data"
    out: str = "vocabulary.json"
    plugins: list[str] = field(default_factory=list)


def learn(config: VocabularyConfig, cards: Sequence[Card]) -> Path:
    """Learn and save; held-out tasks give nothing but their instruction."""
    if config.size < 300:
        raise OpengatoError(f"size is {config.size}; legal: 300 or more (256 bytes, the end token and merges).")
    vocabulary = Vocabulary.train(_texts(config, cards), config.size)
    path = Path(config.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    vocabulary.save(path)
    return path


def _texts(config: VocabularyConfig, cards: Sequence[Card]) -> Iterator[str]:
    for card in cards:
        yield card.instruction
        if card.split != "train":
            continue
        try:
            store = EpisodeStore.open(config.data_dir, card.id)
        except OpengatoError:
            continue
        spec = Spec(store.observation_space, store.action_space)
        if not (spec.texts or spec.text_action):
            continue
        for episode in itertools.islice(iter(store), config.episodes):
            for observation, action in zip(episode.observations, episode.actions, strict=False):
                yield from (pick(observation, feature.path) for feature in spec.texts)
                if spec.text_action:
                    yield pick(action, spec.action[0].path)
