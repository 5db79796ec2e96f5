"""Pictures as who writes sees them: form and colour apart."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch

from opengato.agent import reading
from opengato.agent.config import preset
from opengato.agent.reading import Reader, astray, outlines, tints
from opengato.envs.arm.objects import SceneObject
from opengato.envs.caption.scenes import picture


def scene(color: str, shape: str) -> torch.Tensor:
    return torch.from_numpy(picture((SceneObject(shape, color, 0.02, 0.01, yaw=0.2),)))[None]


def test_form_is_the_same_whatever_the_order_of_the_channels() -> None:
    pixels = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    form = outlines(pixels)
    assert form.shape == (2, 64, 64, 2)
    assert form.abs().max() <= 1
    for order in permutations(range(3)):
        torch.testing.assert_close(outlines(pixels[..., list(order)]), form)
        torch.testing.assert_close(tints(pixels[..., list(order)]), tints(pixels)[:, list(order)])


def test_form_tells_shapes_apart_more_than_colours() -> None:
    def apart(one: torch.Tensor, other: torch.Tensor) -> float:
        return float((outlines(one) - outlines(other)).norm())

    colours = max(apart(scene("red", shape), scene("blue", shape)) for shape in ("cube", "ball", "cone"))
    shapes = min(apart(scene("red", one), scene("red", other)) for one, other in (("cube", "ball"), ("ball", "cone")))
    assert shapes > colours


def test_tints_know_nothing_within_a_cell() -> None:
    pixels = torch.randint(0, 256, (1, 16, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    turned = pixels.view(1, 4, 4, 4, 4, 3).flip(2, 4).reshape(1, 16, 16, 3)
    torch.testing.assert_close(tints(turned), tints(pixels))
    assert not torch.allclose(outlines(turned), outlines(pixels))


def test_pictures_of_any_size_come_in_as_many_tiles() -> None:
    config = preset("nano")
    reader = Reader(config)
    for height, width in ((64, 64), (30, 50), (128, 96)):
        tiles = reader(torch.zeros(2, height, width, 3, dtype=torch.uint8))
        assert tiles.shape == (2, config.picture_grid**2, config.width)
        assert tiles.isfinite().all()


def test_some_pictures_are_read_without_saturation_in_training_only(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    reader, pixels = Reader(preset("nano")), scene("red", "cube").repeat(64, 1, 1, 1)
    grown = reader.eval()(pixels)
    assert torch.equal(grown[0], grown[-1])
    monkeypatch.setattr(reading, "astray", lambda colour: colour)
    learning = reader.train()(pixels)
    without = (learning - grown).abs().amax((1, 2)) > 1e-6
    assert 8 < int(without.sum()) < 32


def test_colours_of_tiles_go_astray_in_training_only(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(reading, "GREY", 0.0)
    reader, pixels = Reader(preset("nano")), scene("red", "cube").repeat(200, 1, 1, 1)
    grown, learning = reader.eval()(pixels), reader.train()(pixels)
    changed = ((learning - grown).abs().amax(2) > 1e-6).float().mean(1)  # share of each picture's tiles
    assert 0.35 < float((changed == 0).float().mean()) < 0.7
    assert 0.15 < float(changed.mean()) < 0.35


def test_a_colour_that_went_astray_is_none_or_another_tiles() -> None:
    torch.manual_seed(0)
    colour = torch.arange(1.0, 401.0).view(100, 4, 1).expand(-1, -1, 3)
    found = astray(colour)
    assert set(found.unique().tolist()) <= {0.0, *range(1, 401)}
    lost, other = (found == 0)[..., 0], ((found != colour) & (found != 0))[..., 0]
    assert 0.06 < float(lost.float().mean()) < 0.2
    assert 0.06 < float(other.float().mean()) < 0.2
    assert (found[lost | other] != colour[lost | other]).all()
