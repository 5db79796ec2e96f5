"""Scripts that shoot: turn, or step aside, until the bullet will meet the monster, and fire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from opengato.envs.doom.motion import sidesteps
from opengato.envs.doom.script import DEEPEST, Script, Thing, first_turn, wrap
from opengato.envs.doom.scenarios import TICS_PER_STEP

# Half the width of what a bullet hits, map units.
RADII = {"Cacodemon": 31.0, "Demon": 30.0, "DoomImp": 20.0, "MarineChainsawVzd": 16.0}
MARGIN = 0.75  # share of it that is aimed at
PISTOL_TICS, ROCKET_TICS = 5.0, 9.0  # from the button to the shot
ROCKET_SPEED = 20.0  # map units a tic
STEPS = np.arange(DEEPEST + 1)
LEFT_RIGHT = {1: "TURN_LEFT", -1: "TURN_RIGHT"}


class Turret(Script):
    """Turns on the spot and fires at the monster that will be here first.

    It fires only when the weapon rests, since only then a pistol shoots straight.
    """

    delay = PISTOL_TICS
    speed = np.inf

    def act(self, observation: Mapping[str, Any]) -> int:
        monsters = self.monsters()
        if not monsters:
            return self.press()
        target = self.choose(monsters)
        errors, tolerances = self._aim(target)
        way = first_turn(self.held(), errors, tolerances)
        if way is None:
            return self.press("ATTACK") if self.reading("ATTACK_READY") else self.press()
        return self.press(LEFT_RIGHT[way]) if way else self.press()

    def choose(self, monsters: Sequence[Thing]) -> Thing:
        """The one to shoot next: near ones first, and those for which little turning is needed."""
        here, angle = self.place, self.angle

        def cost(thing: Thing) -> float:
            along = thing.place - here
            return float(np.hypot(*along) + 2.0 * abs(wrap(np.degrees(np.arctan2(along[1], along[0])) - angle)))

        return min(monsters, key=cost)

    def _aim(self, target: Thing) -> tuple[np.ndarray, np.ndarray]:
        """Degrees to turn, and by how much that may be missed, if the button is pressed after 0, 1, … steps."""
        here = self.place
        tics = STEPS * TICS_PER_STEP + self.delay
        flight = np.zeros(len(STEPS))
        for _ in range(3):  # the time of flight depends on where they meet
            places = self.foresee(target, tics + flight) - here
            away = np.hypot(*places.T)
            flight = away / self.speed
        bearings = np.degrees(np.arctan2(places[:, 1], places[:, 0]))
        radius = RADII.get(target.name, 20.0) * MARGIN
        return wrap(bearings - self.angle), np.degrees(np.arctan2(radius, away))

    def foresee(self, target: Thing, tics: np.ndarray) -> np.ndarray:
        """Where a monster will be, float64 [n, 2], if it goes on as it goes."""
        return target.place + target.velocity * tics[:, None]


class Rocketeer(Turret):
    """Turns until the only rocket will meet a monster that runs to and fro between two points."""

    delay = ROCKET_TICS
    speed = ROCKET_SPEED
    END = 608.0  # of the monster's way, along y

    def act(self, observation: Mapping[str, Any]) -> int:
        if len(self.env.history) < 2:
            return self.press()  # see first how fast it runs
        return super().act(observation)

    def foresee(self, target: Thing, tics: np.ndarray) -> np.ndarray:
        places = super().foresee(target, tics)
        beyond = np.maximum(np.abs(places[:, 1]) - self.END, 0.0)
        places[:, 1] -= 2.0 * np.sign(places[:, 1]) * beyond
        return places


class Sidestepper(Script):
    """Steps left and right, looking along x, until the shot will meet the monster."""

    delay = PISTOL_TICS
    speed = np.inf

    def act(self, observation: Mapping[str, Any]) -> int:
        target = self.choose(self.monsters(), observation)
        if target is None:
            return self.press()
        way = self.first_step(target)
        if way is None:
            return self.press("ATTACK") if self.reading("ATTACK_READY") else self.press()
        return self.press("MOVE_LEFT" if way > 0 else "MOVE_RIGHT") if way else self.press()

    def choose(self, monsters: Sequence[Thing], observation: Mapping[str, Any]) -> Thing | None:
        """The monster to shoot; None while that is not known."""
        return monsters[0] if monsters else None

    def first_step(self, target: Thing) -> int | None:
        """1 for left, -1 for right, 0 to wait, None if a shot now would hit."""
        off = target.place[1] - self.place[1]
        allowed = RADII[target.name] * MARGIN
        for steps in range(DEEPEST + 1):
            ways, places = sidesteps(float(self.velocity[1]), steps, int(self.delay))
            missed = np.abs(off - places)
            if missed.min() <= allowed:
                best = ways[int(missed.argmin())]
                return int(best[0]) if steps else None
        return 1 if off > 0 else -1


class MessageReader(Sidestepper):
    """Shoots the monster that the message names."""

    def choose(self, monsters: Sequence[Thing], observation: Mapping[str, Any]) -> Thing | None:
        named = [monster for monster in monsters if observation["message"].endswith(f": {monster.name}")]
        return named[0] if named else None


class RocketStepper(Sidestepper):
    """The same with a rocket launcher, whose rockets start later; the monster stands still."""

    delay = ROCKET_TICS
