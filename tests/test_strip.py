"""A strip: the videos of a report side by side in one moving picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from opengato.errors import OpengatoError
from opengato.evaluation.evaluate import EvaluateConfig, settings
from opengato.evaluation.overlay import BAR, TURN_SIZE
from opengato.evaluation.results import add_results
from opengato.evaluation.strip import GAP, StripConfig, _square, strip
from opengato.evaluation.video import Mp4Writer

COLORS = {"a/red": (200, 0, 0), "a/green": (0, 200, 0), "b/blue": (0, 0, 200)}


@pytest.fixture
def report(tmp_path: Path) -> Path:
    rows = []
    for task, color in COLORS.items():
        path = tmp_path / "videos" / f"{task.replace('/', '-')}.mp4"
        path.parent.mkdir(exist_ok=True)
        writer = Mp4Writer(path, 320, 240 + BAR, 10.0)
        for shade in (1.0, 0.5):
            for _ in range(5):
                writer.write(np.full((240 + BAR, 320, 3), np.asarray(color) * shade, np.uint8))
        writer.close()
        rows.append({"task": task, "agent": "x", "videos": [{"path": str(path.relative_to(tmp_path))}]})
    add_results(tmp_path, rows, settings(EvaluateConfig()))
    return tmp_path


@pytest.mark.parametrize("suffix", ["webp", "gif"])
def test_a_strip_has_every_task_where_its_pattern_stands(report: Path, tmp_path: Path, suffix: str) -> None:
    config = StripConfig(str(report), ["b/*", "a/green"], str(tmp_path / f"s.{suffix}"), side=32, seconds=1, fps=6)
    path, names = strip(config)
    assert names == ["b/blue", "a/green"]
    with Image.open(path) as moving:
        assert moving.size == (64 + GAP, 32)
        assert moving.n_frames >= 2  # equal neighbours may be joined
        first = np.asarray(moving.convert("RGB")).astype(int)
        moving.seek(moving.n_frames - 1)
        last = np.asarray(moving.convert("RGB")).astype(int)
    for column, channel in ((16, 2), (32 + GAP + 16, 1)):
        assert first[16, column].argmax() == channel
        assert first[16, column, channel] > 150 > last[16, column, channel]


def test_columns_make_rows(report: Path, tmp_path: Path) -> None:
    path, _ = strip(StripConfig(str(report), out=str(tmp_path / "s.webp"), columns=2, side=16, seconds=1, fps=2))
    assert Image.open(path).size == (32 + GAP, 32 + GAP)


def test_what_cannot_be_made_is_said(report: Path, tmp_path: Path) -> None:
    with pytest.raises(OpengatoError, match=r"out='x\.png' has to end in \.webp or \.gif"):
        strip(StripConfig(str(report), out="x.png"))
    with pytest.raises(OpengatoError, match="no video of .*video=1"):
        strip(StripConfig(str(report), ["c/*"]))


@pytest.mark.parametrize(
    "size", [(320, 240 + BAR), (320, 320 + BAR), (320, 320 + BAR + 20), (320, 416 + BAR), TURN_SIZE]
)
def test_every_kind_of_frame_becomes_a_square(size: tuple[int, int]) -> None:
    assert _square(Image.new("RGB", size), 40).size == (40, 40)
