"""RGB Stacking: DeepMind's benchmark of a Sawyer arm that puts one oddly shaped object on another, seen by two cameras.

Models of arm, hand, basket and objects: dm_robotics-manipulation and dm_robotics-moma (Apache-2.0), on MuJoCo; both are
imported only when a task is made. Places, speeds, action and criterion are those of the benchmark's public code (Lee et
al. 2021, "Beyond Pick-and-Place"); controller, reward and script are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .env import RgbStackingEnv


def make(triplet: str, **kwargs: Any) -> RgbStackingEnv:
    """The environment of one triplet of objects.

    Args:
        triplet: a published one, `rgb_test_triplet1` to `rgb_test_triplet5`; or `random`, for three of the objects for
            training, drawn anew for each episode.
        **kwargs: of `RgbStackingEnv`.

    Raises:
        UnknownNameError: there is no such triplet.
    """
    from .env import RgbStackingEnv

    return RgbStackingEnv(triplet, **kwargs)
