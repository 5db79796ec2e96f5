"""A solver: A* over pushes, which leaves out positions that can't be solved any more."""

from __future__ import annotations

import heapq
from functools import cached_property
from itertools import permutations

from .board import DIRECTIONS, Position, Room, walks

FAR = 10**6  # pushes to where no pushing leads


class Solver:
    """Finds ways to bring the boxes of one room onto its goals.

    What is minimised is steps made plus `greed` times a lower bound of the pushes that are left: the least sum of
    pushes when every box gets a goal of its own and is alone in the room.

    Args:
        room: the room.
        greed: 1 for the fewest steps that there can be; more finds a longer way sooner.
        budget: positions looked at for one solution.
    """

    def __init__(self, room: Room, greed: float = 2.0, budget: int = 20_000) -> None:
        self.room, self.greed, self.budget = room, greed, budget
        self._bounds: dict[frozenset[int], int] = {}

    def solve(self, start: Position) -> list[int] | None:
        """Directions to walk and push in; None if there is no way, or none was found within the budget."""
        count = 0  # also breaks ties, so that nothing depends on how sets are ordered
        came: dict[Position, tuple[Position, int]] = {}
        least = {start: 0}
        waiting = [(self.greed * self.bound(start.boxes), count, start)]
        done: set[Position] = set()
        while waiting and len(done) < self.budget:
            _, _, position = heapq.heappop(waiting)
            if position in done:
                continue
            done.add(position)
            if position.boxes == self.room.goals:
                return self._way(came, position)
            for steps, box, direction in self._pushes(position):
                after = Position(box, position.boxes - {box} | {box + direction})
                cost = least[position] + steps
                if cost >= least.get(after, FAR) or self.spoilt(after.boxes, box + direction):
                    continue
                count += 1
                least[after], came[after] = cost, (position, direction)
                heapq.heappush(waiting, (cost + self.greed * self.bound(after.boxes), count, after))
        return None

    def spoilt(self, boxes: frozenset[int], pushed: int) -> bool:
        """Whether it is certain, after the push of one box, that the room can't be solved: a box is where no goal can
        be reached from, too few goals are left for those boxes that reach only them, or boxes block each other for good
        off the goals."""
        return self.bound(boxes) >= FAR or (self._stuck(pushed, boxes) and self._spoils(pushed, boxes))

    def bound(self, boxes: frozenset[int]) -> int:
        """Pushes that it takes at least; `FAR` or more where there is no way."""
        found = self._bounds.get(boxes)
        if found is None:
            rows = [[pushes.get(box, FAR) for pushes in self._pushes_to] for box in sorted(boxes)]
            found = min(sum(row[goal] for row, goal in zip(rows, order, strict=True)) for order in self._orders)
            self._bounds[boxes] = found
        return found

    @cached_property
    def _orders(self) -> list[tuple[int, ...]]:
        return list(permutations(range(len(self.room.goals))))

    @cached_property
    def _pushes_to(self) -> list[dict[int, int]]:
        """Per goal, how many pushes bring a box there that is alone in the room, by the cell where it is."""
        floor = self.room.floor
        tables = []
        for goal in sorted(self.room.goals):
            found, waiting = {goal: 0}, [goal]
            for cell in waiting:
                for direction in DIRECTIONS:
                    before = cell - direction
                    if before in floor and before - direction in floor and before not in found:
                        found[before] = found[cell] + 1
                        waiting.append(before)
            tables.append(found)
        return tables

    def _pushes(self, position: Position) -> list[tuple[int, int, int]]:
        """(steps with the push, box, direction) of whatever can be pushed."""
        ways = walks(self.room.floor, position.boxes, position.player)
        found = []
        for box in sorted(position.boxes):
            for direction in DIRECTIONS:
                beyond = box + direction
                if box - direction in ways and beyond in self.room.floor and beyond not in position.boxes:
                    found.append((ways[box - direction] + 1, box, direction))
        return found

    def _stuck(self, box: int, boxes: frozenset[int], asked: frozenset[int] = frozenset()) -> bool:
        """Whether a box can't be pushed along either axis, now or later; boxes asked already count as walls."""
        walls = asked | {box}
        for axis in (DIRECTIONS[0], DIRECTIONS[2]):
            sides = (box - axis, box + axis)
            blocked = any(side not in self.room.floor or side in asked for side in sides)
            blocked = blocked or any(side in boxes and self._stuck(side, boxes, walls) for side in sides)
            if not blocked:
                return False
        return True

    def _spoils(self, box: int, boxes: frozenset[int]) -> bool:
        """Whether a stuck box, or one that is stuck beside it, is off the goals."""
        beside = [box + direction for direction in DIRECTIONS if box + direction in boxes]
        return any(each not in self.room.goals for each in (box, *beside) if each == box or self._stuck(each, boxes))

    def _way(self, came: dict[Position, tuple[Position, int]], end: Position) -> list[int]:
        """Directions from the start to a position."""
        parts: list[list[int]] = []
        while end in came:
            before, direction = came[end]
            box = end.player
            parts.append([*self._walk(before, box - direction), direction])
            end = before
        return [direction for part in reversed(parts) for direction in part]

    def _walk(self, position: Position, to: int) -> list[int]:
        """Directions of the shortest walk to a cell."""
        ways, back = walks(self.room.floor, position.boxes, position.player), list[int]()
        while to != position.player:
            direction = next(each for each in DIRECTIONS if ways.get(to - each, FAR) == ways[to] - 1)
            back.append(direction)
            to -= direction
        return back[::-1]
