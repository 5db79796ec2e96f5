"""Tiles of a long window see what one product with the mask sees, forward and backward."""

import pytest
import torch

from opengato.agent.attention import LONG, Sight, attend


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.03), (torch.float32, 1e-4)])
@pytest.mark.parametrize("kind", ["causal", "horizon", "prompt", "segments", "padding", "mixed"])
def test_tiles_equal_the_masked_product(kind: str, dtype: torch.dtype, tolerance: float) -> None:
    place = torch.arange(2 * LONG + 40)  # no multiple of a tile
    causal = place[:, None] >= place
    near = causal & (place[:, None] // 24 - place // 24 < 3)
    masks = {
        "causal": causal,
        "horizon": near,
        "prompt": near | (causal & (place < 70)),  # what is seen has a gap
        "segments": causal & (place[:, None] // 200 == place // 200),
        "padding": causal & (place[:, None] < 300) & (place < 300),  # the end sees nothing
    }
    chosen = list(masks.values()) if kind == "mixed" else [masks[kind]] * 2
    mask = torch.stack(chosen)
    generator = torch.Generator().manual_seed(0)
    shape = (len(mask), 2, len(place), 16)
    inputs = [torch.randn(shape, generator=generator).to(dtype).requires_grad_() for _ in range(3)]
    exact = [each.detach().float().requires_grad_() for each in inputs]
    shows = mask.any(2)  # padding may see anything
    weight = torch.randn(shape[0], shape[2], 32, generator=generator) * shows[..., None]
    found = Sight(mask, dtype).attend(*inputs)
    wanted = attend(*exact, mask[:, None] | ~shows[:, None, :, None])
    (found.float() * weight).sum().backward()
    (wanted * weight).sum().backward()
    torch.testing.assert_close(
        found.float() * shows[..., None], wanted * shows[..., None], atol=tolerance, rtol=tolerance
    )
    for mine, theirs in zip(inputs, exact, strict=True):
        error = (mine.grad.float() - theirs.grad).norm() / theirs.grad.norm()
        assert error < tolerance, error
