"""Talking as one's own chats do: a file with one chat a line, as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from opengato.envs.caption.text import FreeText, same_words, shorten, split_of, word_overlap
from opengato.envs.caption.turns import Turn, TurnTask
from opengato.errors import OpengatoError

from .smalltalk import MAX_REPLIES, MAX_TEXT

ROLES = {"user": 0, "human": 0, "assistant": 1, "gpt": 1}


class ChatTask(TurnTask):
    """Reply as the assistant of the chat did.

    Observation: `utterance`, what the user says, up to 160 characters. Action: the reply. Reward: unigram F1 with the
        recorded reply.
    Success: the very words, in order. An episode is one chat, its first 12 replies. Test split: a tenth of the chats,
        by a hash of their text.

    Args:
        path: JSON lines. A line is `{"messages": [{"role": "user", "content": …}, {"role": "assistant", "content": …},
            …]}`, as chat models are tuned with, or a list of texts, user and assistant in turn. What one says in a row
            is joined; a `system` message is left out.
        split: `train` or `test`.
        render_mode: `rgb_array` or None.

    Raises:
        OpengatoError: a line is no such chat (its number is named), or the split has none.
    """

    def __init__(self, path: str | Path, split: str = "train", render_mode: str | None = "rgb_array") -> None:
        super().__init__(spaces.Dict({"utterance": FreeText(MAX_TEXT)}), MAX_TEXT, split, render_mode)
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise OpengatoError(f"{str(path)!r} can't be read: {error}. Next: give a file of JSON lines.") from None
        chats = [_pairs(str(path), number, line) for number, line in enumerate(lines, 1) if line.strip()]
        self._chats = [pairs for pairs in chats if pairs and split_of(repr(pairs)) == self.split]
        if not self._chats:
            raise OpengatoError(f"{str(path)!r} has no chat in its {split} split ({len(chats)} chats in all).")

    def __len__(self) -> int:
        """Chats of the split."""
        return len(self._chats)

    def _draw(self, rng: np.random.Generator) -> Sequence[Turn]:
        pairs = self._chats[rng.integers(len(self._chats))]
        return [Turn({"utterance": heard}, reply) for heard, reply in pairs[:MAX_REPLIES]]

    def _score(self, answer: str, truth: str) -> tuple[float, bool, dict[str, Any]]:
        return word_overlap(answer, truth)[0], same_words(answer, truth), {}


def _pairs(path: str, number: int, line: str) -> list[tuple[str, str]]:
    """What the user said and the assistant replied, in turn."""
    try:
        chat = json.loads(line)
        if isinstance(chat, dict):
            chat = chat["messages"] if "messages" in chat else chat["conversations"]
            said = [
                (message.get("role", message.get("from")), message.get("content", message.get("value")))
                for message in chat
            ]
            spoken = [(ROLES[role], text) for role, text in said if role != "system"]
        else:
            spoken = [(at % 2, text) for at, text in enumerate(chat)]
        turns: list[tuple[int, str]] = []
        for who, text in spoken:
            if not text.strip():
                continue
            if turns and turns[-1][0] == who:
                turns[-1] = (who, f"{turns[-1][1]} {text}")
            else:
                turns.append((who, text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OpengatoError(
            f'line {number} of {path!r} is no chat ({type(error).__name__}: {error}). Next: {{"messages": '
            '[{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}'
        ) from None
    if turns and turns[0][0] == 1:
        turns = turns[1:]
    return [
        (shorten(heard, MAX_TEXT), shorten(reply, MAX_TEXT))
        for (_, heard), (_, reply) in zip(turns[::2], turns[1::2], strict=False)
    ]
