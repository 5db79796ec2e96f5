"""What an agent makes of demonstrations that it is not trained on: its loss, beside that of a constant answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from opengato.agent.agent import Agent
from opengato.agent.laid import Targets, WordTargets
from opengato.agent.model import Model
from opengato.agent.smoothing import first_bin
from opengato.agent.values import BINS
from opengato.training.arrays import TaskArrays
from opengato.training.mixture import Mixture, MixtureConfig

BATCHES = 4
SEED = 0x6865  # of the batches: the same at every measurement


class Gauge:
    """Measures an agent on the same few batches of demonstrations of one task.

    Args:
        agent: whose loss it is.
        tasks: the demonstrations.
        mixture: how batches are drawn; pictures are not moved here.

    Attributes:
        ignorant: mean loss of who knows how often each action occurs, and nothing else. An agent above it knows nothing
            of the task.
    """

    def __init__(self, agent: Agent, tasks: Sequence[TaskArrays], mixture: MixtureConfig) -> None:
        self.agent = agent
        drawn = Mixture(tasks, agent.model.config, replace(mixture, shift={}), seed=SEED)
        self._batches = [drawn.batch(number) for number in range(BATCHES)]
        self.ignorant = ignorance([target for batch in self._batches for target in batch.laid.all_targets], agent.model)

    def loss(self) -> float:
        """Mean loss of the agent as it is now."""
        model = self.agent.model
        training, device = model.training, next(model.parameters()).device
        model.eval()
        total = weight = 0.0
        with torch.no_grad():
            for batch in self._batches:
                losses, weights, _ = model.losses(batch.to(device))
                total, weight = total + float((losses * weights).sum()), weight + float(weights.sum())
        model.train(training)
        return total / weight


def ignorance(targets: Sequence[Targets | WordTargets], model: Model) -> float:
    """Mean loss of who knows how often each action occurs among these targets of one task, and nothing else."""
    words = [target.ids[target.weight > 0] for target in targets if isinstance(target, WordTargets)]
    numbers = [target for target in targets if isinstance(target, Targets)]
    columns = [_entropy(torch.cat(words), None)] if words else []
    for number in range(numbers[0].tokens.shape[1] if numbers else 0):
        smooth = None if numbers[0].discrete[number] or not model.config.target_smoothing else model.smooth
        columns.append(_entropy(torch.cat([target.tokens[target.weight > 0, number] for target in numbers]), smooth))
    return sum(columns) / len(columns)


def _entropy(tokens_n: torch.Tensor, smooth: torch.Tensor | None) -> float:
    """Of how often each token occurs, those of a number spread over its neighbours as they are in the loss."""
    if smooth is None:
        counts = tokens_n.bincount().double()
    else:
        tokens_n, size = tokens_n.cpu(), smooth.shape[1]
        near = first_bin(tokens_n, size)[:, None] + torch.arange(size)
        weight = smooth.cpu().double()[tokens_n]
        counts = torch.zeros(BINS, dtype=torch.float64).index_add(0, near.flatten(), weight.flatten())
    share = counts[counts > 0] / counts.sum()
    return float(-(share * share.log()).sum())
