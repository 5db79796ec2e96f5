"""Which numbers a setting takes. A name means the same in every command that has it, so that its range stands here
once; what depends on other settings, or on what is found, a command refuses itself.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from opengato.errors import OpengatoError

# Whether a number is legal, the legal ones in words, and one of them.
Rule = tuple[Callable[[float], bool], str, str]
NUMBER: Rule = (lambda value: True, "a number", "0")
FROM_0: Rule = (lambda value: 0 <= value < inf, "0 or more", "0")
FROM_1: Rule = (lambda value: 1 <= value < inf, "1 or more", "1")
ABOVE_0: Rule = (lambda value: 0 < value < inf, "more than 0", "1")
LEGAL: dict[str, Rule] = {
    **dict.fromkeys(("columns", "seed", "threads"), FROM_0),
    **dict.fromkeys(("actions", "demonstrations", "episodes", "robots", "rounds", "seeds", "segment", "side"), FROM_1),
    **dict.fromkeys(("minutes", "rate", "seconds", "updates"), ABOVE_0),
    "learning_rate": (*ABOVE_0[:2], "0.001"),
    "fps": (lambda value: 0.1 <= value <= 100, "0.1 to 100", "10"),
    "port": (lambda value: 0 <= value <= 65_535, "0 (a free one) to 65535", "8765"),
    # Far below 0.01 the logits overflow, and the likeliest word is taken long before.
    "temperature": (lambda value: value == 0 or 0.01 <= value <= 100, "0 (the likeliest word), or 0.01 to 100", "0.7"),
}


def check(name: str, value: Any) -> None:
    """Refuse a number that a setting does not take, alone or in a list; what is no number is fine here.

    Raises:
        OpengatoError: it is out of the setting's range, or nan.
    """
    fine, words, example = LEGAL.get(name, NUMBER)
    for number in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(number, (int, float)) and (number != number or not fine(number)):
            raise OpengatoError(f"{name}={number} is illegal. Legal: {words}. Next: {name}={example}")
