"""What the scripts that play the scenarios share: they know where things are, and how a marine turns and steps.

A script reads ViZDoom's list of objects, which also tells what is behind the player's back. What it remembers is what
it has seen and which buttons the environment has held, so that it recovers from actions that were not its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import vizdoom

from opengato.envs.doom.scenarios import TICS_PER_STEP

# Degrees that a step of four tics turns: the first five tics are slow after a step without a turn, whichever way.
TURN_DEGREES = (7.03, 12.30, 14.06)
DEEPEST = 5  # steps that are thought ahead
MONSTERS = ("Cacodemon", "ChaingunGuy", "Demon", "DoomImp", "MarineChainsawVzd", "ShotgunGuy", "Zombieman")


@dataclass(frozen=True)
class Thing:
    """One object of the world.

    Args:
        id: ViZDoom's, the same as long as the object lives.
        name: Doom's class of it.
        place: x and y in map units, float64 [2]. (A marine is 32 wide.)
        velocity: map units a tic, float64 [2].
    """

    id: int
    name: str
    place: np.ndarray
    velocity: np.ndarray


def wrap(degrees: Any) -> Any:
    """Degrees into [-180, 180)."""
    return (np.asarray(degrees) + 180.0) % 360.0 - 180.0


class Script:
    """A demonstrator that sees the map."""

    env: Any

    def reset(self, env: Any) -> None:
        """Look at a `DoomEnv`, wrapped or not."""
        self.env = env.unwrapped
        self._index = {frozenset(name.split("+")): i for i, name in enumerate(self.env.action_meanings)}
        self._before: dict[int, np.ndarray] = {}
        self.seen: list[Thing] = []  # what `things` gave last

    def act(self, observation: Mapping[str, Any]) -> int:
        """The action for the game as it stands."""
        raise NotImplementedError

    def press(self, *buttons: str) -> int:
        """Index of the action that holds these buttons; nothing is held without any."""
        return self._index[frozenset(buttons or ("NOTHING",))]

    def reading(self, variable: str) -> float:
        """A game variable by ViZDoom's name for it."""
        return float(self.env.game.get_game_variable(getattr(vizdoom.GameVariable, variable)))

    @property
    def place(self) -> np.ndarray:
        """Where the player stands, map units, float64 [2]."""
        return np.array([self.reading("POSITION_X"), self.reading("POSITION_Y")])

    @property
    def velocity(self) -> np.ndarray:
        """The player's, map units a tic, float64 [2]."""
        return np.array([self.reading("VELOCITY_X"), self.reading("VELOCITY_Y")])

    @property
    def angle(self) -> float:
        """Where the player looks, degrees, 0 along x, 90 along y."""
        return self.reading("ANGLE")

    def things(self) -> list[Thing]:
        """Everything there is but the player; call it once a step, for speeds are the way since the last call.

        Projectiles tell their speed themselves.
        """
        state = self.env.game.get_state()
        found, now = [], {}
        for each in (state.objects or []) if state is not None else []:
            if each.name == "DoomPlayer":
                continue
            place = np.array([each.position_x, each.position_y])
            told = np.array([each.velocity_x, each.velocity_y])
            moved = (place - self._before[each.id]) / TICS_PER_STEP if each.id in self._before else told
            found.append(Thing(each.id, each.name, place, told if told.any() else moved))
            now[each.id] = place
        self._before, self.seen = now, found
        return found

    def monsters(self) -> list[Thing]:
        """Of `things`, those that live and can be shot."""
        return [thing for thing in self.things() if thing.name in MONSTERS]

    def held(self) -> int:
        """Steps in a row, to this moment, in which the player turned, left or right; 2 stands for more."""
        turned = ["TURN" in self.env.action_meanings[action] for action in self.env.history[-2:]]
        return 0 if not turned or not turned[-1] else sum(turned)


def _turns(held: int) -> list[tuple[tuple[int, ...], float]]:
    """Every sequence of turns (1 left, -1 right, 0 none) of at most `DEEPEST` steps, and the degrees it turns."""
    found: list[tuple[tuple[int, ...], float]] = []
    for length in range(DEEPEST + 1):
        for ways in product((0, 1, -1), repeat=length):
            total, count = 0.0, held
            for way in ways:
                total += way * TURN_DEGREES[min(count, 2)]
                count = count + 1 if way else 0
            found.append((ways, total))
    return found


TURNS = {held: _turns(held) for held in range(3)}
LENGTHS = {held: np.array([len(ways) for ways, _ in turns]) for held, turns in TURNS.items()}
DEGREES = {held: np.array([total for _, total in turns]) for held, turns in TURNS.items()}


def first_turn(held: int, errors: np.ndarray, tolerances: np.ndarray) -> int | None:
    """How to begin to turn to a target.

    Args:
        held: as of `Script.held`.
        errors: degrees to turn to where the target will be after n steps, float64 [DEEPEST + 1].
        tolerances: degrees within which that would do, float64 [DEEPEST + 1].

    Returns:
        1 for left, -1 for right, 0 to wait, None where the target is met already. It begins the shortest sequence that
        meets the target, or else the one that comes nearest.
    """
    lengths = LENGTHS[held]
    missed = np.abs(wrap(errors[lengths] - DEGREES[held]))
    meets = missed <= tolerances[lengths]
    if meets.any():
        cost = np.where(meets, lengths + missed / 360.0, np.inf)
    else:
        cost = missed + np.where(lengths == 0, np.inf, 0.0)
    ways = TURNS[held][int(cost.argmin())][0]
    return ways[0] if ways else None
