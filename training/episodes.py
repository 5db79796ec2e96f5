"""The episode store: demonstrations on disk as Minari datasets, one per task and demonstrator."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
from gymnasium import spaces

from opengato.agent.episode import Episode
from opengato.envs.ahead import actions_ahead, cut, look_every
from opengato.errors import OpengatoError
from opengato.tasks.registry import actions_said

from .checksum import ATTRIBUTE, checksum
from .dataset_folder import MAIN_FILE, DatasetWriter, check_owner, dataset_path, read_metadata, restore_interrupted
from .minari_store import load_space, read_group


@dataclass
class Recording(Episode):
    """An episode with what was seen after the last action, which Minari's layout has a place for."""

    final_observation: Any = None


class EpisodeStore:
    """One dataset on disk, read-only.

    The file is opened on first use and once per process, so that a store can be handed to workers.

    Args:
        path: the dataset's folder.

    Raises:
        OpengatoError: there is no dataset, or it is damaged or of a kind that opengato cannot read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        raw = read_metadata(self.path)
        self.observation_space: spaces.Space = load_space(raw["observation_space"])
        self.action_space: spaces.Space = load_space(raw["action_space"])
        self.metadata: dict[str, Any] = {
            **raw.get("opengato", {}),
            "dataset_id": raw["dataset_id"],
            "total_episodes": int(raw["total_episodes"]),
            "total_steps": int(raw["total_steps"]),
        }
        self._file: tuple[int, h5py.File] | None = None

    @classmethod
    def open(cls, data_dir: str | Path, task: str, name: str = "demonstrator") -> EpisodeStore:
        """The dataset of a task.

        Raises:
            OpengatoError: it has not been collected; the message says how. Or what follows an @ is illegal.
        """
        ahead, task = actions_said(task), task.partition("@")[0]
        path = dataset_path(data_dir, task, name)
        restore_interrupted(path)
        if not path.is_dir():
            where = "" if str(data_dir) == "data" else f" data_dir={data_dir}"
            raise OpengatoError(
                f"no episodes of {task!r} at {str(path)!r}. Next: opengato collect tasks=[{task}]{where}"
            )
        check_owner(path, task, read_metadata(path))
        return AheadStore(path, ahead) if ahead > 1 else cls(path)

    @property
    def arrays(self) -> Path:
        """Where arrays built from it lie."""
        return self.path / "arrays"

    def __len__(self) -> int:
        return int(self.metadata["total_episodes"])

    def __getitem__(self, index: int) -> Episode:
        """Read one episode.

        Raises:
            IndexError: there is no such episode.
            OpengatoError: the file is damaged.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"episode {index} of {len(self)}")
        number = int(index) % len(self)
        group = self._group(number)
        try:
            return read_group(group, self.observation_space, self.action_space)
        except (OSError, KeyError, ValueError) as error:
            raise self._damaged(error, number) from error

    def check(self, index: int) -> bool:
        """Read an episode and compare it with its checksum.

        Returns:
            Whether it has one; episodes of older versions do not.

        Raises:
            OpengatoError: it cannot be read, or is not what was written.
        """
        group = self._group(index)
        wanted = group.attrs.get(ATTRIBUTE)
        if wanted is None:
            self[index]
            return False
        try:
            found = checksum(group)
        except (OSError, KeyError, ValueError) as error:
            raise self._damaged(error, index) from error
        if found != wanted:
            raise self._damaged(ValueError("its checksum is another"), index)
        return True

    def __iter__(self) -> Iterator[Episode]:
        return (self[i] for i in range(len(self)))

    def summaries(self) -> list[dict[str, Any]]:
        """Per episode `{seed, success, total_return, total_steps}`, None where unknown; steps are not read."""
        keys = ("seed", "success", "total_return", "total_steps")
        found = [dict(self._group(i).attrs) for i in range(len(self))]
        return [{key: attrs[key].item() if key in attrs else None for key in keys} for attrs in found]

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._file is not None and self._file[0] == os.getpid():
            self._file[1].close()
        self._file = None

    def _group(self, index: int) -> h5py.Group:
        try:
            if self._file is None or self._file[0] != os.getpid():
                self._file = (os.getpid(), h5py.File(self.path / "data" / MAIN_FILE, "r"))
            return self._file[1][f"episode_{index}"]
        except (OSError, KeyError) as error:
            raise self._damaged(error, None if self._file is None else index) from error

    def _damaged(self, error: Exception, episode: int | None) -> OpengatoError:
        what = "" if episode is None else f"episode {episode} of "
        skip = "" if episode is None else ", or skip_damaged=true"
        return OpengatoError(
            f"{what}{str(self.path)!r} is damaged ({error}). "
            f"Next: opengato data verify; delete the dataset and collect it again{skip}."
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}

    def __repr__(self) -> str:
        return f"EpisodeStore({str(self.path)!r}, {len(self)} episodes, {self.metadata['total_steps']} steps)"


class AheadStore(EpisodeStore):
    """A dataset with several actions a look (`opengato.envs.ahead`): every episode is there once for each step that its
    first look may be at.

    Args:
        path: the folder of the dataset of single steps.
        ahead: actions a look.
    """

    def __init__(self, path: str | Path, ahead: int) -> None:
        super().__init__(path)
        self.ahead, self.phases = ahead, look_every(ahead)
        self.whole = EpisodeStore(path)
        self.action_space = actions_ahead(self.whole.action_space, ahead)
        self.metadata["total_episodes"] *= self.phases

    def __getitem__(self, index: int) -> Episode:
        """See `EpisodeStore`."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"episode {index} of {len(self)}")
        whole, phase = divmod(int(index) % len(self), self.phases)
        return cut(self.whole[whole], self.ahead, phase)

    def check(self, index: int) -> bool:
        """See `EpisodeStore`."""
        return self.whole.check(index // self.phases)

    def summaries(self) -> list[dict[str, Any]]:
        """See `EpisodeStore`; an episode's return is of the whole, its steps are looks."""
        found = self.whole.summaries()
        return [
            {**row, "total_steps": -(-max(1, (row["total_steps"] or 1) - phase) // self.phases)}
            for row in found
            for phase in range(self.phases)
        ]

    def close(self) -> None:
        """See `EpisodeStore`."""
        self.whole.close()

    @property
    def arrays(self) -> Path:
        """Where arrays built from it lie."""
        return self.path / f"arrays@{self.ahead}"


def write_episodes(
    data_dir: str | Path,
    task: str,
    episodes: Iterable[Episode],
    observation_space: spaces.Space,
    action_space: spaces.Space,
    metadata: Mapping[str, Any],
    name: str = "demonstrator",
    append: bool = False,
) -> Path:
    """Write episodes as a Minari dataset; what is there already is replaced, or kept in front with `append`.

    The dataset appears whole or not at all: it is written beside its place and renamed.

    Args:
        data_dir: folder of all datasets.
        task: `family/name`.
        episodes: at least one; taken one by one, so they need not fit into memory together.
        observation_space: what the observations fit.
        action_space: what the actions fit.
        metadata: provenance, JSON values.
        name: who demonstrated.
        append: keep the episodes that are there.

    Returns:
        The dataset's folder.

    Raises:
        OpengatoError: no episodes, an episode that does not fit, or other spaces than those that are there.
    """
    with DatasetWriter(data_dir, task, observation_space, action_space, metadata, name, append) as writer:
        for episode in episodes:
            writer.add(episode)
    return writer.path
