"""Scripts that shoot: turn, or step aside, until the bullet will meet the monster, and fire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from opengato.envs.doom.motion import sidesteps
from opengato.envs.doom.scenarios import TICS_PER_STEP
from opengato.envs.doom.script import DEEPEST, Script, Thing, first_turn, wrap

# Half the width of what a bullet hits, map units.
RADII = {"Cacodemon": 31.0, "Demon": 30.0, "DoomImp": 20.0, "MarineChainsawVzd": 16.0}
MARGIN = 0.75  # share of it that is aimed at
PISTOL_TICS, ROCKET_TICS = 5.0, 7.5  # from the button to the shot
ROCKET_SPEED = 20.0  # map units a tic
# How the running monster moves: 20 units in one of eight directions every three tics, and a direction is kept for some.
MOVE, MOVE_TICS, KEEPS = 20.0, 3, 4
RUN = 280.0  # map units that it runs while a rocket flies
PATIENCE = 40  # steps after which the rocket is spent at any rate
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
    """Turns until the only rocket will meet a monster that runs to and fro between two points.

    Chance turns the monster aside now and then. The rocket is spent while it runs straight and has far to go; if that
    moment does not come, it is spent all the same.
    """

    delay = ROCKET_TICS
    speed = ROCKET_SPEED

    def reset(self, env: Any) -> None:
        super().reset(env)
        self._goal = 0.0  # y of the point that the monster runs to

    def act(self, observation: Mapping[str, Any]) -> int:
        steps = len(self.env.history)
        if steps < 2:
            self.monsters()
            return self.press()  # see first where it runs
        chosen = super().act(observation)
        return self.press() if chosen == self.press("ATTACK") and steps < PATIENCE and not self._straight else chosen

    def foresee(self, target: Thing, tics: np.ndarray) -> np.ndarray:
        posts = {float(thing.place[1]): thing.place for thing in self.seen if thing.name == "PatrolPoint"}
        heading = np.sign(np.round(target.velocity, 3))
        if heading[1]:
            self._goal = float(max(posts) if heading[1] > 0 else min(posts))
        goal = posts.get(self._goal, target.place)
        self._straight = not heading[0] and bool(heading[1]) and abs(self._goal - target.place[1]) > RUN
        place, path = target.place, [target.place]
        for move in range(int(tics.max() / MOVE_TICS) + 2):
            if move >= KEEPS or not heading.any():
                off = goal - place
                heading = np.array([np.sign(off[0]) if abs(off[0]) > 10.0 else 0.0, np.sign(off[1])])
            if abs(place[1] - goal[1]) < MOVE and move:
                goal = posts[min(posts, key=lambda y: -abs(y - place[1]))]
                heading = np.array([0.0, np.sign(goal[1] - place[1])])
            place = place + MOVE * heading / max(float(np.hypot(*heading)), 1.0)
            path.append(place)
        moves = np.arange(len(path)) * MOVE_TICS
        return np.stack([np.interp(tics, moves, np.array(path)[:, axis]) for axis in (0, 1)], axis=1)


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
