"""Requests of many robots become few forward passes: whoever waits when one begins is in it, so none is passed over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from opengato.agent.policy import Policy
from opengato.evaluation.serve.metrics import Metrics

Found = TypeVar("Found")


@dataclass
class Waiting:
    """A request on its way into a pass."""

    observation: Any
    writes: bool
    task: str
    answer: asyncio.Future[tuple[Any, dict[str, float]]]
    since: float


class Batcher:
    """One thread computes, and owns the policy; the event loop hands over and takes back.

    Args:
        policy: with spare rows.
        metrics: where it is counted.
    """

    def __init__(self, policy: Policy, metrics: Metrics) -> None:
        self.policy, self.metrics = policy, metrics
        self._thread = ThreadPoolExecutor(1, "policy")
        self._waiting: dict[int, Waiting] = {}
        self._wake = asyncio.Event()

    async def call(self, function: Callable[..., Found], *arguments: Any) -> Found:
        """Do something to the policy between two passes."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    async def act(self, row: int, observation: Any, writes: bool, task: str) -> tuple[Any, dict[str, float]]:
        """The action of a row, and how long it waited and took, in milliseconds."""
        answer: asyncio.Future[tuple[Any, dict[str, float]]] = asyncio.get_running_loop().create_future()
        self._waiting[row] = Waiting(observation, writes, task, answer, time.monotonic())
        self._wake.set()
        return await answer

    async def run(self) -> None:
        """Pass after pass, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            # Writing takes a pass per word, so who moves goes first and does not wait for it to end within one pass.
            for writes in (False, True):
                taken = {row: each for row, each in self._waiting.items() if each.writes is writes}
                for row in taken:
                    del self._waiting[row]
                if taken:
                    await self._pass(taken)
            if self._waiting:
                self._wake.set()

    async def _pass(self, taken: dict[int, Waiting]) -> None:
        begun = time.monotonic()
        observations = [taken[row].observation if row in taken else None for row in range(self.policy.rows)]
        try:
            actions = await self.call(self.policy.act, observations)
        except Exception as error:  # the callers say so to their robots; the next pass goes on
            for each in taken.values():
                if not each.answer.done():
                    each.answer.set_exception(error)
            return
        took = time.monotonic() - begun
        self.metrics.batch.observe(len(taken))
        self.metrics.act.observe(took)
        for row, each in taken.items():
            self.metrics.wait.labels(each.task).observe(begun - each.since)
            self.metrics.actions.labels(each.task).inc()
            if not each.answer.done():  # its robot may be gone
                timing = {"wait_ms": 1e3 * (begun - each.since), "infer_ms": 1e3 * took, "rows": float(len(taken))}
                each.answer.set_result((actions[row], timing))

    def close(self) -> None:
        """End the thread after what it is doing."""
        self._thread.shutdown()
