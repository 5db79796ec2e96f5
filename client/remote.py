"""A policy behind a WebSocket that outlives the connection, and the server.

Every request has an episode and a number, so one whose answer was lost can be sent again. What was seen and done is
kept as far as the agent looks back; a server that does not know the episode (it was started anew) is told.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from typing import Any
from urllib.parse import urlencode

from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from .packing import pack, unpack

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0
WAITING = (408, 425, 429, 500, 502, 503, 504)  # answers of a server, or of what stands before it, that will be back
UNLIMITED = 2**40


class PolicyError(RuntimeError):
    """The server refused, or did not come back in time."""


class RemotePolicy:
    """Acts through `opengato serve`.

    Args:
        url: of the server, e.g. "ws://192.168.0.2:8765" or "wss://…".
        task: whose body this is; what the server offers by default if "".
        token: the server's.
        prompt: demonstration, instruction, both or none.
        instruction: the task in other words than the server knows; only with `prompt="instruction"`.
        patience_s: how long a server may be away before `act` gives up.
        timeout_s: how long an answer may take before the connection is taken for dead.

    Raises:
        PolicyError: refused (wrong token, unknown task), or nobody there for `patience_s`.
    """

    def __init__(
        self, url: str, task: str = "", *, token: str = "", prompt: str = "demonstration", instruction: str = "",
        patience_s: float = 60.0, timeout_s: float = 20.0,
    ) -> None:  # fmt: skip
        self.url, self.patience_s, self.timeout_s = url.rstrip("/"), patience_s, timeout_s
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        asked = {"task": task, "prompt": prompt, "instruction": instruction}
        self._query = {name: value for name, value in asked.items() if value}
        self._connection: ClientConnection | None = None
        self._episode = self._number = 0
        self._past: deque[tuple[Any, Any]] = deque()
        self.metadata: dict[str, Any] = {}
        self.timing: dict[str, float] = {}
        self.reconnected = -1  # times
        self._until_connected()

    def reset(self) -> None:
        """The next observation begins an episode."""
        if self._number:
            self._episode, self._number = self._episode + 1, 0
        self._past.clear()

    def act(self, observation: Any) -> Any:
        """The action for an observation: arrays, numbers, texts and maps of them, as the body's task has it.

        Raises:
            PolicyError: the server refuses the observation, or is away for longer than `patience_s`.
            MessageError: something in it cannot be sent.
        """
        request = {"episode": self._episode, "number": self._number, "observation": observation}
        answer = self._asked(pack(request))
        action = answer["actions"][0]
        self.timing = answer["server_timing"]
        self._past.append((observation, action))
        while len(self._past) > self.metadata["remember"]:
            self._past.popleft()
        self._number += 1
        return action

    def close(self) -> None:
        """Hang up; the server keeps the episode for a while."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> RemotePolicy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _asked(self, message: bytes) -> dict[str, Any]:
        """Ask until there is an answer, over as many connections as it takes."""
        while True:
            try:
                if self._connection is not None:
                    return self._exchange(message)
            except (OSError, WebSocketException, TimeoutError):
                self._drop()
            self._until_connected()

    def _exchange(self, message: bytes) -> dict[str, Any]:
        assert self._connection is not None
        self._connection.send(message)
        answer = self._connection.recv(timeout=self.timeout_s)
        if isinstance(answer, str):
            raise PolicyError(answer)
        found = unpack(answer)
        if not isinstance(found, dict):
            raise PolicyError(f"the server answered {found!r:.60}, which is no answer.")
        return found

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError, WebSocketException):
                self._connection.close_socket()
            self._connection = None

    def _until_connected(self) -> None:
        """Connect, again and again with longer pauses, and bring the server up to date."""
        begun, pause = time.monotonic(), FIRST_PAUSE_S
        while True:
            try:
                self._connect()
                self.reconnected += 1
                return
            except InvalidStatus as refusal:
                status, body = (
                    refusal.response.status_code,
                    bytes(refusal.response.body or b"").decode(errors="replace"),
                )
                if status not in WAITING or time.monotonic() - begun + pause > self.patience_s:
                    raise PolicyError(f"{self.url} refuses ({status}): {body.strip() or 'no reason given'}") from None
            except (OSError, WebSocketException, TimeoutError) as error:
                self._drop()
                if time.monotonic() - begun + pause > self.patience_s:
                    raise PolicyError(f"nobody at {self.url} for {self.patience_s:g} s ({error!r:.120}).") from None
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _connect(self) -> None:
        known = {"session": self.metadata["session"]} if self.metadata else {}
        self._connection = connect(
            f"{self.url}/?{urlencode({**self._query, **known})}", additional_headers=self._headers, compression=None,
            max_size=UNLIMITED, open_timeout=self.timeout_s, proxy=None,
        )  # fmt: skip
        greeting = self._connection.recv(timeout=self.timeout_s)
        if isinstance(greeting, str):
            raise PolicyError(greeting)
        self.metadata = unpack(greeting)
        answered = (self.metadata["episode"], self.metadata["number"])
        if self._past and answered not in ((self._episode, self._number), (self._episode, self._number + 1)):
            self._recall()

    def _recall(self) -> None:
        """Tell the server what was seen and done; the oldest is left out where a message has no room for it."""
        past = list(self._past)
        while True:
            seen, done = [list(each) for each in zip(*past, strict=True)]
            told = {"episode": self._episode, "number": self._number, "recall": {"observations": seen, "actions": done}}
            message = pack(told)
            if len(message) <= self.metadata["max_message_bytes"] or len(past) == 1:
                break
            past = past[len(past) // 4 + 1 :]
        self._exchange(message)
