"""Atari 2600 games: pictures in, the joystick out, the game's points as reward."""

from __future__ import annotations

from functools import partial
from typing import Any

from opengato.tasks.registry import register
from opengato.tasks.worlds import published, world

SCREEN = "an Atari 2600: the last three grey pictures of the screen"
SCRIPTED = ("pong", "breakout", "freeway", "boxing")
HELD_OUT = ("boxing",)
# Without a demonstrator: in the first 150 to 400 steps of seed 0 the search was not clearly better than random play.
# Most pay too rarely for plans of two seconds.
UNSHOWN = (
    *("adventure", "backgammon", "bowling", "casino", "double-dunk", "earthworld", "elevator-action", "entombed", "et"),
    *("hangman", "human-cannonball", "ice-hockey", "mario-bros", "miniature-golf", "montezuma-revenge"),
    *("othello", "pitfall", "pitfall2", "robotank", "skiing", "solaris", "superman", "tetris", "venture"),
    *("video-checkers", "video-chess", "video-cube", "word-zapper"),
)
COMPETITIVE = (
    *("backgammon", "boxing", "double-dunk", "fishing-derby", "ice-hockey", "othello", "pong", "space-war", "surround"),
    *("tennis", "video-checkers", "video-chess"),
)
NAVIGATION = ("freeway", "frogger")
# What a game's body is, where it is worth more than the joystick's actions.
BODIES = {
    "pong": "a paddle on the right that moves up and down",
    "breakout": "a paddle at the bottom that moves left and right",
    "freeway": "a chicken that walks up and down",
    "boxing": "a boxer seen from above who walks in eight directions and punches",
}
TITLES = {
    "air-raid": "Air Raid",
    "atlantis2": "Atlantis II",
    "beam-rider": "Beamrider",
    "darkchambers": "Dark Chambers",
    "et": "E.T. the Extra-Terrestrial",
    "hero": "H.E.R.O.",
    "jamesbond": "James Bond 007",
    "koolaid": "Kool-Aid Man",
    "kung-fu-master": "Kung-Fu Master",
    "montezuma-revenge": "Montezuma's Revenge",
    "mr-do": "Mr. Do!",
    "ms-pacman": "Ms. Pac-Man",
    "name-this-game": "Name This Game",
    "pacman": "Pac-Man",
    "pitfall2": "Pitfall II",
    "qbert": "Q*bert",
    "riverraid": "River Raid",
    "trondead": "Tron: Deadly Discs",
    "up-n-down": "Up'n Down",
    "yars-revenge": "Yars' Revenge",
}
AIMS = {
    "pong": "return the ball, and make the opponent miss it",
    "breakout": "keep the ball in play and break the bricks",
    "freeway": "bring the chicken across the road, again and again, without being hit",
    "boxing": "land punches on the opponent and avoid being hit",
    "alien": "collect the eggs in the corridors and keep away from the aliens",
    "amidar": "paint the edges of the boxes and keep away from the enemies",
    "assault": "shoot the ships that the mother ship sends down",
    "asterix": "collect the objects in the lanes and avoid the lyres",
    "asteroids": "shoot the rocks and do not collide with one",
    "atlantis": "shoot the ships before they destroy the city",
    "bank-heist": "rob the banks and escape the police",
    "basic-math": "answer the sums",
    "battle-zone": "find the enemy tanks and shoot them",
    "beam-rider": "shoot the saucers from beam to beam",
    "berzerk": "shoot the robots and do not touch the walls",
    "bowling": "knock down as many pins as possible",
    "carnival": "shoot the targets in the gallery",
    "centipede": "shoot the centipede before it comes down",
    "chopper-command": "shoot the enemy aircraft and protect the trucks",
    "crazy-climber": "climb to the top of the building",
    "demon-attack": "shoot the demons and dodge their fire",
    "donkey-kong": "climb the ladders and jump over the barrels",
    "enduro": "overtake as many cars as the day asks for",
    "fishing-derby": "catch more fish than the opponent",
    "frogger": "bring the frog across the road and the river",
    "frostbite": "jump on the floes and build the igloo",
    "galaxian": "shoot the attackers and dodge the ones that dive",
    "gopher": "keep the gopher away from the carrots",
    "hero": "go down the mine and rescue the miner",
    "ice-hockey": "score more goals than the opponent",
    "kaboom": "catch the bombs before they reach the ground",
    "kangaroo": "climb up to the young kangaroo",
    "kung-fu-master": "fight through the floors of the temple",
    "ms-pacman": "eat the pellets and keep away from the ghosts",
    "othello": "own more squares than the opponent at the end",
    "pacman": "eat the pellets and keep away from the ghosts",
    "phoenix": "shoot the birds and dodge what they drop",
    "pitfall": "find the treasures in the jungle and avoid its dangers",
    "qbert": "jump on every cube and avoid the enemies",
    "riverraid": "fly up the river, shoot what is in the way, and do not run out of fuel",
    "road-runner": "eat the seeds on the road and escape the coyote",
    "robotank": "shoot the enemy tanks",
    "seaquest": "shoot the sharks and submarines, pick up divers, and surface for air",
    "skiing": "ski through the gates as fast as possible",
    "space-invaders": "shoot the invaders before they land, and dodge their bombs",
    "star-gunner": "shoot the enemy ships",
    "surround": "make the opponent run into a trail before you do",
    "tennis": "win more points than the opponent",
    "tetris": "fill rows with the falling blocks",
    "up-n-down": "drive on, collect the flags, and jump on the other cars",
    "video-pinball": "keep the ball in play and hit the bumpers",
    "wizard-of-wor": "shoot the monsters in the maze",
}


def make_game(game: str, **kwargs: Any) -> Any:
    """Make a game by its name in ALE, with hyphens; truncated after 2500 steps of four frames."""
    from opengato.envs.atari import make

    return make(game, **kwargs)


def _joystick(actions: list[str]) -> str:
    """What there is to press, from the actions' names in ALE: a direction, `FIRE` for the button, or both in one."""
    directions = {action.removesuffix("FIRE") for action in actions} - {"", "NOOP"}
    button = " and a button" if any(action.endswith("FIRE") for action in actions) else ""
    return f"a joystick with {len(directions)} directions{button}"


_jat = published("jat")
for _name, _facts in world("atari").items():
    if "dropped" in _facts:
        continue
    _title = TITLES.get(_name, _name.replace("-", " ").title())
    _scores = _jat.get(f"atari-{_name.replace('-', '')}")
    _player = f"{_name}:{_name.capitalize()}" if _name in SCRIPTED else "search:Search"
    _tags = [tag for tag, names in (("competitive", COMPETITIVE), ("navigation", NAVIGATION)) if _name in names]
    register(
        f"atari/{_name}",
        instruction=f"play {_title}: {AIMS[_name]}" if _name in AIMS else f"play {_title}",
        embodiment=f"{SCREEN}, and {BODIES.get(_name) or _joystick(_facts['actions'])}",
        split="held_out" if _name in HELD_OUT else "train",
        tags=("game", "pixels", *_tags),
        rate_hz=15,
        success=None,
        demonstrator=None if _name in UNSHOWN else f"opengato.envs.atari.{_player}",
        published={"source": "JAT", **_scores} if _scores else None,
        extra="atari",
    )(partial(make_game, _name))
