"""Atari 2600 games: pictures in, the joystick out, the game's points as reward."""

from __future__ import annotations

from typing import Any

from opengato.tasks.registry import register

SCREEN = "an Atari 2600: the last three grey pictures of the screen"


def _facts(game: str, expert: float, human: float, random: float) -> dict[str, Any]:
    """What the games have in common; the scores are those that JAT published for its demonstrators."""
    return {
        "extra": "atari",
        "rate_hz": 15,
        "success": None,
        "demonstrator": f"opengato.envs.atari.{game}:{game.capitalize()}",
        "published": {"source": "JAT", "expert": expert, "human": human, "random": random},
    }


@register(
    "atari/pong",
    instruction="play Pong: return the ball, and make the opponent miss it",
    embodiment=f"{SCREEN}, and a paddle on the right that moves up and down",
    tags=("game", "pixels", "competitive"),
    **_facts("pong", expert=20.987, human=14.6, random=-20.7),
)
def pong(**kwargs: Any) -> Any:
    """First to 21 points, truncated after 2500 steps; the reward is 1 for a point and -1 for the opponent's."""
    from opengato.envs.atari import make

    return make("pong", **kwargs)


@register(
    "atari/breakout",
    instruction="play Breakout: keep the ball in play and break the bricks",
    embodiment=f"{SCREEN}, and a paddle at the bottom that moves left and right",
    tags=("game", "pixels"),
    **_facts("breakout", expert=702.972, human=30.5, random=1.7),
)
def breakout(**kwargs: Any) -> Any:
    """Five balls, served by themselves, truncated after 2500 steps; a brick is worth 1, 4 or 7 points by its row."""
    from opengato.envs.atari import make

    return make("breakout", **kwargs)


@register(
    "atari/freeway",
    instruction="play Freeway: bring the chicken across the road, again and again, without being hit",
    embodiment=f"{SCREEN}, and a chicken that walks up and down",
    tags=("game", "pixels", "navigation"),
    **_facts("freeway", expert=33.881, human=29.6, random=0.0),
)
def freeway(**kwargs: Any) -> Any:
    """2 min 16 s; one point for each crossing."""
    from opengato.envs.atari import make

    return make("freeway", **kwargs)


@register(
    "atari/boxing",
    instruction="play Boxing: land punches on the opponent and avoid being hit",
    embodiment=f"{SCREEN}, and a boxer seen from above who walks in eight directions and punches",
    split="held_out",
    tags=("game", "pixels", "competitive"),
    **_facts("boxing", expert=97.968, human=12.1, random=0.1),
)
def boxing(**kwargs: Any) -> Any:
    """One round of 2 min, or a knock-out at 100 points; a punch brings 1 or 2, the opponent's cost as much."""
    from opengato.envs.atari import make

    return make("boxing", **kwargs)
