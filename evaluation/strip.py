"""`opengato strip`: the videos of a report side by side in one small moving picture, for a README or a message."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
from PIL import Image, ImageOps

from opengato.errors import OpengatoError
from opengato.evaluation.overlay import BAR, MISSION, PAPER, TURN_SIZE
from opengato.evaluation.results import RESULTS, read_results

FORMATS = (".webp", ".gif")
GAP = 4  # pixels between pictures


@dataclass(frozen=True)
class StripConfig:
    """A strip.

    Args:
        report: folder that holds results.json, as `opengato evaluate … video=1` or `opengato demo` left it.
        tasks: ids and patterns; in this order.
        out: the file, .webp or .gif.
        columns: pictures beside each other; 0 for all.
        side: pixels of one picture, a square.
        seconds: length of the whole; what is longer plays that much faster.
        fps: pictures a second.
    """

    report: str = "report"
    tasks: list[str] = field(default_factory=lambda: ["*"])
    out: str = "strip.webp"
    columns: int = 0
    side: int = 160
    seconds: float = 5.0
    fps: float = 10.0


def run(config: StripConfig, as_json: bool) -> Any:
    """The command."""
    path, names = strip(config)
    if as_json:
        return {"strip": str(path), "tasks": names, "bytes": path.stat().st_size}
    print(f"{path}: {', '.join(names)}; {path.stat().st_size / 1e6:.1f} MB")
    return None


def strip(config: StripConfig) -> tuple[Path, list[str]]:
    """Write the strip.

    Returns:
        The file, and the tasks in it.

    Raises:
        OpengatoError: no video of these tasks, or a file that is neither WebP nor GIF.
    """
    out = Path(config.out)
    if out.suffix.lower() not in FORMATS:
        raise OpengatoError(f"out={config.out!r} has to end in {' or '.join(FORMATS)}. Next: out=strip.webp")
    films = _films(config)
    if not films:
        raise OpengatoError(
            f"no video of {list(config.tasks)} in {config.report}/{RESULTS}. "
            f"Next: opengato evaluate out={config.report} video=1 'tasks=[…]'"
        )
    count = max(2, round(config.seconds * config.fps))
    reels = [list(_pictures(path, count, config.side)) for path in films.values()]
    frames = [_sheet([reel[i] for reel in reels], config.columns or len(reels)) for i in range(count)]
    out.parent.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {"quality": 60, "method": 4} if out.suffix.lower() == ".webp" else {"optimize": True}
    frames[0].save(
        out, save_all=True, append_images=frames[1:], duration=round(1000 / config.fps), loop=0, **settings
    )  # fmt: skip
    return out, list(films)


def _films(config: StripConfig) -> dict[str, Path]:
    """Per task its last video, in the order of the patterns."""
    known: dict[str, Path] = {}
    for row in read_results(config.report):
        for clip in row.get("videos") or ():
            path = Path(config.report) / clip["path"]
            if path.is_file():
                known[row["task"]] = path
    return {task: known[task] for pattern in config.tasks for task in known if fnmatchcase(task, pattern)}


def _pictures(path: Path, count: int, side: int) -> Iterator[Image.Image]:
    """As many pictures as asked for, evenly over the video."""
    frames = imageio.imread(path, plugin="FFMPEG")
    for index in np.linspace(0, len(frames) - 1, count).round().astype(int):
        yield _square(Image.fromarray(frames[index]), side)


def _square(frame: Image.Image, side: int) -> Image.Image:
    """What a frame shows without the bar under it; a wide one loses its sides, a tall one stays whole."""
    if frame.size != TURN_SIZE:  # a still of text has no bar
        spare = frame.height - BAR - frame.width
        frame = frame.crop((0, 0, frame.width, frame.height - BAR - (MISSION if spare == MISSION else 0)))
    if frame.width > frame.height and frame.size != TURN_SIZE:
        return ImageOps.fit(frame, (side, side), Image.Resampling.LANCZOS)
    return ImageOps.pad(frame, (side, side), Image.Resampling.LANCZOS, color=PAPER)


def _sheet(pictures: Sequence[Image.Image], columns: int) -> Image.Image:
    side = pictures[0].width
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    sheet = Image.new("RGB", (columns * (side + GAP) - GAP, rows * (side + GAP) - GAP), PAPER)
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        sheet.paste(picture, (column * (side + GAP), row * (side + GAP)))
    return sheet
