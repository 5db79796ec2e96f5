"""Steps written by hand are what PyTorch composes, forward and backward."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from opengato.agent.kernels import Norm, gated, split_turned, turn
from opengato.agent.smoothing import gaussian, smoothed_loss, spread
from opengato.agent.transformer import rotary
from opengato.agent.values import BINS


def alike(mine: Callable[..., torch.Tensor], theirs: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> None:
    """Values and gradients of both, in double precision."""
    results = []
    for function in (mine, theirs):
        given = [each.detach().double().requires_grad_() for each in inputs]
        out = function(*given)
        weight = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        (out * weight).sum().backward()
        results.append([out.detach(), *(each.grad for each in given)])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_norm() -> None:
    norm = Norm(12).double()
    alike(norm, lambda x: F.rms_norm(x, (12,), norm.weight, 1e-6), drawn(2, 9, 12))
    x, gradients = drawn(2, 9, 12).double(), []
    for function in (norm, lambda x: F.rms_norm(x, (12,), norm.weight, 1e-6)):
        norm.weight.grad = None
        (function(x) * drawn(2, 9, 12, seed=3)).sum().backward()
        gradients.append(norm.weight.grad)
    torch.testing.assert_close(*gradients)


def test_norm_gives_the_type_that_is_multiplied() -> None:
    x = drawn(4, 12)
    with torch.autocast("cpu", torch.bfloat16):
        assert Norm(12)(x).dtype == torch.bfloat16
        assert Norm(12, keep=True)(x).dtype == torch.float32
    assert Norm(12)(x).dtype == torch.float32


def test_gated() -> None:
    up = nn.Linear(6, 10, bias=False).double()

    def composed(x: torch.Tensor) -> torch.Tensor:
        gate, value = up(x).chunk(2, -1)
        return F.gelu(gate) * value

    gradients = []
    for function in (lambda x: gated(x, up), composed):
        up.weight.grad = None
        alike(function, composed, drawn(3, 7, 6))
        up.weight.grad = None
        function(drawn(3, 7, 6).double()).square().sum().backward()
        gradients.append(up.weight.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("rows", [1, 3])
def test_turn(rows: int) -> None:
    place = torch.arange(5 * rows).view(rows, 5)  # one row of places for all, or each its own
    angles = rotary(place, 8, torch.float64)

    def composed(x: torch.Tensor) -> torch.Tensor:
        a, b = x.chunk(2, -1)
        cos, sin = (each[..., :4] for each in angles)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def by_parts(x: torch.Tensor) -> torch.Tensor:
        q, k, v = x.view(3, 5, 3, 2, 8).permute(2, 0, 3, 1, 4)
        return torch.stack([composed(q), composed(k), v])

    alike(lambda x: turn(x, angles), composed, drawn(3, 2, 5, 8))
    alike(lambda x: torch.stack(split_turned(x, 2, angles)), by_parts, drawn(3, 5, 48))


@pytest.mark.parametrize("sigma", [0.0, 3.0, 16.0])
def test_smoothed_loss(sigma: float) -> None:
    weight = gaussian(sigma).double()
    tokens = torch.randint(0, BINS, (6, 3), generator=torch.Generator().manual_seed(0))
    tokens[0] = torch.tensor([0, 2, BINS - 1])  # past the ends the last bin stands in

    def composed(scores: torch.Tensor) -> torch.Tensor:
        reach = len(weight) // 2
        near = (tokens[..., None] + torch.arange(-reach, reach + 1)).clamp(0, BINS - 1)
        return -(scores.log_softmax(-1).gather(-1, near) * weight).sum(-1)

    alike(lambda scores: smoothed_loss(scores, tokens, spread(weight)), composed, 3 * drawn(6, 3, BINS))


def test_a_loss_past_what_a_probability_can_say_is_large_and_finite() -> None:
    scores = torch.zeros(1, 1, BINS)
    scores[..., 900] = 500.0
    loss = smoothed_loss(scores.requires_grad_(), torch.tensor([[3]]), spread(gaussian(3.0)))
    loss.sum().backward()
    assert 80 < loss.item() < 100
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
