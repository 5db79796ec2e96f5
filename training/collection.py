"""The collection of one task: which episodes are missing, what is done about it, and what came of it."""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from opengato.errors import OpengatoError
from opengato.tasks.card import Card
from opengato.tasks.source import code_hash

from .dataset_folder import MAIN_FILE, DatasetWriter, dataset_path, restore_interrupted
from .episodes import EpisodeStore
from .minari_store import load_space
from .progress import CollectProgress, say
from .provenance import demonstrator_name, provenance
from .selection import Selection
from .staging import Staging, episode_file
from .workers import ProcessPool, SerialPool

FIRST_FEW = 3  # episodes from which the size of all is reckoned
ANNOUNCED = 1e8  # bytes; a smaller dataset is no news
Pool = ProcessPool | SerialPool


@dataclass(frozen=True)
class CollectConfig:
    """Settings of `opengato collect`.

    Args:
        tasks: ids and patterns; of a pattern, those that run here and have a demonstrator.
        episodes: how many good episodes to store per task.
        data_dir: folder of all datasets.
        noise: strength of the disturbance of executed actions, 0 to 1 (see `ActionNoise`).
        noise_fraction: share of the episodes that are disturbed, where there is noise.
        detours: share of the steps on which the body follows another goal of its own, 0 to 0.9 (see `Detours`).
        keep: where the card defines success, only successes are kept; elsewhere, successes and returns of at least this
            share of the demonstrator's mean over its first 25 episodes (the paper's rule; disturbed episodes are held
            against disturbed ones). 0 keeps everything.
        workers: processes; 0 is one per core, 1 runs in this process.
        seed: of the first episode; the next have the next seeds.
        max_steps: cap on an episode's steps, None for the card's or the environment's own.
        timeout_s: a longer episode is given up (with workers, not in this process).
        max_gb: gigabytes that a task's dataset may take; 0 for as many as there are. What it will take is said, and
            held against this, after its first episodes; and what collecting it takes, twice as much for a while, is
            held against the free disk.
        overwrite: collect again where another dataset lies.
        demonstrator: who shows it in place of the card's own: "human" (`human.py`), or the import path `module:name`
            of one.
        disturbance: what goes wrong with the body, as in `evaluate`; `{preset: arm}`, or `[low, high]` for what is
            drawn for every episode. Every episode of the dataset says what was drawn.
        plugins: files of the user that register tasks.
    """

    tasks: list[str] = field(default_factory=list)
    episodes: int = 100
    data_dir: str = "data"
    noise: float = 0.0
    noise_fraction: float = 0.5
    detours: float = 0.0
    keep: float = 0.8
    workers: int = 0
    seed: int = 0
    max_steps: int | None = None
    timeout_s: float = 900.0
    max_gb: float = 0.0
    overwrite: bool = False
    demonstrator: str = ""
    disturbance: dict[str, Any] = field(default_factory=dict)
    plugins: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Raises OpengatoError where a value is outside its legal range."""
        legal = {
            "episodes": (self.episodes >= 1, "1 or more"),
            "noise": (0 <= self.noise <= 1, "0 to 1"),
            "noise_fraction": (0 <= self.noise_fraction <= 1, "0 to 1"),
            "detours": (0 <= self.detours <= 0.9, "0 to 0.9"),
            "keep": (0 <= self.keep <= 1, "0 to 1"),
            "workers": (self.workers >= 0, "0 (one per core) or more"),
            "seed": (self.seed >= 0, "0 or more"),
            "max_steps": (self.max_steps is None or self.max_steps >= 1, "1 or more, or null"),
            "timeout_s": (self.timeout_s > 0, "more than 0"),
            "max_gb": (self.max_gb >= 0, "0 (no cap) or more"),
        }
        for name, (fine, values) in legal.items():
            if not fine:
                raise OpengatoError(f"{name}={getattr(self, name)} is illegal. Legal: {values}.")


class Collection:
    """The collection of one task.

    Args:
        config: settings.
        card: the task.
        title: how the progress names it.

    Raises:
        OpengatoError: a dataset with other settings is in the way.
    """

    def __init__(self, config: CollectConfig, card: Card, title: str) -> None:
        self.config, self.card, self.title = config, card, title
        self.path = dataset_path(config.data_dir, card.id)
        self.max_steps = config.max_steps or card.demonstration_steps
        self.settings = {
            "task": card.id,
            "demonstrator": demonstrator_name(card),
            "seed": config.seed,
            "noise": config.noise,
            "noise_fraction": config.noise_fraction if config.noise else 0.0,
            "detours": config.detours or None,
            "keep": config.keep,
            "max_steps": self.max_steps,
            "disturbance": dict(config.disturbance) or None,
        }
        self.code = code_hash(card)
        self.store = self._existing()
        missing = config.episodes - (0 if self.store is None else len(self.store))
        self.done = missing <= 0
        self.selection = Selection(
            goal=missing,
            seed=config.seed if self.store is None else int(self.store.metadata["next_seed"]),
            keep=config.keep,
            by_success=card.success is not None and config.keep > 0,
            thresholds=None if self.store is None else self.store.metadata["thresholds"],
        )

    def _existing(self) -> EpisodeStore | None:
        """The dataset that this collection may leave alone or grow."""
        restore_interrupted(self.path)
        if self.config.overwrite or not self.path.exists():
            return None
        store = EpisodeStore.open(self.config.data_dir, self.card.id)
        kept = store.metadata.get("settings", {})
        other = [
            f"{key}={kept.get(key)!r}, not {value!r}" for key, value in self.settings.items() if kept.get(key) != value
        ]
        if other:
            raise OpengatoError(
                f"{str(self.path)!r} holds {len(store)} episodes of other settings ({'; '.join(other)}). "
                "Next: overwrite=true, or another data_dir."
            )
        return store

    def run(self, pool: Pool | None) -> dict[str, Any]:
        """Collect what is missing, and sum up what is there."""
        began = time.perf_counter()
        steps = 0
        if self.store is not None and self.store.metadata.get("code") != self.code:
            say(self.title, f"{self.path} was collected by other code. Next: overwrite=true collects it again")
        if self.done:
            self._remove_leftover()
        else:
            assert pool is not None
            known = len(self.store) if self.store is not None else 0
            fingerprint = {**self.settings, "code": self.code, "begin": self.selection.seed, "known": known}
            with Staging(self.config.data_dir, self.card.id, "demonstrator", fingerprint) as staging:
                with CollectProgress(self.title, self.config.episodes, known) as progress:
                    try:
                        self._run_episodes(pool, staging, progress, known)
                    except KeyboardInterrupt:
                        progress.say("stopped; what is finished is kept. Next: the same command goes on from there")
                        raise
                    if self.selection.short:
                        progress.say(self.selection.complaint())
                    steps = progress.steps
                self._write(staging)
                staging.remove()
        return self._summary(time.perf_counter() - began, steps)

    def _remove_leftover(self) -> None:
        """Remove staged episodes that a run has written into the dataset, and was killed before it removed them."""
        assert self.store is not None
        folder = self.config.data_dir, self.card.id, "demonstrator"
        left = Staging(*folder, {}).left() or {}
        written = {**self.settings, "code": self.store.metadata.get("code")}
        if written.items() <= left.items() and left["known"] < len(self.store):
            with contextlib.suppress(OpengatoError), Staging(*folder, left) as staging:  # or it is in use
                staging.remove()

    def _run_episodes(self, pool: Pool, staging: Staging, progress: CollectProgress, known: int) -> None:
        selection, announced = self.selection, False
        for record in staging.records():
            selection.add(record["seed"], record)
        if selection.records:
            progress.say(f"going on after {len(selection.records)} finished episodes")
        while self._goes_on():
            while pool.idle and (seed := selection.next_seed()) is not None:
                pool.submit(self._job(seed, staging))
            new_steps = 0
            for job, result in pool.results(timeout_s=1.0):
                if job["task"] != self.card.id:
                    continue  # of a task before, which ended in an error that the caller caught
                if "fatal" in result:
                    raise OpengatoError(f"task {self.card.id!r}: {result['fatal']}")
                if "return" not in result:
                    progress.say(f"seed {job['seed']} dropped: {result.get('failed', result.get('refused'))}")
                selection.add(job["seed"], result)
                new_steps += result.get("steps", 0)
            progress.update(known + selection.kept, selection.attempted, new_steps)
            if not announced and selection.kept >= min(FIRST_FEW, selection.goal):
                announced = True
                self._announce_size(staging, progress)

    def _goes_on(self) -> bool:
        """Whether there is something left to run. Raises OpengatoError where that is pointless."""
        problem = self.selection.problem()
        if problem is not None:
            raise OpengatoError(f"task {self.card.id!r}: {problem}")
        return not self.selection.done

    def _announce_size(self, staging: Staging, progress: CollectProgress) -> None:
        """Say what the dataset will take. Raises OpengatoError where that is more than there is, or than may be."""
        sizes = [path.stat().st_size for path in staging.path.glob("*.h5")]
        free = shutil.disk_usage(staging.path).free
        new = sum(sizes) / max(1, len(sizes)) * self.selection.goal
        size = new + (0 if self.store is None else (self.path / "data" / MAIN_FILE).stat().st_size)
        # It is written beside the staged episodes, those still to come among them, and beside what it replaces.
        peak = size + max(0.0, new - sum(sizes))
        episodes = self.config.episodes
        if size > ANNOUNCED:
            progress.say(f"about {size / 1e9:.1f} GB for {episodes} episodes; {free / 1e9:.0f} GB are free")
        limits = {"max_gb allows": (size, self.config.max_gb * 1e9 or np.inf), "are free, while written": (peak, free)}
        for what, (taken, most) in limits.items():
            if taken > most:
                raise OpengatoError(
                    f"task {self.card.id!r}: {episodes} episodes would take about {taken / 1e9:.3g} GB, more than the "
                    f"{most / 1e9:.3g} GB that {what}. Next: fewer episodes, a larger max_gb, or another data_dir."
                )

    def _job(self, seed: int, staging: Staging) -> dict[str, Any]:
        return {
            "task": self.card.id,
            "seed": seed,
            "demonstrator": self.config.demonstrator,
            "disturbance": dict(self.config.disturbance),
            "noise": self.config.noise,
            "noise_fraction": self.config.noise_fraction,
            "detours": self.config.detours,
            "max_steps": self.max_steps,
            "only_success": self.selection.by_success,
            "staging": str(staging.path.resolve()),
            "plugins": [str(Path(plugin).expanduser().resolve()) for plugin in self.config.plugins],
        }

    def _write(self, staging: Staging) -> None:
        body = staging.spaces()
        before = {} if self.store is None else self.store.metadata
        selection = self.selection
        if self.store is not None:
            self.store.close()
        metadata = {
            **provenance(),
            "demonstrator": self.settings["demonstrator"],
            "settings": self.settings,
            "code": self.code,
            "versions": body["versions"],
            "seeds": [self.config.seed, selection.end_seed - 1],
            "next_seed": selection.end_seed,
            "thresholds": selection.thresholds,
            "attempted": before.get("attempted", 0) + selection.attempted,
            "failed": before.get("failed", 0) + selection.failed,
            "succeeded": before.get("succeeded", 0) + selection.succeeded,
        }
        metadata["kept_share"] = (before.get("total_episodes", 0) + selection.kept) / metadata["attempted"]
        with DatasetWriter(
            self.config.data_dir,
            self.card.id,
            load_space(body["observation_space"]),
            load_space(body["action_space"]),
            metadata,
            append=self.store is not None,
        ) as writer:
            for seed in selection.kept_seeds():
                with h5py.File(episode_file(staging.path, seed, "h5"), "r") as file:
                    writer.copy(file["episode"])

    def _summary(self, seconds: float, steps: int) -> dict[str, Any]:
        store = EpisodeStore(self.path)
        returns = np.array([summary["total_return"] for summary in store.summaries()])
        attempted, failed = int(store.metadata["attempted"]), int(store.metadata["failed"])
        has_success = store.summaries()[0]["success"] is not None
        store.close()
        return {
            "task": self.card.id,
            "path": str(self.path),
            "episodes": len(store),
            "steps": store.metadata["total_steps"],
            "attempted": attempted,
            "failed": failed,
            "kept_share": store.metadata["kept_share"],
            "mean_return": float(returns.mean()),
            "std_return": float(returns.std(ddof=1)) if len(returns) > 1 else 0.0,
            "min_return": float(returns.min()),
            "max_return": float(returns.max()),
            "success_rate": store.metadata["succeeded"] / max(1, attempted - failed) if has_success else None,
            "thresholds": store.metadata["thresholds"],
            "seconds": seconds,
            "steps_per_s": steps / seconds if steps else None,
            "skipped": self.done,
        }
