"""What a player's hands can do at once: the actions of a scenario, from the buttons that it has."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

# Buttons of one row exclude each other; two of different rows can be held together.
ROWS = (
    ("MOVE_LEFT", "MOVE_RIGHT"),
    ("MOVE_FORWARD", "MOVE_BACKWARD"),
    ("TURN_LEFT", "TURN_RIGHT"),
    ("ATTACK",),
)
# Left out: what changes only the meaning of other buttons, and what wants a number.
WITHOUT = ("SPEED", "STRAFE")
NUMBER = "_DELTA"


def actions(buttons: Iterable[str]) -> list[tuple[str, ...]]:
    """The actions that a scenario with these buttons has: nothing, each button, and each pair of different rows."""
    there = [button for button in buttons if button not in WITHOUT and not button.endswith(NUMBER)]
    row = {button: index for index, names in enumerate(ROWS) for button in names}
    pairs = [pair for pair in combinations(there, 2) if all(b in row for b in pair) and row[pair[0]] != row[pair[1]]]
    return [(), *((button,) for button in there), *pairs]
