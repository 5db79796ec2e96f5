"""Procgen: sixteen games with generated levels; training sees levels 0 to 199, evaluation others."""

from __future__ import annotations

from functools import partial
from typing import Any

from opengato.tasks.registry import register
from opengato.tasks.worlds import world

AIMS = {
    "bigfish": "eat the smaller fish and keep away from the larger ones",
    "bossfight": "dodge the boss's shots and shoot it down when its shield is off",
    "caveflyer": "fly through the caves to the friendly ship, without touching a wall or an enemy",
    "chaser": "collect the green orbs in the maze and keep away from the enemies, unless a star has made them weak",
    "climber": "climb the platforms and collect the stars, without touching an enemy",
    "coinrun": "run and jump to the coin at the right end",
    "dodgeball": "hit the enemies with balls, touch neither their balls nor a wall, then go to the door",
    "fruitbot": "collect the fruit, touch nothing else, and open the gates with keys",
    "heist": "take the keys, open the locks of their colours, and steal the gem",
    "jumper": "find the carrot, jumping from ledge to ledge, without touching a spike",
    "leaper": "cross the road and the river to the finish, without being run over or falling in",
    "maze": "find the way through the maze to the cheese",
    "miner": "dig for all the diamonds, then go to the exit, without being hit by a stone",
    "ninja": "jump from ledge to ledge to the mushroom, past the bombs",
    "plunder": "shoot the enemies' ships and spare the friendly ones",
    "starpilot": "shoot the enemies and dodge their shots",
}
BODIES = {
    "bigfish": "a fish",
    "bossfight": "a space ship",
    "caveflyer": "a small ship that turns and thrusts",
    "chaser": "a walker in a maze",
    "climber": "a jumping climber",
    "coinrun": "a runner who jumps",
    "dodgeball": "a walker who throws balls",
    "fruitbot": "a robot that glides upwards and throws keys",
    "heist": "a thief in a maze",
    "jumper": "a rabbit that can jump twice",
    "leaper": "a frog",
    "maze": "a mouse",
    "miner": "a miner in the dirt",
    "ninja": "a ninja who jumps and throws stars",
    "plunder": "a ship with a cannon",
    "starpilot": "a space ship",
}
# What completes a level is one thing, and brings all that there is to have.
GOALS = {
    "caveflyer": "the friendly ship is reached",
    "coinrun": "the coin is reached",
    "heist": "the gem is stolen",
    "jumper": "the carrot is reached",
    "leaper": "the finish is reached",
    "maze": "the cheese is reached",
    "ninja": "the mushroom is reached",
}
HELD_OUT = ("heist",)
# Who shows a game: what reaches a place is found by exploring the level, what pays all along by trying plans.
EXPLORED = ("caveflyer", "coinrun", "heist", "jumper", "maze", "miner", "ninja")
SEARCHED = ("bigfish", "bossfight", "chaser", "dodgeball", "fruitbot", "plunder", "starpilot")
SHOWN = {
    **dict.fromkeys(EXPLORED, "explorer:Explorer"),
    "climber": "explorer:Climber",
    "leaper": "explorer:Leaper",
    **dict.fromkeys(SEARCHED, "search:Search"),
}


def make_game(game: str, **kwargs: Any) -> Any:
    """Make a game by its name in Procgen; procgen is imported only here."""
    from opengato.envs.procgen import make

    return make(game, **kwargs)


for _game in world("procgen"):
    register(
        f"procgen/{_game}",
        instruction=AIMS[_game],
        embodiment=f"{BODIES[_game]} in a generated level, seen in colour",
        split="held_out" if _game in HELD_OUT else "train",
        tags=("game", "pixels", "discrete", *(("navigation",) if _game in GOALS else ())),
        rate_hz=15,
        success=GOALS.get(_game),
        demonstrator=f"opengato.envs.procgen.{SHOWN[_game]}" if _game in SHOWN else None,
        extra="procgen",
        evaluation_kwargs={"split": "test"},
    )(partial(make_game, _game))
