"""The trainer: AdamW, warm-up, cosine, clipping, bf16 where it pays; resumes digit for digit."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from opengato.agent.agent import Agent, load_weights
from opengato.agent.device import pick_device
from opengato.agent.model import Batch
from opengato.errors import OpengatoError
from opengato.training import checkpoint, distributed
from opengato.training.allocator import keep_memory
from opengato.training.arrays import TaskArrays
from opengato.training.metrics import MetricsLog
from opengato.training.mixture import Mixture, MixtureConfig, refuse
from opengato.training.parcel import Parcel


@dataclass(frozen=True)
class TrainerConfig:
    """How weights are fitted.

    Args:
        steps: optimiser steps.
        learning_rate, warmup, final_rate: peak, linear warm-up steps, and the share of the peak at the cosine's end.
        weight_decay, beta1, beta2, clip: AdamW's and the gradient norm's bound.
        precision: "auto" takes bf16 where the processor multiplies it natively.
        checkpoint_minutes: time between checkpoints; the last step is always saved.
        log_seconds: time between log lines.
        workers: processes that prepare batches; 0 prepares them in the trainer's own.
        device: "auto" takes a CUDA GPU where there is one.
        mixture: how batches are drawn.
        weights: per task or pattern its share of positions (see `Mixture`).
        accumulate: batches whose gradients make up one step, for steps that do not fit into memory at once.
        gradient_checkpointing: compute each block anew in the backward pass rather than keep what it computed: a third
            more work, for a fraction of the memory.
        shard: several processes share the weights out rather than keep a copy each (`sharding.py`), for models that do
            not fit on one device.
        seed: of the mixture and of everything random in the model.
    """

    steps: int = 1000
    learning_rate: float = 1e-3
    warmup: int = 100
    final_rate: float = 0.05
    weight_decay: float = 0.05
    beta1: float = 0.9
    beta2: float = 0.95
    clip: float = 1.0
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    checkpoint_minutes: float = 5.0
    log_seconds: float = 10.0
    workers: int = 1
    device: str = "auto"
    mixture: MixtureConfig = field(default_factory=MixtureConfig)
    weights: Mapping[str, float] = field(default_factory=dict)
    accumulate: int = 1
    gradient_checkpointing: bool = False
    shard: bool = False
    seed: int = 0

    def check(self) -> None:
        """Raises OpengatoError where a value is outside its legal range."""
        legal = {
            "steps": (self.steps >= 1, "1 or more"),
            "accumulate": (self.accumulate >= 1, "1 or more"),
            "seed": (0 <= self.seed < 2**31, f"0 to {2**31 - 1}"),
            "learning_rate": (self.learning_rate > 0, "more than 0"),
            "clip": (self.clip > 0, "more than 0"),
            "final_rate": (0 <= self.final_rate <= 1, "0 to 1"),
            **{name: (0 <= getattr(self, name) < 1, "0 to below 1") for name in ("beta1", "beta2")},
            **{name: (getattr(self, name) >= 0, "0 or more")
               for name in ("warmup", "weight_decay", "checkpoint_minutes", "log_seconds", "workers")},
        }  # fmt: skip
        refuse(self, legal)
        self.mixture.check()


class Trainer:
    """Fits an agent to demonstrations.

    Args:
        agent: to be trained in place.
        tasks: its demonstrations.
        config: how.
        out: folder of the run, for checkpoints and metrics; None keeps nothing.
        identity: what makes this run another run than one that `out` may hold; JSON values.

    Attributes:
        whole: whether weights and optimiser are those after `step` updates, and worth keeping.

    Raises:
        OpengatoError: illegal settings, or demonstrations that can't be drawn (`Mixture`).
    """

    def __init__(
        self, agent: Agent, tasks: Sequence[TaskArrays], config: TrainerConfig, out: Path | None = None,
        identity: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        config.check()
        self.agent, self.config, self.out = agent, config, out
        self.identity = {**(identity or {}), "tasks": [task.task for task in tasks], "seed": config.seed}
        self.rank, self.world = distributed.place()
        if config.accumulate * self.world > 1:  # what a step is made of
            self.identity["batches"] = config.accumulate * self.world
        agent.model.transformer.checkpointing = config.gradient_checkpointing
        self.device = pick_device(config.device)
        if self.device.type == "cpu":
            keep_memory()
        agent.model.to(self.device)
        self.tasks = [task.task for task in tasks]
        self.mixture = Mixture(tasks, agent.model.config, config.mixture, config.weights, config.seed)
        self.sharded = config.shard and self.world > 1
        self._saves: Any = None
        if self.sharded:
            from opengato.training import sharding  # a second of imports

            sharding.shard(agent.model)
            self._saves = sharding.Checkpoints(out) if out else None
        self.optimizer = _optimizer(agent.model, config)
        self.step, self.seconds = 0, 0.0  # seconds: of this run, over all its resumptions
        self.whole = True
        self.bf16 = config.precision == "bf16" or (config.precision == "auto" and native_bf16(self.device))

    def resume(self) -> bool:
        """Go on from the newest whole checkpoint of the run, if there is one, with the statistics that it has.

        Raises:
            OpengatoError: `out` holds another run, one on other demonstrations, or a damaged checkpoint.
        """
        found = checkpoint.checkpoints(self.out) if self.out else []
        if not found:
            return False
        checkpoint.check_identity(found[-1], self.identity)
        if self.sharded:
            from opengato.training import sharding

            state = sharding.load(found[-1], self.agent.model, self.optimizer)
        else:
            load_weights(self.agent.model, found[-1] / "model.safetensors")
            state = checkpoint.load_state(found[-1], self.optimizer)
        self._go_on_with(state)
        self.step, self.seconds = int(state["step"]), float(state.get("seconds", 0.0))
        return True

    def run(self, stop_after: int | None = None, watch: Callable[[int], bool] | None = None) -> list[float]:
        """Train to the configured number of steps, or `stop_after` of them in this call.

        Args:
            stop_after: steps in this call at most.
            watch: called with the number of steps taken, at the start and after each; True ends the run there.

        Returns:
            The loss of every step taken.
        """
        last = min(self.config.steps, self.step + stop_after) if stop_after else self.config.steps
        losses: list[float] = []
        log = MetricsLog(self.out, self.tasks, self.config.steps, self.config.log_seconds) if self.rank == 0 else None
        saved = time.monotonic()
        self.agent.model.train()
        batches = self._batches(self.step, last)
        over = watch(self.step) if watch else False
        try:
            while self.step < last and not over:
                began = time.perf_counter()
                drawn = [next(batches) for _ in range(self.config.accumulate)]
                waited = time.perf_counter() - began
                loss, parts = self.update(*drawn)
                losses.append(loss)
                if watch:
                    over = watch(self.step)
                self.seconds += time.perf_counter() - began
                if log:
                    log.add(self.step, loss, parts, waited, time.perf_counter() - began, drawn, self.rate())
                due = time.monotonic() - saved > 60 * self.config.checkpoint_minutes and self.step < last
                if self.out and (distributed.anyone(due, self.device) if self.sharded else due):
                    self.save()
                    saved = time.monotonic()
        finally:  # Ctrl-C, too, keeps what was learnt; but shares can only be saved where all processes are
            if self.out and losses and self.whole and (self.step == last or not self.sharded):
                self.save()
                if self._saves:
                    self._saves.finish()
            if log:
                log.close()
            self.agent.model.eval()
        return losses

    def update(self, *batches: Batch) -> tuple[float, tuple[torch.Tensor, torch.Tensor]]:
        """One optimiser step on all targets of these batches.

        Returns:
            The loss, and losses with task numbers of this process's targets.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        mine = sum(float(target.weight.sum()) for batch in batches for target in batch.laid.all_targets)
        total = distributed.total(mine, self.device)
        self.optimizer.zero_grad(set_to_none=True)
        whole, parts = 0.0, []
        each = self.config.accumulate * self.world
        for index, batch in enumerate(batches):
            # What is random depends on the batch's number alone: not on what was before, nor on who works it off.
            torch.manual_seed((self.config.seed << 32) + self.step * each + self.rank + index * self.world)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                model = self.agent.model
                losses_of: Any = model.all_losses if self.sharded else model.losses
                losses, weights, tasks = losses_of(batch.to(self.device))
            loss = (losses * weights).sum() / total
            (loss * self.world if self.sharded else loss).backward()  # shares of gradients are means, not sums
            whole += loss.item()
            counts = weights > 0
            parts.append((losses.detach()[counts], tasks[counts]))
        whole = distributed.total(whole, self.device)
        if not math.isfinite(whole):
            self.whole = False  # a run that goes on from here would end here again
            raise OpengatoError(
                f"the loss is {whole} at step {self.step}. Next: a lower learning_rate, or precision=fp32."
            )
        if not self.sharded:
            distributed.add_gradients(self.agent.model)
        torch.nn.utils.clip_grad_norm_(self.agent.model.parameters(), self.config.clip)
        self.whole = False  # an update that Ctrl-C breaks off belongs to no step
        self.optimizer.step()
        self.step += 1
        self.whole = True
        found, of = (torch.cat(column) for column in zip(*parts, strict=True))
        return whole, (found, of)

    def rate(self) -> float:
        """Learning rate of the next step: linear warm-up, then half a cosine."""
        config = self.config
        if self.step < config.warmup:
            return config.learning_rate * (self.step + 1) / config.warmup
        done = (self.step - config.warmup) / max(1, config.steps - config.warmup)
        wave = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        return config.learning_rate * (config.final_rate + (1 - config.final_rate) * wave)

    def save(self) -> None:
        """Write a checkpoint into the run's folder, once for all processes."""
        assert self.out is not None
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "identity": self.identity,
            "demonstrations": self._demonstrations(),
            "statistics": {sign: [row.tolist() for row in rows] for sign, rows in self.agent.statistics.items()},
            "config": json.loads(json.dumps(asdict(self.config))),
        }
        if self._saves:
            self._saves.save(self.agent.model, self.optimizer, state)
        elif not self.rank:
            checkpoint.save(self.out, self.agent, self.optimizer, state)

    def _go_on_with(self, state: dict[str, Any]) -> None:
        """Take the statistics that the weights were fitted to. Raises OpengatoError where demonstrations changed."""
        now = self._demonstrations()
        for task, before in state.get("demonstrations", now).items():
            if before != now[task]:
                raise OpengatoError(
                    f"{str(self.out)!r} holds a run on other demonstrations: {task} had {before[0]} episodes of "
                    f"{before[1]} timesteps, now {now[task][0]} of {now[task][1]}. "
                    "Next: give another out=, or delete that folder."
                )
        for sign, rows in state.get("statistics", {}).items():
            self.agent.statistics[sign] = (np.asarray(rows[0], np.float32), np.asarray(rows[1], np.float32))
        for each in self.mixture.tasks:
            each.codec = self.agent.codec(each.spec)

    def _demonstrations(self) -> dict[str, list[int]]:
        """Per task episodes and timesteps."""
        return {task.task: [len(task), int(task.starts[-1])] for task in self.mixture.tasks}

    def trained(self) -> Agent:
        """The agent, whole in the first process even where its weights are shared out."""
        if not self.sharded:
            return self.agent
        from opengato.training import sharding

        return sharding.gathered(self.agent)

    def _batches(self, first: int, last: int) -> Iterator[Batch]:
        each = self.config.accumulate * self.world
        mine = range(first * each + self.rank, last * each, self.world)
        loader = DataLoader(
            _Numbered(self.mixture, mine), batch_size=None, shuffle=False, num_workers=self.config.workers,
            multiprocessing_context="spawn" if self.config.workers else None,
            prefetch_factor=4 if self.config.workers else None, pin_memory=self.device.type == "cuda",
        )  # fmt: skip
        return (parcel.open() for parcel in loader)


class _Numbered(Dataset[Parcel]):
    """Batches of these numbers, in the form that a loader's workers want."""

    def __init__(self, mixture: Mixture, numbers: range) -> None:
        self.mixture, self.numbers = mixture, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Parcel:
        return Parcel.pack(self.mixture.batch(self.numbers[index]))


def _optimizer(model: torch.nn.Module, config: TrainerConfig) -> torch.optim.Optimizer:
    """AdamW; weight decay for the matrices of layers, none for tables, gains and biases."""
    tables = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    learnt = [p for p in model.parameters() if p.requires_grad]
    decayed = [p for p in learnt if p.ndim > 1 and id(p) not in tables]
    others = [p for p in learnt if p.ndim <= 1 or id(p) in tables]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(config.beta1, config.beta2), eps=1e-8, fused=True)


def native_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 natively (on others it is slower than float32)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(
        getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
        or getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
    )
