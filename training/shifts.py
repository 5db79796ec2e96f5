"""Random shifts of pictures: few demonstrations show every thing in few places, and an agent learns those by heart.

After DrQ (Kostrikov et al. 2020): the picture is padded with its own edge and cut out again a few pixels off.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from opengato.agent.codec import Timesteps


def shifted(steps: Timesteps, most: int, rng: np.random.Generator) -> Timesteps:
    """The timesteps with every picture moved, by up to `most` pixels down or up and to a side.

    A picture feature keeps one shift over all timesteps, as a camera that stands a little elsewhere would, so what
    moves in it still moves as it did.
    """
    return replace(
        steps, images={path: _shift(image, *rng.integers(-most, most + 1, 2)) for path, image in steps.images.items()}
    )


def _shift(images_THWC: np.ndarray, down: int, right: int) -> np.ndarray:
    height, width = images_THWC.shape[1:3]
    down, right = (int(np.clip(by, 1 - side, side - 1)) for by, side in ((down, height), (right, width)))
    rows, columns = slice(max(down, 0), height + min(down, 0)), slice(max(right, 0), width + min(right, 0))
    out = np.empty_like(images_THWC)
    out[:, rows, columns] = images_THWC[
        :, max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)
    ]
    # Whole runs are copied, which is many times faster than picking pixels by number.
    out[:, : rows.start] = out[:, rows.start : rows.start + 1]
    out[:, rows.stop :] = out[:, rows.stop - 1 : rows.stop]
    out[:, :, : columns.start] = out[:, :, columns.start : columns.start + 1]
    out[:, :, columns.stop :] = out[:, :, columns.stop - 1 : columns.stop]
    return out
