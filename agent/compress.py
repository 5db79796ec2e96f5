"""Smaller weights to act with: the blocks' matrices in bf16 or in int8, a half or a quarter of the memory.

A large model that acts in one body reads all its weights for a handful of positions, so the less there is to read, the
faster it acts. Everything but the matrices of the blocks (embeddings, norms, heads) stays in float32.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import nn
from torch.nn import functional as F

from opengato.agent.model import Model
from opengato.agent.transformer import MATRICES
from opengato.errors import UnknownNameError

Precision = Literal["fp32", "bf16", "int8"]
FEW = 8  # rows up to which int8 is multiplied as it is; more are faster with weights spread out to bf16 first


def compress(model: Model, precision: str) -> Model:
    """Replace the matrices of the blocks, in place. The model can act then, and no longer be trained or saved.

    Args:
        model: in float32.
        precision: "fp32" changes nothing; "bf16"; "int8" (per output a scale, symmetric; activations in bf16).

    Raises:
        UnknownNameError: another precision.
    """
    if precision not in get_args(Precision):
        raise UnknownNameError("precision", precision, get_args(Precision), "Next: precision=fp32")
    if precision != "fp32":
        kind = BfLinear if precision == "bf16" else Int8Linear
        for block in model.transformer.stack:
            for name in MATRICES:
                setattr(block, name, kind(getattr(block, name).weight.detach()))
    return model


class BfLinear(nn.Module):
    """A linear layer without bias whose weights lie in bf16.

    Args:
        weight: float [out, in].
    """

    weight: torch.Tensor

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight.bfloat16())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float [..., in] to float [..., out], of the type that came in."""
        return F.linear(x.to(self.weight.dtype), self.weight).to(x.dtype)


class Int8Linear(nn.Module):
    """A linear layer without bias whose weights are whole numbers from -127 to 127 times a scale per output.

    Args:
        weight: float [out, in].
    """

    weight: torch.Tensor
    scale: torch.Tensor

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        scale = weight.abs().amax(1).clamp(min=1e-8) / 127
        self.register_buffer("weight", (weight / scale[:, None]).round().to(torch.int8))
        self.register_buffer("scale", scale.bfloat16())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float [..., in] to float [..., out], of the type that came in."""
        rows = x.reshape(-1, x.shape[-1]).bfloat16()
        if len(rows) <= FEW and x.device.type == "cpu":
            y = torch._weight_int8pack_mm(rows, self.weight, self.scale)
        else:
            y = F.linear(rows, self.weight.bfloat16()) * self.scale
        return y.view(*x.shape[:-1], len(self.weight)).to(x.dtype)
