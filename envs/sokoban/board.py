"""A room and what can be done in it. A cell is a number, ten to a row; the outer ones are always wall."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

SIDE = 10
UP, DOWN, LEFT, RIGHT = -SIDE, SIDE, -1, 1
DIRECTIONS = (UP, DOWN, LEFT, RIGHT)
INSIDE = tuple(row * SIDE + column for row in range(1, SIDE - 1) for column in range(1, SIDE - 1))


@dataclass(frozen=True)
class Position:
    """What a move changes.

    Args:
        player: cell.
        boxes: cells.
    """

    player: int
    boxes: frozenset[int]


@dataclass(frozen=True)
class Room:
    """What stays: the floor, the goals on it, and where an episode starts.

    Args:
        floor: cells that are not wall.
        goals: as many of them as there are boxes.
        start: of the player and the boxes.
    """

    floor: frozenset[int]
    goals: frozenset[int]
    start: Position

    def move(self, position: Position, direction: int) -> Position:
        """One step of the player, pushing a box where one stands in the way; the same position where that can't be."""
        ahead = position.player + direction
        if ahead not in self.floor:
            return position
        if ahead not in position.boxes:
            return Position(ahead, position.boxes)
        beyond = ahead + direction
        if beyond not in self.floor or beyond in position.boxes:
            return position
        return Position(ahead, position.boxes - {ahead} | {beyond})


def walks(floor: Container[int], boxes: Container[int], player: int) -> dict[int, int]:
    """Steps to every cell that the player can walk to without pushing, nearest first."""
    found, waiting = {player: 0}, [player]
    for cell in waiting:
        for direction in DIRECTIONS:
            after = cell + direction
            if after in floor and after not in found and after not in boxes:
                found[after] = found[cell] + 1
                waiting.append(after)
    return found
