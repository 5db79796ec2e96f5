"""Disturbances drawn anew for every episode: domain randomisation (Tobin et al. 2017), declared by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from opengato.envs.real.disturb import Disturbance
from opengato.errors import OpengatoError, UnknownNameError

WHOLE = ("camera_shift",)  # drawn as whole numbers
# After the randomisation of RGB-Stacking (Lee et al. 2021), which varies masses, friction, damping, gears, light,
# cameras and delays.
ARM: dict[str, Any] = {
    "mass": [0.7, 1.4], "friction": [0.7, 1.4], "damping": [0.8, 1.25], "gear": [0.95, 1.05], "light": [0.7, 1.25],
    "texture": [0.0, 0.08], "camera_shift": [0, 3], "latency_ms": [0, 60], "jitter_ms": [0, 10], "lag_ms": [0, 40],
    "noise": [0.0, 0.01], "dropped": [0.0, 0.05],
}  # fmt: skip
# As far as the sheet goes, and all at once: who is shown this learns to get out of any trouble (docs/robot.md).
ROUGH: dict[str, Any] = {
    **ARM, "mass": [0.5, 2], "friction": [0.5, 2], "camera_shift": [0, 16], "latency_ms": [0, 200], "noise": [0, 0.1],
    "dropped": [0, 0.6],
}  # fmt: skip
PRESETS = {"arm": ARM, "rough": ROUGH}


@dataclass(frozen=True)
class Spread:
    """Settings of which some are drawn.

    Args:
        fixed: values of `Disturbance` that stay.
        drawn: per name the range, low and high, that an episode's value comes from, uniformly.
    """

    fixed: Mapping[str, Any]
    drawn: Mapping[str, tuple[float, float]]

    def draw(self, rng: np.random.Generator) -> Disturbance:
        """One episode's disturbance."""
        found = {name: float(rng.uniform(low, high)) for name, (low, high) in self.drawn.items()}
        for name in set(WHOLE) & set(found):
            low, high = self.drawn[name]
            found[name] = int(rng.integers(int(low), int(high) + 1))
        return Disturbance(**{**self.fixed, **found})


def read(settings: Mapping[str, Any]) -> Disturbance | Spread | None:
    """Settings as a user writes them: a number stays, `[low, high]` is drawn for every episode, `preset: arm` brings a
    set of ranges that the other settings change.

    Returns:
        A `Disturbance`, a `Spread` where anything is drawn, None for nothing.

    Raises:
        OpengatoError: a name or a value is illegal.
    """
    given = dict(settings)
    preset = given.pop("preset", None)
    if preset is not None:
        if not isinstance(preset, str) or preset not in PRESETS:
            raise UnknownNameError("preset of disturbances", str(preset), PRESETS, "Next: disturbance={preset: arm}")
        given = {**PRESETS[preset], **given}
    known = sorted(field.name for field in fields(Disturbance))
    fixed: dict[str, Any] = {}
    drawn: dict[str, tuple[float, float]] = {}
    for name, value in given.items():
        if name not in known:
            raise UnknownNameError("disturbance", name, known, "Next: disturbance={latency_ms: 100}")
        if name == "delays_ms":
            if not isinstance(value, Mapping) or not all(_number(each) for each in value.values()):
                raise OpengatoError(
                    f"disturbance.delays_ms is {value!r}; legal: milliseconds per entry of the observation."
                )
            fixed[name] = dict(value)
        elif _number(value):
            fixed[name] = value
        elif (
            isinstance(value, (list, tuple))
            and len(value) == 2
            and all(map(_number, value))
            and value[0] <= value[1]
            and name != "seed"
        ):
            drawn[name] = (value[0], value[1])
        else:
            raise OpengatoError(f"disturbance.{name} is {value!r}; legal: a number, or [low, high] to draw from.")
    for end in (0, 1):  # both ends must be legal, and so is what lies between
        Disturbance(**{**fixed, **{name: span[end] for name, span in drawn.items()}})
    if not fixed and not drawn:
        return None
    return Spread(fixed, drawn) if drawn else Disturbance(**fixed)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
