"""Human small talk, one chat an episode: the agent speaks for one of the two people."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from gymnasium import spaces

from opengato.envs.caption.card import NOTE, OURS, THEIRS, draw_chat
from opengato.envs.caption.text import FreeText, check_split, same_words, shorten, split_of, word_overlap
from opengato.envs.caption.turns import Turn, TurnTask

MAX_TEXT = 160  # characters of an utterance; longer ones are cut between words
MIN_REPLIES, MAX_REPLIES = 2, 12  # of an episode: shorter chats are left out, longer ones end there


@cache
def _all_chats() -> dict[str, list[tuple[str, str]]]:
    """Chat id → (sender, raw text) of every utterance. About a second once per process."""
    raw = json.loads((files("chitchat_dataset") / "dataset.json").read_bytes())  # its own reader leaves the file open
    return {
        key: [
            (sys.intern(utterance["sender"]), utterance["text"])
            for message in chat["messages"]
            for utterance in message
        ]
        for key, chat in raw.items()
    }


@cache
def chat_ids(split: str) -> tuple[str, ...]:
    """Ids of the chats of one split (by the hash of the id) that are long enough for either speaker to reply twice.

    Raises:
        UnknownNameError: no such split.
    """
    check_split(split)

    def long_enough(chat: list[tuple[str, str]]) -> bool:
        spoken = [sender for sender, text in chat if text.strip()]
        changes = sum(a != b for a, b in zip(spoken, spoken[1:], strict=False))
        return changes >= 2 * MIN_REPLIES

    return tuple(key for key, chat in _all_chats().items() if split_of(key) == split and long_enough(chat))


def chat(key: str) -> tuple[str, ...]:
    """The turns of a chat, speakers alternating; what one says in a row is joined, cleaned and capped."""
    turns: list[tuple[str, str]] = []
    for sender, text in _all_chats()[key]:
        if turns and turns[-1][0] == sender:
            turns[-1] = (sender, f"{turns[-1][1]} {text}")
        elif text.strip():
            turns.append((sender, text))
    return tuple(shorten(text, MAX_TEXT) for _, text in turns)


class SmalltalkTask(TurnTask):
    """Reply as the person did.

    Observation: `utterance`, what the other person says, up to 160 characters. The other person follows the recorded
    chat whatever the agent says. Action: the reply. Reward: unigram F1 with the person's own reply
    (`text.word_overlap`), a crude measure: many replies would do. `correct` and success mean the very same words, in
    order. An episode is one chat seen from one of its two sides, 2 to 12 replies. Test split: a tenth of the chats, by
    a hash of the id.
    """

    def __init__(self, split: str = "train", render_mode: str | None = "rgb_array") -> None:
        super().__init__(spaces.Dict({"utterance": FreeText(MAX_TEXT)}), MAX_TEXT, split, render_mode)
        self._ids = chat_ids(self.split)

    def _draw(self, rng: np.random.Generator) -> Sequence[Turn]:
        said = chat(self._ids[rng.integers(len(self._ids))])[int(rng.integers(2)) :]
        pairs = list(zip(said[::2], said[1::2], strict=False))
        return [Turn({"utterance": heard}, reply) for heard, reply in pairs[:MAX_REPLIES]]

    def _score(self, answer: str, truth: str) -> tuple[float, bool, dict[str, Any]]:
        return word_overlap(answer, truth)[0], same_words(answer, truth), {}

    def render(self) -> np.ndarray:
        """The chat so far, and under it what the person had replied last: uint8 [320, 320, 3]."""
        if not self._answers:
            return draw_chat([(self._shown.observation["utterance"], THEIRS)])
        messages = []
        for turn, reply in zip(self._turns, self._answers, strict=False):
            messages += [(turn.observation["utterance"], THEIRS), (reply, OURS)]
        return draw_chat([*messages, (f"(the person: {self._turns[len(self._answers) - 1].truth})", NOTE)])
