"""Metrics of a run: a line on the terminal, a JSON line, TensorBoard. Every line says how long the trainer waited for
data.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from opengato.agent.model import Batch


class MetricsLog:
    """Averages over a stretch of steps and writes one line for it.

    Args:
        out: folder of the run; None writes to the terminal only.
        tasks: names by task number.
        steps: planned, for the estimate of the time left.
        every_s: seconds between lines.
    """

    def __init__(self, out: Path | None, tasks: list[str], steps: int, every_s: float) -> None:
        self.tasks, self.steps, self.every_s = tasks, steps, every_s
        self._file = self._board = None
        if out:
            from torch.utils.tensorboard import SummaryWriter

            out.mkdir(parents=True, exist_ok=True)
            self._file = (out / "metrics.jsonl").open("a", encoding="utf-8")
            self._board = SummaryWriter(str(out / "tensorboard"))
        self._clear()

    def _clear(self) -> None:
        self._began = time.perf_counter()
        self._loss = self._waited = self._busy = 0.0
        self._count = self._positions = self._timesteps = 0
        self._sum = torch.zeros(len(self.tasks))
        self._hits = torch.zeros(len(self.tasks))

    def add(
        self, step: int, loss: float, parts: tuple[torch.Tensor, torch.Tensor], waited: float, took: float,
        batches: Sequence[Batch], rate: float,
    ) -> None:  # fmt: skip
        """Take in one step; writes a line when it is time."""
        losses, tasks = (tensor.cpu() for tensor in parts)
        self._sum.index_add_(0, tasks, losses.float())
        self._hits.index_add_(0, tasks, torch.ones_like(losses, dtype=torch.float32))
        self._loss += loss
        self._waited += waited
        self._busy += took
        self._count += 1
        self._positions += sum(int((batch.segment >= 0).sum()) for batch in batches)
        self._timesteps += sum(int((t.weight > 0).sum()) for batch in batches for t in batch.laid.targets)
        if self._busy >= self.every_s or step == self.steps:
            self._write(step, rate)
            self._clear()

    def _write(self, step: int, rate: float) -> None:
        per_task = {
            task: round(float(self._sum[i] / self._hits[i]), 4)
            for i, task in enumerate(self.tasks)
            if self._hits[i] > 0
        }
        line: dict[str, Any] = {
            "step": step,
            "loss": round(self._loss / self._count, 5),
            "learning_rate": rate,
            "positions_per_s": round(self._positions / self._busy, 1),
            "timesteps_per_s": round(self._timesteps / self._busy, 1),
            "waiting_share": round(self._waited / self._busy, 4),
            "tasks": per_task,
        }
        left = (self.steps - step) * self._busy / self._count
        print(
            f"step {step}/{self.steps}  loss {line['loss']:.4f}  {line['positions_per_s']:.0f} positions/s  "
            f"{line['timesteps_per_s']:.0f} timesteps/s  waiting {100 * line['waiting_share']:.0f} %  "
            f"left {left / 60:.1f} min",
            flush=True,
        )
        if self._file:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        if self._board:
            for name in ("loss", "learning_rate", "positions_per_s", "timesteps_per_s", "waiting_share"):
                self._board.add_scalar(name, line[name], step)
            for task, value in per_task.items():
                self._board.add_scalar(f"loss/{task}", value, step)

    def close(self) -> None:
        """Flush and close the files."""
        for part in (self._file, self._board):
            if part:
                part.close()
