"""Fresh Python processes that do jobs; a job and its result are JSON; a process that crashes or hangs is replaced.

Not `multiprocessing`: its spawned children import the caller's main module again, which costs seconds and fails in an
unguarded script, and one crash of a simulator ends its whole pool.
A worker is `python -m opengato.training.workers module:function`.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from opengato.errors import OpengatoError

Job = dict[str, Any]
Result = dict[str, Any]

# One thread per worker: the workers themselves fill the cores.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONFAULTHANDLER": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONIOENCODING": "utf-8",
    "SDL_VIDEODRIVER": "dummy",
}
# Imports from a cold disk, on a machine that is busy.
START_SECONDS = 180.0


def core_count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class SerialPool:
    """The interface of `ProcessPool` without processes: a job runs when its result is asked for."""

    def __init__(self, function: Callable[[Job], Result]) -> None:
        self._function = function
        self._jobs: list[Job] = []

    @property
    def idle(self) -> int:
        """How many more jobs can start now."""
        return 1 - len(self._jobs)

    def submit(self, job: Job) -> None:
        """Hand over a job."""
        self._jobs.append(job)

    def results(self, timeout_s: float) -> list[tuple[Job, Result]]:
        """Finished jobs; waits up to `timeout_s` for the first."""
        jobs, self._jobs = self._jobs, []
        return [(job, self._function(job)) for job in jobs]

    def close(self) -> None:
        """Forget what is not done, and close the function if it can be closed."""
        self._jobs = []
        getattr(self._function, "close", lambda: None)()


@dataclass
class _Worker:
    process: subprocess.Popen[str]
    log: IO[bytes]
    job: Job | None = None
    started: float = field(default_factory=time.monotonic)
    ready: bool = False


class ProcessPool:
    """Worker processes.

    Args:
        function: import path `module:name` of `function(job) -> result`; it should catch its own errors.
        workers: number of processes.
        job_timeout_s: a job that takes longer is given up and its process ended.
    """

    def __init__(self, function: str, workers: int, job_timeout_s: float) -> None:
        self._function, self._job_timeout_s = function, job_timeout_s
        self._messages: queue.Queue[tuple[_Worker, Result | None]] = queue.Queue()
        self._workers = [self._start() for _ in range(workers)]

    @property
    def idle(self) -> int:
        """How many more jobs can start now."""
        return sum(worker.job is None for worker in self._workers)

    def submit(self, job: Job) -> None:
        """Hand a job to an idle worker."""
        worker = next(worker for worker in self._workers if worker.job is None)
        worker.job, worker.started = job, time.monotonic()
        try:
            assert worker.process.stdin is not None
            worker.process.stdin.write(json.dumps(job) + "\n")
            worker.process.stdin.flush()
        except OSError:
            pass  # it died; its reader says so, and the job comes back as failed

    def results(self, timeout_s: float) -> list[tuple[Job, Result]]:
        """Finished jobs; waits up to `timeout_s` for the first. A crash's result is `{"failed": why}`.

        Raises:
            OpengatoError: workers do not start.
        """
        done: list[tuple[Job, Result]] = []
        try:
            message = self._messages.get(timeout=timeout_s)
            while True:
                done += self._handle(*message)
                message = self._messages.get_nowait()
        except queue.Empty:
            pass
        for worker in self._workers:
            limit = self._job_timeout_s if worker.ready else max(self._job_timeout_s, START_SECONDS)
            if worker.job is not None and time.monotonic() - worker.started > limit:
                done.append((worker.job, {"failed": f"took more than {limit:g} s"}))
                worker.job = None
                self._replace(worker)
        return done

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.wait()
            worker.log.close()
        self._workers = []

    def _handle(self, worker: _Worker, message: Result | None) -> list[tuple[Job, Result]]:
        if worker not in self._workers:
            return []  # the last words of a process that was given up
        if message == {"ready": True}:
            worker.ready, worker.started = True, time.monotonic()
            return []
        job, worker.job = worker.job, None
        if message is not None:
            return [] if job is None else [(job, message)]
        why = f"the process ended with code {worker.process.wait()}{_tail(worker.log)}"
        if not worker.ready:
            raise OpengatoError(f"a worker process did not start: {why}. Next: try workers=1")
        self._replace(worker)
        return [] if job is None else [(job, {"failed": why})]

    def _replace(self, worker: _Worker) -> None:
        worker.process.kill()
        worker.process.wait()
        worker.log.close()
        self._workers[self._workers.index(worker)] = self._start()

    def _start(self) -> _Worker:
        # What the simulators print would tear the progress bar; it is shown when the process dies of it.
        log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, self._function],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
            start_new_session=True,  # Ctrl-C goes to the parent alone, which ends them
        )
        worker = _Worker(process, log)
        threading.Thread(target=self._read, args=(worker,), daemon=True).start()
        return worker

    def _read(self, worker: _Worker) -> None:
        assert worker.process.stdout is not None
        for line in worker.process.stdout:
            self._messages.put((worker, json.loads(line)))
        self._messages.put((worker, None))


def _tail(log: IO[bytes], lines: int = 5) -> str:
    log.seek(0)
    text = log.read().decode("utf-8", "replace").strip()
    return ": " + " | ".join(text.splitlines()[-lines:]) if text else ""


def serve(function: str) -> None:
    """What a worker process does: jobs from standard input, results to standard output, until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # prints of simulators, C code's too, must not mix with the answers
    jobs: queue.Queue[Job] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            jobs.put(json.loads(line))
        os._exit(0)  # the parent is gone, however it went; a job that is under way is of no use

    module, _, name = function.partition(":")
    work = getattr(importlib.import_module(module), name)
    threading.Thread(target=read, daemon=True).start()
    result: Result = {"ready": True}
    while True:
        answers.write(json.dumps(result) + "\n")
        answers.flush()
        result = work(jobs.get())


if __name__ == "__main__":
    serve(sys.argv[1])
