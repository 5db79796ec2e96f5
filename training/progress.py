"""Progress of a collection: a bar on a terminal, a line every ten seconds elsewhere. On standard error."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

LINE_SECONDS = 10.0


def say(title: str, message: str, console: Console | None = None) -> None:
    """Print a line on standard error."""
    (console or Console(stderr=True)).print(f"{title}: {message}", markup=False, highlight=False, soft_wrap=True)


class CollectProgress:
    """Shows one task's collection.

    Args:
        title: what is shown in front.
        goal: number of episodes to keep.
        kept: how many of them were there at the start.
    """

    def __init__(self, title: str, goal: int, kept: int = 0) -> None:
        self.title, self.goal = title, goal
        self._began = self._spoke = time.monotonic()
        self._kept_before = kept
        self.steps = self.attempted = 0
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"), console=self._console
        )
        self._task = self._bar.add_task(title, total=goal, completed=kept, note="")

    def __enter__(self) -> CollectProgress:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def update(self, kept: int, attempted: int, new_steps: int) -> None:
        """Show the state.

        Args:
            kept: episodes that are good so far.
            attempted: episodes that were run so far.
            new_steps: steps since the last call.
        """
        self.steps += new_steps
        self.attempted = attempted
        note = self.note(kept)
        self._bar.update(self._task, completed=kept, note=note)
        if not self._console.is_terminal and time.monotonic() - self._spoke >= LINE_SECONDS:
            self._spoke = time.monotonic()
            self.say(note)

    def note(self, kept: int) -> str:
        """Kept and attempted episodes, steps a second and the time left, in words."""
        seconds = max(time.monotonic() - self._began, 1e-3)
        new = kept - self._kept_before
        left = f"{seconds / new * (self.goal - kept):.0f} s left" if new > 0 else "time left unknown"
        return f"{kept}/{self.goal} kept of {self.attempted}, {self.steps / seconds:.0f} steps/s, {left}"

    def say(self, message: str) -> None:
        """Print a line, above the bar on a terminal."""
        say(self.title, message, self._console)
