"""`opengato bench`: how fast this machine trains and acts, ours and the plain reference in turn, in one run.

Absolute times mean little on a shared machine, so what counts are the ratios of medians: both sides are timed in turn,
round after round, and what disturbs one disturbs the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import torch

from opengato.agent import Agent
from opengato.agent.device import device_name, pick_device
from opengato.agent.model import Batch
from opengato.benchmarks import ours, rollouts
from opengato.benchmarks.plain import SEPARATOR, Plain, PlainActor
from opengato.errors import OpengatoError
from opengato.evaluation.provenance import commit, machine, versions, write_json
from opengato.training.trainer import Trainer, native_bf16

PLAIN_ROWS = 4
EARLY = 4  # actions of the plain reference that count as the start of an episode
LATE = 200  # actions timed early and late in a long episode, from step 1 000 on and before its end


@dataclass(frozen=True)
class BenchConfig:
    """Measuring speed.

    Args:
        quick: one thread, few rounds, no pictures, no long episode, no collecting and evaluating.
        device: "cpu", or "cuda" for the same on a GPU.
        large: the `1b` preset as well; needs a GPU.
        threads: of PyTorch, one table each.
        rounds: how often both sides are timed in turn.
        updates, actions: timed per side and round.
        episode: timesteps after which an action is timed once more, to show that it costs the same late in an episode;
            0 leaves that out.
        out: file for table and JSON (`.md` and `.json` are appended); None prints only.
    """

    quick: bool = False
    device: str = "cpu"
    large: bool = False
    threads: list[int] = field(default_factory=lambda: [1, 2])
    rounds: int = 5
    updates: int = 4
    actions: int = 40
    episode: int = 50_000
    out: str | None = None


def bench(config: BenchConfig) -> dict[str, Any]:
    """Measure. Returns ratios, medians, and where they come from; see `docs/performance.md`."""
    if config.episode and config.episode < 1000 + 2 * LATE:
        raise OpengatoError(f"episode is {config.episode}; legal: 0, or {1000 + 2 * LATE} and more.")
    if not config.threads or min(config.threads) < 1:
        raise OpengatoError(
            f"threads is {list(config.threads)}; legal: one or more numbers from 1 on. Next: threads=[1]"
        )
    if config.actions <= EARLY:
        raise OpengatoError(f"actions is {config.actions}; legal: {EARLY + 1} and more.")
    device = pick_device(config.device)
    if config.large and device.type != "cuda":
        raise OpengatoError(f"large=true needs a GPU; device is {config.device}. Next: device=cuda.")
    threads, rounds, updates = list(config.threads), config.rounds, config.updates
    actions, episode = config.actions, config.episode
    if config.quick:
        threads, rounds, updates, actions, episode = [1], 4, 1, 16, 0
    before = torch.get_num_threads()
    cases = []
    try:
        for count in threads:
            torch.set_num_threads(count)
            found = measure(rounds, updates, actions, episode, not config.quick, device)
            cases.append({"threads": count, **found})
    finally:
        torch.set_num_threads(before)
    if config.large:
        from opengato.benchmarks import large  # it takes this module's clocks

        cases[0]["large"] = large.training(rounds, updates, device)
        cases[0]["large_acting"] = large.acting(rounds, actions, device)
    found = {
        "ratios": cases[0]["ratios"], "cases": cases, "device": device_name(device),
        "rounds": rounds, "updates": updates, "actions": actions,
        "precision": "bf16" if native_bf16(device) else "float32",
        "commit": commit(), "machine": machine(), "versions": versions(),
    }  # fmt: skip
    if config.out:
        write_json(Path(f"{config.out}.json"), found)
        Path(f"{config.out}.md").write_text(table(found), encoding="utf-8")
    return found


def measure(rounds: int, updates: int, actions: int, episode: int, whole: bool, device: torch.device) -> dict[str, Any]:
    """One number of threads: ratios, and medians of seconds and rates."""
    train = training(rounds, updates, device, sides=tuple(ours.MODELS) if whole else ("default", "pool1"))
    act = acting(rounds, actions, episode, device)
    rates, times = train["timesteps_per_s"], act["seconds"]
    ratios = {
        "train_pool1": rates["pool1"] / rates["plain"],
        "train_default": rates["default"] / rates["plain"],
        "action_full": times["full"]["p50"] / times["plain_full"]["p50"],
        "action_full_over_empty": times["full"]["p50"] / times["empty"]["p50"],
        "batch16": 16 * times["empty"]["p50"] / times["batch16"]["p50"],
        "batch16_full": 16 * times["full"]["p50"] / times["batch16_full"]["p50"],
        "load_over_train": rates["load"] / rates["default"],
    }
    if "flat" in rates:
        ratios["train_flat"] = rates["flat"] / rates["plain"]
    if episode:
        ratios["action_late_over_early"] = times["late"]["p50"] / times["early"]["p50"]
    found: dict[str, Any] = {"training": train, "acting": act}
    if whole:
        found["pictures"] = training(max(2, rounds // 2), max(2, updates // 2), device, pictures=True)
        seen = found["pictures"]["timesteps_per_s"]
        ratios["train_pool1_pictures"] = seen["pool1"] / seen["plain"]
        ratios["train_default_pictures"] = seen["default"] / seen["plain"]
        ratios["train_flat_pictures"] = seen["flat"] / seen["plain"]
        found["collecting"] = rollouts.collecting(rounds, 40, torch.get_num_threads())
        found["evaluating"] = rollouts.evaluating(rounds, 40)
        for name in ("collecting", "evaluating"):
            ratios[name] = median(found[name]["ours"]) / median(found[name]["plain"])
    return {"ratios": {name: round(value, 3) for name, value in ratios.items()}, **found}


def training(
    rounds: int, updates: int, device: torch.device, pictures: bool = False, sides: tuple[str, ...] = tuple(ours.MODELS)
) -> dict[str, Any]:
    """Timesteps and positions per second of an update: the plain reference, and ours in these layouts.

    Every side has about 4 000 positions an update, AdamW, clipping and the same precision. In the case with a picture
    the reference embeds its 16 patches of 16 × 16 with one linear layer.
    """
    model = Plain(observed=16 if pictures else ours.OBSERVED)
    plain = PlainTrainer(model, pictures, device)
    ready = {name: ours.trainer(ours.MODELS[name], PLAIN_ROWS, pictures, device.type) for name in sides}
    return in_turn(plain, ready, rounds, updates, load="default")


def in_turn(plain: PlainTrainer, ready: dict[str, Trainer], rounds: int, updates: int, load: str) -> dict[str, Any]:
    """Time updates of all sides in turn, and the drawing of batches of one of them."""
    sides: dict[str, Callable[[int], tuple[float, int]]] = {"plain": plain.update}
    sides |= {name: partial(timed_update, trainer) for name, trainer in ready.items()}
    sizes = {name: PLAIN_ROWS * trainer.agent.model.config.window for name, trainer in ready.items()}
    sizes["plain"] = plain.positions
    taken: dict[str, list[tuple[float, int]]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, update in sides.items():
            of = [update(step) for step in range(turn * updates, (turn + 1) * updates)]
            taken[name] += of if turn else []  # the first turn is a rehearsal
    seconds = {name: [took for took, _ in of] for name, of in taken.items()}
    rates = {name: mean(count for _, count in of) / median(seconds[name]) for name, of in taken.items()}
    positions = {name: size / median(seconds[name]) for name, size in sizes.items()}
    drawn = [_draw(ready[load], step) for step in range(8 * rounds)]
    rates["load"] = mean(count for _, count in drawn) / median(took for took, _ in drawn)
    return {
        "timesteps_per_s": {name: round(rate, 1) for name, rate in rates.items()},
        "positions_per_s": {name: round(rate) for name, rate in positions.items()},
        "update_s": {name: quantiles(values) for name, values in seconds.items()},
    }


class PlainTrainer:
    """Updates of the plain reference on random tokens.

    Args:
        model: the network.
        pictures: whether a picture takes the place of the numbers observed.
        device: where.
    """

    def __init__(self, model: Plain, pictures: bool, device: torch.device) -> None:
        torch.manual_seed(0)
        self.patches, self.device = 16 if pictures else 0, device
        self.model = model.to(device)
        self.patch = torch.nn.Linear(3 * 16 * 16, 256).to(device) if pictures else None
        parameters = [*self.model.parameters(), *(self.patch.parameters() if self.patch else [])]
        self.optimizer = torch.optim.AdamW(parameters, lr=1e-3, fused=True)
        self.parameters = parameters
        self.steps = self.model.window // self.model.stride
        self.positions = PLAIN_ROWS * self.steps * self.model.stride
        self.bf16 = native_bf16(device)

    def update(self, step: int) -> tuple[float, int]:
        """Seconds of one update, and the timesteps it learnt from."""
        rng = np.random.default_rng(step)
        stride, model = self.model.stride, self.model
        tokens = torch.from_numpy(rng.integers(0, SEPARATOR, (PLAIN_ROWS, self.steps, stride)))
        tokens[:, :, model.observed] = SEPARATOR
        pixels = torch.from_numpy(rng.integers(0, 256, (PLAIN_ROWS, self.steps, self.patches, 768), np.uint8))
        began = time.perf_counter()
        tokens, pixels = tokens.to(self.device), pixels.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            if self.patch is None:
                loss = model.loss(tokens.flatten(1))
            else:
                x = model.table(tokens)
                x = torch.cat([self.patch(pixels.float() / 127.5 - 1).to(x.dtype), x[:, :, self.patches :]], 2)
                h = model.hidden(x.flatten(1, 2)).unflatten(1, (-1, stride))
                logits = model.head(h[:, :, model.observed : model.observed + model.done]).float()
                target = tokens[:, :, model.observed + 1 :]
                loss = torch.nn.functional.cross_entropy(logits.flatten(0, 2), target.flatten())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        loss.item()
        return time.perf_counter() - began, PLAIN_ROWS * self.steps


def timed_update(trainer: Trainer, step: int) -> tuple[float, int]:
    """Seconds of one update of ours, the drawing of the batch aside, and the timesteps it learnt from."""
    batch = trainer.mixture.batch(step)
    began = time.perf_counter()
    trainer.update(batch)
    return time.perf_counter() - began, _timesteps(batch)


def _draw(trainer: Trainer, step: int) -> tuple[float, int]:
    """Seconds of drawing and tokenising one batch, and its timesteps."""
    began = time.perf_counter()
    batch = trainer.mixture.batch(step)
    return time.perf_counter() - began, _timesteps(batch)


def _timesteps(batch: Batch) -> int:
    return sum(int((target.weight > 0).sum()) for target in batch.laid.targets)


def acting(rounds: int, actions: int, episode: int, device: torch.device) -> dict[str, Any]:
    """Seconds of an action at the start of an episode and with the window full, of one environment and of 16."""
    rng = np.random.default_rng(0)
    agent = Agent.new(ours.MODELS["default"])
    agent.model.to(device)
    sides = {name: agent.policy(ours.spec(), batch_size=16 if "16" in name else 1) for name in
             ("empty", "full", "batch16", "batch16_full")}  # fmt: skip
    for name, policy in sides.items():
        if "full" in name:
            ours.fill(policy)
    model = Plain().eval().to(device)
    seconds: dict[str, list[float]] = {}

    def timed(name: str, act: Callable[[], Any]) -> None:
        began = time.perf_counter()
        act()
        seconds.setdefault(name, []).append(time.perf_counter() - began)

    for turn in range(rounds + 1):
        plain = PlainActor(model)
        for name, policy in sides.items():
            if "full" not in name:
                policy.reset()
        for number in range(actions):
            seen = torch.from_numpy(rng.integers(0, SEPARATOR, (1, ours.OBSERVED)))
            if number >= EARLY:
                plain.at = model.window - model.stride - 1  # the last timestep that fits
            timed("plain_empty" if number < EARLY else "plain_full", partial(plain.act, seen))
            for name, policy in sides.items():
                timed(name, partial(policy.act, [ours.observation(rng) for _ in range(policy.rows)]))
        if not turn:
            seconds.clear()  # a rehearsal
    if episode:  # in turn, since between the start and the end of a long one a machine changes its pace
        ages = {"early": 1000, "late": episode - LATE}
        of_age = {name: agent.policy(ours.spec()) for name in ages}
        for name, policy in of_age.items():
            for _ in range(ages[name]):
                policy.act(ours.observation(rng))
        for _ in range(LATE):
            for name, policy in of_age.items():
                timed(name, partial(policy.act, ours.observation(rng)))
    return {"seconds": {name: quantiles(values) for name, values in seconds.items()}}


def quantiles(values: list[float]) -> dict[str, float]:
    """Median, 95th and 99th percentile, and how many."""
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    return {"p50": round(float(p50), 6), "p95": round(float(p95), 6), "p99": round(float(p99), 6), "n": len(values)}


def table(found: dict[str, Any]) -> str:
    """The ratios and what they are made of, in Markdown."""
    lines = [f"Commit {found['commit']}, {found['machine']['processor']}, {found['device']}, {found['precision']}.", ""]
    for case in found["cases"]:
        lines += [f"**{case['threads']} thread(s)**", "", "| ratio | |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in case["ratios"].items()]
        lines += ["", "| | timesteps/s | positions/s |", "|---|---|---|"]
        for title, part in (("", "training"), (", a picture a timestep", "pictures"), (", size of 1b", "large")):
            for name, rate in case.get(part, {}).get("timesteps_per_s", {}).items():
                lines.append(f"| {name}{title} | {rate} | {case[part]['positions_per_s'].get(name, '')} |")
        for name in ("collecting", "evaluating"):
            for side, found_rates in case.get(name, {}).items():
                lines.append(f"| {name}, {side} | {median(found_rates):.0f} | |")
        if "large" in case:
            share = case["large"]["ratios"]["of_ceiling"]
            lines += ["", f"The preset 1b multiplies at {share:.2f} of what plain bf16 products reach."]
        lines += ["", "| action | p50, ms | p95 | p99 | n |", "|---|---|---|---|---|"]
        acted = case["acting"]["seconds"] | case.get("large_acting", {}).get("seconds", {})
        for name, q in acted.items():
            lines.append(f"| {name} | {' | '.join(f'{1e3 * q[p]:.2f}' for p in ('p50', 'p95', 'p99'))} | {q['n']} |")
        lines.append("")
    return "\n".join(lines)


def run(config: BenchConfig, as_json: bool) -> Any:
    """The command."""
    found = bench(config)
    if as_json:
        return found
    print(table(found))
    return None
