"""Local datasets of Minari, whoever wrote them: HDF5 or Arrow, pictures as they are or as JPEG."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from opengato.errors import OpengatoError
from opengato.training.episodes import Recording
from opengato.training.exchange.found import Found
from opengato.training.minari_store import read_attributes, unquote_key


def read_minari(folder: Path) -> Found:
    """Open a dataset by the folder that holds `data/`.

    Raises:
        OpengatoError: Minari cannot read it.
    """
    from minari import MinariDataset

    try:
        dataset = MinariDataset(folder / "data")
    except Exception as error:
        raise OpengatoError(f"{str(folder)!r} is no dataset that Minari reads ({error}).") from error
    facts = {"minari_id": str(dataset.spec.dataset_id), "rate_hz": None}
    observation, action = _unquoted(dataset.spec.observation_space), _unquoted(dataset.spec.action_space)
    return Found(observation, action, _episodes(dataset, observation, action), facts)


def _unquoted(space: spaces.Space) -> spaces.Space:
    """The space with keys as they were before HDF5 had to hold them."""
    if isinstance(space, spaces.Dict):
        return spaces.Dict([(unquote_key(key), _unquoted(part)) for key, part in space.items()])
    if isinstance(space, spaces.Tuple):
        return spaces.Tuple([_unquoted(part) for part in space])
    return space


def _episodes(dataset: Any, observation: spaces.Space, action: spaces.Space) -> Iterator[Recording]:
    ours = "opengato" in dataset.storage.metadata
    for episode in dataset.iterate_episodes():
        steps = len(episode.rewards)
        seen = _rows(episode.observations, observation, steps + 1)
        found = Recording(
            observations=seen[:steps],
            actions=_rows(episode.actions, action, steps),
            rewards=np.asarray(episode.rewards, np.float32),
            success=_success(episode.infos),
            seed=None,
            info={"terminated": bool(np.any(episode.terminations)), "truncated": bool(np.any(episode.truncations))},
            final_observation=seen[-1],
        )
        if ours:  # attributes say what Minari's layout has no place for (`minari_store.write_group`)
            (attributes,) = dataset.storage.get_episode_metadata([episode.id])
            final = found.final_observation if attributes["has_final_observation"] else None
            found = replace(found, final_observation=final, **read_attributes(attributes))
        yield found


def _success(infos: Any) -> bool | None:
    for key in ("success", "is_success"):
        if isinstance(infos, dict) and key in infos:
            return bool(np.any(np.asarray(infos[key])))
    return None


def _rows(columns: Any, space: spaces.Space, steps: int) -> list[Any]:
    """Columns, one per leaf, to one value per step."""
    if isinstance(space, spaces.Dict):
        by_key = {unquote_key(key): column for key, column in columns.items()}
        parts = {key: _rows(by_key[key], part, steps) for key, part in space.items()}
        return [{key: part[step] for key, part in parts.items()} for step in range(steps)]
    if isinstance(space, spaces.Tuple):
        parts_ = [_rows(columns[index], part, steps) for index, part in enumerate(space)]
        return [tuple(part[step] for part in parts_) for step in range(steps)]
    if isinstance(space, spaces.Text):
        return [text.decode("utf-8") if isinstance(text, bytes) else str(text) for text in columns[:steps]]
    return [np.asarray(value) for value in columns[:steps]]
