"""Frames of a video, in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from opengato.errors import OpengatoError


class Frames:
    """A video that is read front to back; going back starts it anew.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._at, self._frames = 0, self._start()

    def _start(self) -> Iterator[np.ndarray]:
        if not self.path.is_file():
            raise OpengatoError(f"video {str(self.path)!r} is missing.")
        return iter(iio.imiter(self.path, plugin="FFMPEG"))

    def read(self, first: int, count: int) -> list[np.ndarray]:
        """Frames `first` to `first + count`, uint8 [height, width, 3] each.

        Raises:
            OpengatoError: the video ends before.
        """
        if first < self._at:
            self._at, self._frames = 0, self._start()
        found = []
        while self._at < first + count:
            frame = next(self._frames, None)
            if frame is None:
                raise OpengatoError(f"video {str(self.path)!r} ends at frame {self._at}; {first + count} were wanted.")
            if self._at >= first:
                found.append(np.asarray(frame))
            self._at += 1
        return found
