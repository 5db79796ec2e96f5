"""A person at the keyboard in place of an environment: captions of the user's pictures, and chats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from opengato.agent.agent import Agent
from opengato.agent.prompt import Prompt
from opengato.agent.spec import Spec
from opengato.errors import OpengatoError
from opengato.tasks.card import Card


def describe(agent: str, image: str, card: Card) -> str:
    """The agent's caption of a picture.

    Args:
        agent: name or folder.
        image: path of a picture; it is resized to what the task shows.
        card: a captioning task.

    Raises:
        OpengatoError: the file is no picture, or the task shows none.
    """
    spec = _spec(card)
    policy = Agent.load(agent).policy(spec, Prompt(instruction=card.instruction))
    return str(policy.act(_observation(spec, "", read_picture(image, spec))))


class Conversation:
    """A chat; the agent remembers it as far as its window goes.

    Args:
        agent: name or folder.
        card: a dialogue task.
        image: path of a picture to talk about, where the task shows one.
        temperature: 0 takes the likeliest word each time.
        seed: of the sampling.
    """

    def __init__(self, agent: str, card: Card, image: str | None, temperature: float, seed: int) -> None:
        self.spec = _spec(card)
        self.picture = read_picture(image, self.spec) if image else None
        options: dict[str, Any] = {"temperature": temperature, "seed": seed}
        self.policy = Agent.load(agent).policy(self.spec, Prompt(instruction=card.instruction), **options)

    def reply(self, said: str) -> str:
        """What the agent answers."""
        return str(self.policy.act(_observation(self.spec, said, self.picture)))


def read_picture(path: str, spec: Spec) -> np.ndarray:
    """A picture as the spec's first picture feature wants it, uint8 [H, W, 3]."""
    if not spec.images:
        raise OpengatoError("this task shows no picture. Next: leave `image` out.")
    height, width, _ = spec.images[0].shape
    try:
        with Image.open(Path(path)) as picture:
            return np.asarray(picture.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))
    except (OSError, UnidentifiedImageError) as error:
        raise OpengatoError(
            f"{path!r} is no picture that can be read: {error}. Next: give a PNG or JPEG file."
        ) from None


def _spec(card: Card) -> Spec:
    env = card.make(evaluation=True)
    try:
        return Spec.from_env(env)
    finally:
        env.close()


def _observation(spec: Spec, said: str, picture: np.ndarray | None) -> dict[str, Any]:
    """What the environment would have shown: the words in its text entry, the picture in its picture entry."""
    observation: dict[str, Any] = {feature.path: said for feature in spec.texts}
    observation.update({feature.path: picture for feature in spec.images})
    return observation
