"""What `Pieces` makes of timesteps: tensors of what is embedded and where, and of what is predicted from where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch


class Tensors:
    """A bundle whose arrays move between devices together."""

    def to(self, device: torch.device | str) -> Any:
        """The same bundle on a device."""
        return replaced(self, torch.Tensor, lambda tensor: tensor.to(device, non_blocking=True))


def replaced(value: Any, kind: type, by: Callable[[Any], Any]) -> Any:
    """The same bundle with everything of a kind replaced, however deep it lies."""
    if isinstance(value, kind):
        return by(value)
    if isinstance(value, Tensors):
        parts = {field.name: replaced(getattr(value, field.name), kind, by) for field in fields(value)}  # type: ignore[arg-type]
        return type(value)(**parts)
    return [replaced(item, kind, by) for item in value] if isinstance(value, list) else value


@dataclass
class Numbers(Tensors):
    """Numbers of n timesteps of one embodiment.

    Args:
        tokens: int64 [n, m], bins or classes.
        discrete, classes: bool and int64 [m], arrays that stay with the processor: a GPU would be waited for to ask it.
        slots: int64 [m].
        dest: int64 [n, positions] flat positions; number j goes to position j // ceil(m / positions).
        keep: bool [n]; False hides the numbers (a learned vector stands in). Observations are never hidden.
        action: whether these are actions.
    """

    tokens: torch.Tensor
    discrete: np.ndarray
    classes: np.ndarray
    slots: torch.Tensor
    dest: torch.Tensor
    keep: torch.Tensor
    action: bool


@dataclass
class Pictures(Tensors):
    """Pictures of n timesteps.

    Args:
        pixels: per feature uint8 [n, height, width, channels].
        cameras: per feature the number of its first picture.
        reading: whether they are looked at to write a text.
        dest: int64 [n, positions].
    """

    pixels: list[torch.Tensor]
    cameras: list[int]
    reading: bool
    dest: torch.Tensor


@dataclass
class Words(Tensors):
    """Single text tokens with a position each: ids, role and index within the text, int64 [n]; dest int64 [n]."""

    ids: torch.Tensor
    role: torch.Tensor
    index: torch.Tensor
    dest: torch.Tensor


@dataclass
class PooledText(Tensors):
    """Texts that share one position each: ids int64 [n, tokens], mask bool [n, tokens], dest int64 [n]."""

    ids: torch.Tensor
    mask: torch.Tensor
    dest: torch.Tensor


@dataclass
class Targets(Tensors):
    """Actions to predict: from flat position source[n, A], token tokens[n, A]; per timestep a weight and a task
    number [n]."""

    source: torch.Tensor
    tokens: torch.Tensor
    discrete: np.ndarray
    classes: np.ndarray
    slots: torch.Tensor
    weight: torch.Tensor
    task: torch.Tensor


@dataclass
class WordTargets(Tensors):
    """Text tokens to predict.

    Args:
        source, ids, weight, task: [n] each, as in `Targets`.
        unshown: int64 [n, words], ids that this place never had, filled up with -1; see `training/unshown.py`.
    """

    source: torch.Tensor
    ids: torch.Tensor
    unshown: torch.Tensor
    weight: torch.Tensor
    task: torch.Tensor


@dataclass
class Laid(Tensors):
    """Everything of a batch that has a position or a target."""

    numbers: list[Numbers]
    pictures: list[Pictures]
    words: list[Words]
    pooled: list[PooledText]
    targets: list[Targets]
    word_targets: list[WordTargets]

    @property
    def all_targets(self) -> list[Targets | WordTargets]:
        """What is to be predicted, actions and words."""
        return [*self.targets, *self.word_targets]


def rounded(number: int) -> int:
    """The next number up with three leading binary digits and zeros behind them, a multiple of eight: the matrix
    library compiles a product for every new shape, which costs more than the product."""
    unit = 1 << max(3, (number - 1).bit_length() - 3)
    return number + -number % unit


READ_SHARE = 0.6  # of the positions; where more are read, picking them costs what it saves


def read_positions(laid: Laid, rows: int, length: int) -> torch.Tensor | None:
    """Positions in each row that something is predicted from, int64 [rows, N], filled up with 0; None where most are.

    The last block need not work out any other. N is a round number, as in `Pieces.done`.
    """
    sources = [target.source.flatten() for target in laid.all_targets]
    flat = torch.cat(sources).unique() if sources else torch.zeros(0, dtype=torch.int64)
    count = (flat // length).bincount(minlength=rows)
    most = int(count.max())
    if not 0 < most <= READ_SHARE * length:
        return None
    read = torch.zeros(rows, rounded(most), dtype=torch.int64)
    read[flat // length, torch.arange(len(flat)) - (count.cumsum(0) - count)[flat // length]] = flat % length
    return read
