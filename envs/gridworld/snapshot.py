"""The whole state of a MiniGrid level, taken and put back in microseconds: what a search tries things on."""

from __future__ import annotations

from typing import Any

# What changes about a thing that stands in a grid, and about the instructions by which BabyAI knows what has been done.
CHANGING = ("cur_pos", "is_open", "is_locked", "contains")
NOTED = ("a_done", "b_done", "preCarrying", "lastStepMatch")


class Snapshot:
    """A moment of a level.

    Args:
        level: an unwrapped MiniGrid environment.
        things: everything that was in it at the episode's start, contents of boxes included (`things_of`).
    """

    def __init__(self, level: Any, things: list[Any]) -> None:
        self._pose = tuple(level.agent_pos), int(level.agent_dir), level.carrying, level.step_count
        self._cells = list(level.grid.grid)
        self._things = [tuple(getattr(thing, name, None) for name in CHANGING) for thing in things]
        self._noted = [tuple(getattr(each, name, None) for name in NOTED) for each in instructions_of(level)]
        self._whereabouts = [each.obj_poss for each in described(level)]
        self._random = level.np_random.bit_generator.state

    def put_back(self, level: Any, things: list[Any]) -> None:
        """Make the level what it was."""
        position, level.agent_dir, level.carrying, level.step_count = self._pose
        level.agent_pos = position
        level.grid.grid[:] = self._cells
        for thing, values in zip(things, self._things, strict=True):
            for name, value in zip(CHANGING, values, strict=True):
                if hasattr(thing, name):
                    setattr(thing, name, value)
        for instruction, values in zip(instructions_of(level), self._noted, strict=True):
            for name, value in zip(NOTED, values, strict=True):
                if hasattr(instruction, name):
                    setattr(instruction, name, value)
        for each, places in zip(described(level), self._whereabouts, strict=True):
            each.obj_poss = places  # the level makes a new list when something is laid down
        level.np_random.bit_generator.state = self._random

    def key(self) -> tuple[Any, ...]:
        """Equal for moments from which the same can be done; the number of steps does not count."""
        position, direction, carrying, _ = self._pose
        doors = tuple(values[1:3] for values in self._things)
        noted = tuple((*values[:2], id(values[2]), values[3]) for values in self._noted)
        told = noted, tuple(map(tuple, self._whereabouts))
        return position, direction, id(carrying), tuple(map(id, self._cells)), doors, told


def instructions_of(level: Any) -> list[Any]:
    """A BabyAI level's instruction and those that it is made of; none of MiniGrid's own levels."""
    found = [level.instrs] if hasattr(level, "instrs") else []
    for each in found:
        found += [getattr(each, part) for part in ("instr_a", "instr_b") if hasattr(each, part)]
    return found


def described(level: Any) -> list[Any]:
    """The things that the instructions speak of, whose places they keep."""
    names = ("desc", "desc_move", "desc_fixed")
    return [getattr(each, name) for each in instructions_of(level) for name in names if hasattr(each, name)]


def things_of(level: Any) -> list[Any]:
    """Everything in a level's grid and hands, contents of boxes included."""
    found: list[Any] = []
    waiting = [*level.grid.grid, level.carrying]
    while waiting:
        thing = waiting.pop()
        if thing is not None and not any(thing is each for each in found):
            found.append(thing)
            waiting.append(getattr(thing, "contains", None))
    return found
