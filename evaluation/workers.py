"""A stage spread over worker processes: each steps its share of the environments and films its share of the episodes.

Worth it where an environment takes longer than a message between processes (about 0.1 ms): those that render pixels.
"""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from opengato.errors import OpengatoError
from opengato.evaluation.rollout import Case, Outcome, Reply, Stage
from opengato.evaluation.video import Film


class WorkerStage:
    """Looks like a `Stage`; its environments live in spawned processes (forking breaks renderers).

    Args:
        make: makes a fresh environment; must be picklable, e.g. `MakeTask`.
        cases, batch_size, max_steps, film, task: see `Stage`.
        workers: processes; never more than there are rows.

    Raises:
        OpengatoError: a worker could not make its environments; or, from `begin` and `step`, a worker died.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        cases: Sequence[Case],
        workers: int,
        batch_size: int = 32,
        max_steps: int | None = None,
        film: Film | None = None,
        task: str = "task",
    ) -> None:
        rows = min(batch_size, len(cases))
        workers = max(1, min(workers, rows))
        context = multiprocessing.get_context("spawn")
        self.outcomes: list[Outcome] = []
        self.shares = [len(range(i, rows, workers)) for i in range(workers)]
        self.pipes: list[Connection] = []
        self.processes: list[Any] = []
        try:
            for i, share in enumerate(self.shares):
                ours, theirs = context.Pipe()
                stage = {"make": make, "cases": list(cases[i::workers]), "batch_size": share}
                stage |= {"max_steps": max_steps, "film": film, "task": task}
                process = context.Process(target=_serve, args=(theirs, pickle.dumps(stage)), daemon=True)
                process.start()
                theirs.close()
                self.pipes.append(ours)
                self.processes.append(process)
            for pipe in self.pipes:
                self._receive(pipe)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> WorkerStage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self) -> list[Reply]:
        """Start every row's first episode."""
        for pipe in self.pipes:
            with _alive():
                pipe.send(None)
        return self._gather()

    def step(self, actions: list[Any]) -> list[Reply]:
        """Take one action per row; all workers step at the same time."""
        first = 0
        for pipe, share in zip(self.pipes, self.shares, strict=True):
            with _alive():
                pipe.send(actions[first : first + share])
            first += share
        return self._gather()

    def close(self) -> None:
        """End the workers; one that does not end by itself within five seconds is stopped."""
        for pipe in self.pipes:
            pipe.close()
        for process in self.processes:
            process.join(5)
            if process.is_alive():
                process.terminate()
                process.join()
        self.pipes, self.processes = [], []

    def _gather(self) -> list[Reply]:
        replies: list[Reply] = []
        for pipe in self.pipes:
            part, outcomes = self._receive(pipe)
            replies += part
            self.outcomes += outcomes
        return replies

    def _receive(self, pipe: Connection) -> Any:
        with _alive():
            kind, content = pipe.recv()
        if kind == "error":
            raise OpengatoError(content)
        return content


@contextmanager
def _alive() -> Iterator[None]:
    """A pipe that is found closed is a worker that died."""
    try:
        yield
    except (EOFError, ConnectionError):
        raise OpengatoError(
            "a worker of the evaluation died (out of memory?). Next: fewer workers, or workers=0"
        ) from None


def _serve(pipe: Connection, pickled: bytes) -> None:
    """A worker: answers every message until the pipe closes."""
    try:
        with Stage(**pickle.loads(pickled)) as stage:
            pipe.send(("ready", None))
            told = 0
            while True:
                actions = pipe.recv()
                replies = stage.begin() if actions is None else stage.step(actions)
                pipe.send(("replies", (replies, stage.outcomes[told:])))
                told = len(stage.outcomes)
    except EOFError:
        pass
    except Exception as error:
        # The other side may be gone already; then there is nobody to tell.
        try:
            own = isinstance(error, OpengatoError)
            pipe.send(("error", str(error) if own else f"a worker failed: {type(error).__name__}: {error}"))
        except OSError:
            pass
