"""Settings of the few-shot study."""

from __future__ import annotations

from dataclasses import dataclass, field

from opengato.agent.shipped import DEFAULT
from opengato.errors import OpengatoError, UnknownNameError

METHODS = ("generalist", "scratch", "nearest", "no-control", "lora")


@dataclass(frozen=True)
class FewshotConfig:
    """The study.

    Args:
        task: what is learnt; best a held-out one.
        agent: the generalist.
        demonstrations: numbers of demonstrations.
        series: draws of demonstrations; within one, fewer are part of more.
        pool: how many demonstrations there are to draw from; 0 for twice the most that is asked for. With the same pool
            separate studies are nested, too.
        methods: generalist (fine-tuned), scratch (its size from random weights), nearest (looks demonstrations up),
            no-control (an agent that was trained without control data, fine-tuned), lora (adapters fine-tuned).
        without_control: that agent.
        episodes: rollouts per run.
        along: rollouts at each moment of the curve along the way, on other seeds.
        moments: of that curve, beside its start.
        steps, learning_rate: of fine-tuning.
        noise: of demonstrations that are collected here (see `CollectConfig`).
        prompt: as in `evaluate`; a demonstration is the best of those that the learner was given.
        lora: rank of the adapters.
        seed: of subsets, training and rollouts.
        data_dir: where demonstrations lie, and where those collected here are put.
        out: folder of fewshot.json and report.html.
        plugins: files of the user that register tasks.
        threads: of PyTorch; 0 leaves its own choice.
    """

    task: str = ""
    agent: str = DEFAULT
    demonstrations: list[int] = field(default_factory=lambda: [1, 3, 10, 30])
    series: int = 3
    pool: int = 0
    methods: list[str] = field(default_factory=lambda: ["generalist", "scratch", "nearest"])
    without_control: str = ""
    episodes: int = 20
    along: int = 5
    moments: int = 5
    steps: int = 400
    learning_rate: float = 1.5e-3
    noise: float = 0.3
    prompt: str = "demonstration"
    lora: int = 16
    seed: int = 0
    data_dir: str = "data"
    out: str = "report/fewshot"
    plugins: list[str] = field(default_factory=list)
    threads: int = 0

    def check(self) -> None:
        """Raises OpengatoError where a value is illegal."""
        for method in self.methods:
            if method not in METHODS:
                raise UnknownNameError("method", method, METHODS, "Next: methods=[generalist,scratch,nearest]")
        if "no-control" in self.methods and not self.without_control:
            raise OpengatoError("no-control needs an agent. Next: without_control=FOLDER")
        for name in ("series", "episodes", "along", "moments", "steps"):
            if getattr(self, name) < 1:
                raise OpengatoError(f"{name} is {getattr(self, name)}; legal: 1 or more.")
        if not self.demonstrations or min(self.demonstrations) < 1:
            raise OpengatoError(f"demonstrations is {list(self.demonstrations)}; legal: one or more numbers from 1 on.")
        if self.pool and self.pool < max(self.demonstrations):
            raise OpengatoError(f"pool is {self.pool}; legal: 0, or {max(self.demonstrations)} or more here.")
        if self.moments > self.steps:
            raise OpengatoError(f"moments is {self.moments}; legal: up to steps, {self.steps}.")
