"""The control of the imitation benchmark: plain behavioural cloning, numbers and words in, numbers out.

Shapes: n timesteps, F features, A action numbers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from opengato.agent.codec import Codec, Timesteps
from opengato.agent.values import BINS
from opengato.errors import OpengatoError
from opengato.training.arrays import TaskArrays

HIDDEN = 256
BATCH = 256
RATE = 1e-3


class Clone(nn.Module):
    """Two hidden layers of 256 (ReLU); squared error for continuous numbers, cross-entropy for classes.

    Args:
        codec: of the body, with the statistics of the demonstrations.
    """

    def __init__(self, codec: Codec) -> None:
        super().__init__()
        if codec.spec.images or codec.spec.text_action:
            raise OpengatoError("the control clones bodies that sense numbers and words and act in numbers.")
        self.codec = codec
        sense, act = codec.observation_scale, codec.action_scale
        size = int((~sense.discrete).sum() + sense.classes[sense.discrete].sum())
        self.words = len(codec.vocabulary) if codec.spec.texts else 0
        self.sizes = [int(n) if discrete else 1 for n, discrete in zip(act.classes, act.discrete, strict=True)]
        self.layers = nn.Sequential(
            nn.Linear(size + self.words, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(),
            nn.Linear(HIDDEN, sum(self.sizes)),
        )  # fmt: skip

    def features(self, steps: Timesteps) -> torch.Tensor:
        """Continuous numbers centred and scaled, classes one-hot, words as a bag: float [n, F]."""
        scale = self.codec.observation_scale
        rows = np.asarray(steps.values)
        centred = np.clip((rows - scale.mean) / scale.std, -10, 10)[:, ~scale.discrete]
        parts = [torch.from_numpy(np.ascontiguousarray(centred, np.float32))]
        for number in np.flatnonzero(scale.discrete):
            chosen = torch.from_numpy(rows[:, number].astype(np.int64))
            parts.append(F.one_hot(chosen, int(scale.classes[number])).float())
        if self.words:
            bag = torch.zeros(len(rows), self.words)
            for texts in steps.texts.values():
                for row, ids in enumerate(texts):
                    bag[row, ids] = 1
            parts.append(bag)
        return torch.cat(parts, 1)

    def loss(self, features: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Mean over timesteps of the summed losses of the numbers; actions float [n, A]."""
        scale = self.codec.action_scale
        total = torch.zeros(len(features))
        for number, out in enumerate(self.layers(features).split(self.sizes, 1)):
            if scale.discrete[number]:
                total = total + F.cross_entropy(out, actions[:, number].long(), reduction="none")
            else:
                wanted = (actions[:, number] - float(scale.mean[number])) / float(scale.std[number])
                total = total + (out[:, 0] - wanted) ** 2
        return total.mean()

    def fit(self, arrays: TaskArrays, seconds: float, seed: int, updates: int | None = None) -> int:
        """Adam until the time is up, or for so many updates, the rate falling to nothing; returns how many it took."""
        assert arrays.steps.actions is not None
        features = self.features(arrays.steps[:])
        actions = torch.from_numpy(np.asarray(arrays.steps.actions, np.float32))
        generator = torch.Generator().manual_seed(seed)
        optimizer = torch.optim.Adam(self.parameters(), lr=RATE)
        began, taken = time.perf_counter(), 0
        while (done := taken / updates if updates else (time.perf_counter() - began) / seconds) < 1:
            optimizer.param_groups[0]["lr"] = RATE * (1 - done)
            chosen = torch.randint(len(features), (BATCH,), generator=generator)
            optimizer.zero_grad()
            self.loss(features[chosen], actions[chosen]).backward()
            optimizer.step()
            taken += 1
        return taken

    def reset(self, rows: list[int] | None = None) -> None:
        """Nothing to forget."""

    @torch.inference_mode()
    def act(self, observations: Sequence[Any]) -> list[Any]:
        """One action per observation; None in, None out."""
        scale = self.codec.action_scale
        at = [row for row, observation in enumerate(observations) if observation is not None]
        steps = self.codec.observations([observations[row] for row in at])
        actions: list[Any] = [None] * len(observations)
        columns = []
        for number, out in enumerate(self.layers(self.features(steps)).split(self.sizes, 1)):
            if scale.discrete[number]:
                columns.append(out.argmax(1).numpy().astype(np.float32))
            else:  # as the bins' own scale has it, so that both sides leave through the same door
                columns.append(((out[:, 0].clamp(-1, 1).numpy() + 1) / 2 * BINS - 0.5).astype(np.float32))
        for row, tokens in zip(at, np.stack(columns, 1), strict=True):
            actions[row] = self.codec.action(tokens)
        return actions
