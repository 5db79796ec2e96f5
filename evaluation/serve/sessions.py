"""Who sits where: a robot keeps its seat, and the agent's memory of its episode, while its connection is gone."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from opengato.evaluation.serve.catalogue import Offer


@dataclass
class Session:
    """A robot's seat.

    Args:
        offer: the body it has.
        row: of the policy.
        key: what it says to come back.
        connection: the one it is spoken to through, None while it is away.
        episode, number: what is expected next; `number` requests of `episode` were answered.
        answer: the last one, as sent, for when it was lost.
        left: when it was last heard of without a connection, seconds of `time.monotonic`.
        turn: held while a request is answered, for an old connection may still have one when a new one comes.
    """

    offer: Offer
    row: int
    key: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    connection: Any = None
    episode: int = 0
    number: int = 0
    answer: bytes = b""
    left: float = field(default_factory=time.monotonic)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Sessions:
    """All seats.

    Args:
        seats: how many.
        keep_s: how long an empty one is kept, at least while another is free.
    """

    def __init__(self, seats: int, keep_s: float) -> None:
        self.keep_s = keep_s
        self._free = list(range(seats))[::-1]
        self._taken: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._taken)

    def find(self, key: str, task: str) -> Session | None:
        """The seat of a robot that comes back with the same task; None if it has none any more."""
        found = self._taken.get(key)
        if found is None or found.offer.card.id != task:
            return None
        found.left = time.monotonic()
        return found

    def take(self, offer: Offer) -> Session | None:
        """A seat for a new robot; None if all are taken by robots that are there or were a moment ago."""
        self.sweep()
        if not self._free:
            return None
        session = Session(offer, self._free.pop())
        self._taken[session.key] = session
        return session

    def leave(self, session: Session) -> None:
        """Its connection is gone."""
        session.connection, session.left = None, time.monotonic()

    def sweep(self) -> None:
        """Clear seats whose robot has been away for too long."""
        late = time.monotonic() - self.keep_s
        for key, session in list(self._taken.items()):
            if session.connection is None and session.left < late:
                self._free.append(self._taken.pop(key).row)
