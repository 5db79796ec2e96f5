"""Another Python's process, for code whose dependencies are not ours."""

from __future__ import annotations

import json
import subprocess
import threading
from collections import deque
from typing import Any

from opengato.errors import OpengatoError


class Process:
    """A process that answers orders (`worker.py`). An order is a name and an argument, the answer what the method of
    that name returned, both as JSON.

    Args:
        python: the interpreter.
        script: a file of this folder, and its arguments.

    Raises:
        OpengatoError: the interpreter does not start; or, from any order, the process ended, with what it said last.
    """

    def __init__(self, python: str, *script: str) -> None:
        try:
            self._process = subprocess.Popen(
                [python, *script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        except OSError as error:
            raise OpengatoError(f"python={python} does not start: {error}") from error
        self._said: deque[str] = deque(maxlen=5)
        self._heard = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        self.facts = self._answer()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def ask(self, order: str, argument: Any = None) -> Any:
        """What a method of the side returns."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([order, argument]) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._ended()
        return json.loads(line)

    def _ended(self) -> OpengatoError:
        self._process.wait()
        self._heard.wait(5)
        return OpengatoError("the peer's process ended:\n" + "\n".join(self._said))

    def _listen(self) -> None:
        """Keep the last lines of what it says, so that its pipe never fills."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said.append(line.rstrip())
        self._heard.set()
