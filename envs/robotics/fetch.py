"""Scripts for the Fetch arm's tasks. They read the observation alone and remember nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

STRIDE = 0.05  # metres that the hand is asked to go where the action is 1
OPEN, CLOSED = 1.0, -1.0
CARRY = 0.09  # metres above the block that the closed fingers pass over it
NEAR = 0.025  # metres from the goal where the block is left alone
BEHIND = 0.075  # metres from the block's middle to where pushing begins
# What the puck does on this table, as seen: the speed that it loses a step (metres a step), its speed after a blow
# where the hand's action is 1, and how much of its own speed comes back.
FRICTION, BLOW, REBOUND = 0.00157, 0.0425, 0.6
TURNED = ((0, 8, 21.5, 36, 45), (0, 21, 30, 40, 45))  # degrees: where it goes, where the blow goes
RUN_UP = 0.1  # metres


class FetchExpert:
    """The script for the task of the environment that it is reset to."""

    def reset(self, env: Any) -> None:
        name = env.unwrapped.name
        self._script = next(script for beginning, script in SCRIPTS.items() if name.startswith(beginning))

    def act(self, observation: Mapping[str, np.ndarray]) -> np.ndarray:
        """float32 [4] in [-1, 1]."""
        state = observation["state"].astype(np.float64)
        move, fingers = self._script(state, observation["desired_goal"].astype(np.float64))
        return np.clip(np.append(move, fingers), -1.0, 1.0).astype(np.float32)


def reach(state: np.ndarray, goal: np.ndarray) -> tuple[np.ndarray, float]:
    """Straight to the goal."""
    return (goal - state[:3]) / STRIDE, 0.0


def push(state: np.ndarray, goal: np.ndarray) -> tuple[np.ndarray, float]:
    """Over the block to the side away from the goal, down, and forward; again where the block slips aside."""
    hand, block = state[:3], state[3:6]
    way = (goal - block)[:2]
    left = float(np.linalg.norm(way))
    if left < NEAR:
        return np.zeros(3), 0.0
    ahead = way / left
    offset = (hand - block)[:2]
    along = float(offset @ ahead)
    aside = offset - along * ahead
    low, behind = hand[2] < block[2] + 0.02, along < -0.03
    if low and behind and np.linalg.norm(aside) < 0.025:
        pace = min(0.04, 0.3 * left)  # the block slides on for about a pace
        move = (pace * ahead - 0.7 * aside) / STRIDE
        return np.array([*move, (block[2] - hand[2]) / STRIDE]), 0.0
    there = block[:2] - BEHIND * ahead - hand[:2]
    if np.linalg.norm(there) < 0.02:
        return np.array([*there, block[2] - hand[2]]) / STRIDE, 0.0
    up = block[2] + CARRY - hand[2]
    if up > 0.06 and np.linalg.norm(offset) < 0.1:
        return np.array([0.0, 0.0, up]) / STRIDE, 0.0  # off the block before it is dragged along
    return np.array([*there, up]) / STRIDE, 0.0


def pick_and_place(state: np.ndarray, goal: np.ndarray) -> tuple[np.ndarray, float]:
    """Over the block with open fingers, down around it, close, and away to the goal."""
    hand, block, width = state[:3], state[3:6], state[9:11].sum()
    apart = block - hand
    if np.abs(apart[:2]).max() > 0.012 and np.linalg.norm(apart) > 0.025:
        above = np.array([0.0, 0.0, 0.05 if np.linalg.norm(apart[:2]) > 0.03 else 0.03])
        return (apart + above) / STRIDE, OPEN
    if abs(apart[2]) > 0.012:
        return apart / STRIDE, OPEN
    if width > 0.0505:
        return np.zeros(3), CLOSED
    return (goal - block) / STRIDE, CLOSED


def slide(state: np.ndarray, goal: np.ndarray) -> tuple[np.ndarray, float]:
    """Behind the puck, down, and a blow that sends it just as far as the goal; after it while it would stop short."""
    hand, puck = state[:3], state[3:6]
    way = (goal - puck)[:2]
    speed = (state[14:17] + state[20:23])[:2]  # the puck's is told relative to the hand's
    short = way - _glide(speed)
    needed = _speed_for(way)
    ahead = _aim(needed)
    if np.linalg.norm(short) < 0.03 or short @ ahead < 0.02:
        return np.array([0.0, 0.0, 1.0]), 0.0
    offset = (hand - puck)[:2]
    along = float(offset @ ahead)
    aside = offset - along * ahead
    if hand[2] < puck[2] + 0.02 and along < -0.03 and np.linalg.norm(aside) < 0.025:
        chased = 0.0 if along > -0.05 else float(speed @ ahead)
        pace = (float(np.linalg.norm(needed)) + REBOUND * chased) / BLOW
        return np.array([*(pace * ahead - 0.7 * aside / STRIDE), (puck[2] - hand[2]) / STRIDE]), 0.0
    there = puck[:2] - RUN_UP * ahead - hand[:2]
    if np.linalg.norm(there) < 0.02:
        return np.array([*there, puck[2] - hand[2]]) / STRIDE, 0.0
    return np.array([*there, puck[2] + CARRY - hand[2]]) / STRIDE, 0.0


def _aim(speed: np.ndarray) -> np.ndarray:
    """The direction of the blow, float [2], that sends the puck along `speed`: the fingers' faces turn it to an axis.

    Measured from the nearer axis, blows at 21, 30 and 40 degrees send the puck off at about 8, 21.5 and 36.
    """
    angle = np.arctan2(speed[1], speed[0])
    axis = np.round(angle / (np.pi / 2)) * np.pi / 2
    off = np.degrees(angle - axis)
    aim = axis + np.radians(np.sign(off) * np.interp(abs(off), *TURNED))
    return np.array([np.cos(aim), np.sin(aim)])


def _glide(speed: np.ndarray) -> np.ndarray:
    """How far the puck goes on at `speed` (metres a step), float [2]: friction acts along the table's diagonals."""
    diagonal = np.array([speed[0] + speed[1], speed[0] - speed[1]])
    far = diagonal * np.abs(diagonal) / (2 * FRICTION)
    return np.array([far[0] + far[1], far[0] - far[1]]) / 2


def _speed_for(way: np.ndarray) -> np.ndarray:
    """The speed (metres a step) at which the puck stops after `way`, float [2]; the inverse of `_glide`."""
    far = np.array([way[0] + way[1], way[0] - way[1]])
    diagonal = np.sign(far) * np.sqrt(2 * FRICTION * np.abs(far))
    return np.array([diagonal[0] + diagonal[1], diagonal[0] - diagonal[1]]) / 2


SCRIPTS = {"FetchReach": reach, "FetchPush": push, "FetchSlide": slide, "FetchPickAndPlace": pick_and_place}
