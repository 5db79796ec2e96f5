"""LeRobot's dataset folders, version 3.

    meta/info.json                       features, rate, where files lie
    meta/stats.json                      minimum, maximum, mean and standard deviation of every feature
    meta/tasks.parquet                   tasks in words, by number
    meta/episodes/chunk-000/file-000.parquet   per episode its length and where its rows (and video frames) lie
    data/chunk-000/file-000.parquet      one row per timestep
    videos/KEY/chunk-000/file-000.mp4    read here, never written: pictures go into the rows, without loss

Spaces that LeRobot has no words for (nested keys, bounds, numbers of classes) are kept in `info.json` under `opengato`,
and what else is known of an episode (seed, success, info) in a column of that name in `meta/episodes`, so that what was
written here comes back as it was, but for what was seen after the last action.
"""

from __future__ import annotations

from typing import Any

from opengato.agent.spec import Feature
from opengato.errors import MissingExtraError

VERSION = "v3.0"
FILE_BYTES = 100 << 20  # LeRobot's own limit of a data file
FILES_A_CHUNK = 1000
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
OURS = "opengato"  # where our own facts stand
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # of PNG, by number of channels


def arrow() -> tuple[Any, Any]:
    """PyArrow and its Parquet module. Raises MissingExtraError where they are not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("LeRobot's format", "lerobot", ["pyarrow"]) from None
    return pyarrow, pyarrow.parquet


def feature_name(part: str, feature: Feature, among: tuple[Feature, ...]) -> str:
    """LeRobot's name of a feature: "action" where there is one, "observation.images.…" for pictures."""
    if part == "action":
        return "action" if len(among) == 1 else f"action.{feature.path}"
    if feature.kind == "image":
        return f"observation.images.{feature.path or 'camera'}"
    return f"observation.{feature.path or 'state'}"
