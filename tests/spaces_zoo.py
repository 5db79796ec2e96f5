"""An embodiment with every kind of space, for tests."""

import numpy as np
from gymnasium import spaces

OBSERVATION = spaces.Dict(
    {
        "body": spaces.Dict(
            {
                "camera": spaces.Box(0, 255, (20, 33, 3), np.uint8),
                "joints": spaces.Box(np.float32([-3, -np.inf]), np.float32([9, np.inf])),
                "count": spaces.Box(0, 300, (2,), np.int64),
            }
        ),
        "rest": spaces.Tuple((spaces.Discrete(5, start=2), spaces.Text(24), spaces.MultiBinary(3))),
    }
)
ACTION = spaces.Dict(
    {
        "buttons": spaces.MultiDiscrete([3, 7]),
        "move": spaces.Box(np.array([-1.0, 0.0]), np.array([5.0, 2.0]), dtype=np.float64),
        "gear": spaces.Discrete(3, start=-1),
    }
)
SPEECH = spaces.Text(40)


def seed(value: int) -> None:
    """Make the spaces' samples repeatable."""
    for space in (OBSERVATION, ACTION, SPEECH):
        space.seed(value)
