"""What a state of Procgen tells of the game's things: where they are, what they are, how much health they have.

A state holds two generators of random numbers as texts, each after its length, some bytes apart. Some 32-bit numbers
after them it tells how many things there are, and then of each what it is, in 31 numbers. The first is the player.
"""

from __future__ import annotations

import re

import numpy as np

TEXT, NUMBER, GAP = re.compile(rb"[0-9 ]{3000,}"), 4, 8
COUNT, FIELDS = 16, 31
X, Y, VX, VY, KIND, HEALTH = 0, 1, 2, 3, 6, 26  # of the fields


class Reader:
    """Reads the states of one game.

    Args:
        state: any of them; the texts of all begin at the same place.
    """

    def __init__(self, state: bytes) -> None:
        text = TEXT.search(state)
        assert text is not None, "a state of another version of Procgen"
        self._text = text.start()

    def things(self, state: bytes) -> np.ndarray:
        """float32 [n, 31], read only; `kinds` reads what are whole numbers in it."""
        at = self._text
        for _ in range(2):
            at += int.from_bytes(state[at - NUMBER : at], "little") + GAP
        at += NUMBER * COUNT - GAP
        number = int.from_bytes(state[at : at + NUMBER], "little")
        return np.frombuffer(state, np.float32, number * FIELDS, at + NUMBER).reshape(number, FIELDS)


def kinds(things: np.ndarray) -> np.ndarray:
    """What each thing is, int32 [n]; the numbers are each game's own."""
    return things.view(np.int32)[:, KIND]
