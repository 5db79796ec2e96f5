"""Rooms that can be solved: dug by a walk at random, then played backwards from the solution.

After the recipe that Racanière et al. (2017) describe: playing backwards means pulling, so that whoever pushes along
the same way solves the room. Among the positions that the pulling comes through, the one is taken whose boxes were
moved far and in turns.
"""

from __future__ import annotations

import numpy as np

from .board import DIRECTIONS, INSIDE, SIDE, Position, Room, walks

DUG = 45  # places along the walk that digs
TURN = 0.35  # chance, step by step, that it changes its direction
# What is dug at each place, as cells beside it.
SPADES = (
    (0, 1, -1),
    (0, SIDE, -SIDE),
    (0, 1, SIDE),
    (0, 1, SIDE, SIDE + 1),
    (0, SIDE, -1),
)
FEWEST_CELLS = 22  # of a room, beside two for each box
PLAYS, PULLS = 24, 60  # of the playing backwards
AGAIN = 0.6  # chance that the same box is pulled on
# Steps of the player along the way back, and from where an episode begins to the first push: an episode has 120.
LONGEST, APPROACH = 80, 20


def draw_room(rng: np.random.Generator, boxes: int) -> Room:
    """A room with no box on a goal, which can be solved in at most `LONGEST` + `APPROACH` steps."""
    while True:
        floor = _dig(rng)
        if len(floor) < FEWEST_CELLS + 2 * boxes:
            continue
        goals = frozenset(int(cell) for cell in rng.choice(sorted(floor), size=boxes, replace=False))
        start = _play_backwards(rng, floor, goals)
        if start is not None:
            near = [cell for cell, steps in walks(floor, start.boxes, start.player).items() if steps <= APPROACH]
            return Room(floor, goals, Position(near[int(rng.integers(len(near)))], start.boxes))


def _dig(rng: np.random.Generator) -> frozenset[int]:
    """Cells of a floor in one piece."""
    cell, direction, dug = int(rng.choice(INSIDE)), DIRECTIONS[int(rng.integers(4))], set[int]()
    for _ in range(DUG):
        if rng.random() < TURN:
            direction = DIRECTIONS[int(rng.integers(4))]
        if cell + direction in INSIDE:
            cell += direction
        spade = SPADES[int(rng.integers(len(SPADES)))]
        dug.update(cell + beside for beside in spade if cell + beside in INSIDE)
    return frozenset(dug)


def _play_backwards(rng: np.random.Generator, floor: frozenset[int], goals: frozenset[int]) -> Position | None:
    """The best start that pulling came through; None where no box could be pulled off its goal in time."""
    best, found = 0, None
    free = sorted(floor - goals)
    for _ in range(PLAYS):
        boxes = {goal: goal for goal in sorted(goals)}  # where it is → the goal it was pulled from
        player, last, steps, turns = int(rng.choice(free)), -1, 0, 0
        for _ in range(PULLS):
            ways = walks(floor, boxes, player)
            pulls = _pulls(floor, boxes, ways)
            if not pulls:
                break
            same = [pull for pull in pulls if pull[0] == last]
            choice = same if same and rng.random() < AGAIN else pulls
            box, direction = choice[int(rng.integers(len(choice)))]
            steps += ways[box + direction] + 1
            if steps > LONGEST:
                break
            turns += box != last
            boxes[box + direction] = boxes.pop(box)
            player, last = box + 2 * direction, box + direction
            worth = turns * sum(_apart(cell, goal) for cell, goal in boxes.items())
            if worth > best and not goals & boxes.keys():
                best, found = worth, Position(player, frozenset(boxes))
    return found


def _pulls(floor: frozenset[int], boxes: dict[int, int], ways: dict[int, int]) -> list[tuple[int, int]]:
    """(box, direction) of whatever the player can pull towards itself, in an order that depends on nothing else."""
    found = []
    for box in sorted(boxes):
        for direction in DIRECTIONS:
            after = box + 2 * direction
            if box + direction in ways and after in floor and after not in boxes:
                found.append((box, direction))
    return found


def _apart(one: int, other: int) -> int:
    """Steps between two cells if there were no walls."""
    return abs(one // SIDE - other // SIDE) + abs(one % SIDE - other % SIDE)
