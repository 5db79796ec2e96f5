"""A few demonstrations kept out of fine-tuning: their loss tells whether it did harm.

An agent that could do the task before may be worse after: then its best moment is kept, at worst its start, and where
nothing but harm comes of it for long, the run ends early. Where the loss ends below where it began, the end is kept,
though the loss may have been lower on the way: an agent goes on learning to act after the loss of its words has turned
(docs/log.md). The end is kept as well where the start knew nothing of the task, that is, told actions no better than
who only knows how often each of them occurs: there is nothing to lose, and a loss that rises from there says that the
agent is sure of itself where demonstrations differ. One that was given other eyes (`recolour.py`) may know the task
through them, and is judged by what it tells with them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from opengato.agent.agent import Agent, load_weights
from opengato.errors import OpengatoError
from opengato.training.arrays import TaskArrays
from opengato.training.gauge import Gauge
from opengato.training.mixture import MixtureConfig

MOMENTS = 10  # of a run at which the loss is measured, beside its start
PATIENCE = 4  # of them in a row above the start, until a run that began with knowledge is given up
WEIGHTS, FACTS = "best.safetensors", "best.json"


class HeldBack:
    """Watches a trainer and keeps the weights that had the lowest loss on demonstrations it is not trained on.

    Args:
        agent: being trained.
        tasks: the demonstrations held back.
        mixture: how batches are drawn; pictures are not moved here.
        steps: of the whole run.
        out: folder for the best weights so far, from which a resumed run goes on.

    Attributes:
        losses: update → loss after it, of this run alone: what another left in `out` is not looked at.
    """

    def __init__(
        self, agent: Agent, tasks: Sequence[TaskArrays], mixture: MixtureConfig, steps: int, out: Path
    ) -> None:
        self.agent, self.steps, self.every, self.out = agent, steps, max(1, steps // MOMENTS), out
        self.gauge = Gauge(agent, tasks, mixture)
        self.losses: dict[int, float] = {}

    def watch(self, step: int) -> bool:
        """After `step` updates: measure if it is time to, and keep the weights if they are the best.

        Returns:
            Whether there is no point in going on: the start knew something, and the last `PATIENCE` moments are worse.

        Raises:
            OpengatoError: the run was resumed, and what it measured before is missing or damaged.
        """
        if not step:
            self.losses = {}
        elif not self.losses:
            self.losses = self._kept()
        if not (step % self.every or step in self.losses):
            self._measure(step)
        latest = [loss for moment, loss in sorted(self.losses.items()) if moment][-PATIENCE:]
        return self._knew() and len(latest) == PATIENCE and min(latest) > self.losses[0]

    def _measure(self, step: int) -> None:
        best = min(self.losses.values(), default=float("inf"))
        self.losses[step] = self.gauge.loss()
        if self.losses[step] < best:
            part = self.out / f"{WEIGHTS}.part"
            save_file({name: value.contiguous() for name, value in self._weights().items()}, part)
            part.replace(self.out / WEIGHTS)
        part = self.out / f"{FACTS}.part"
        part.write_text(json.dumps(self.losses))
        part.replace(self.out / FACTS)

    def _kept(self) -> dict[int, float]:
        """What this run measured before it was resumed."""
        path = self.out / FACTS
        try:
            losses = {int(step): float(loss) for step, loss in json.loads(path.read_text()).items()}
            if 0 not in losses:
                raise ValueError("it lacks the start")
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise OpengatoError(
                f"{str(path)!r} is missing or damaged ({error}), and the run can't tell its best moment without. "
                "Next: restore it, or give another out=."
            ) from None
        return losses

    def choose(self) -> int:
        """Leave the agent as it is if its loss is below that of its start, or if it knew nothing then; else give it the
        weights of its best moment.

        Returns:
            The update after which it had the weights that it has now.
        """
        if not self._knew() or self.losses[max(self.losses)] < self.losses[0]:
            return self.steps
        load_weights(self.agent.model, self.out / WEIGHTS)
        return min(self.losses, key=lambda step: self.losses[step])

    def _knew(self) -> bool:
        """Whether the start told actions better than who only knows how often each occurs."""
        return self.losses[0] <= self.gauge.ignorant

    def _weights(self) -> dict[str, torch.Tensor]:
        return dict(self.agent.model.state_dict())
