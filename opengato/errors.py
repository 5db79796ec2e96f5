"""The errors a user can cause. Each names the value, the legal set and the next step; the command line exits with 2 on
them.
"""

import copyreg
import difflib
from collections.abc import Iterable
from typing import Any


class OpengatoError(ValueError):
    """Base of every error that a user's input can cause."""

    def __reduce__(self) -> tuple[Any, ...]:
        """What is made of other arguments than its message comes back from another process, too."""
        return copyreg.__newobj__, (type(self), *self.args)  # type: ignore[attr-defined]


class UnknownNameError(OpengatoError):
    """A name that is not among the known ones; the message offers the nearest.

    Args:
        kind: what the name should have been, e.g. "task".
        name: what was given.
        known: every legal name.
        next_step: what to run to see the legal names.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], next_step: str) -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(known[:12]) or 'none'}."
        super().__init__(f"unknown {kind} {name!r}: {hint} {next_step}")


class MissingExtraError(OpengatoError):
    """A task whose simulator is not installed; `next_step` where another command than pip with the extra brings it."""

    def __init__(self, what: str, extra: str, missing: Iterable[str], next_step: str | None = None) -> None:
        step = next_step or f"pip install 'opengato[{extra}]'"
        super().__init__(f"{what} needs {', '.join(sorted(missing))}, which this environment lacks. Next: {step}")


class EpisodeRefused(OpengatoError):
    """An episode that its demonstrator does not want to be kept."""


class SimulatorDied(OpengatoError):
    """A simulator that ended though nobody closed it; the environment's next `reset` starts another one."""


class SpaceError(OpengatoError):
    """A space that cannot become tokens; names the path of the offending entry."""


class ObservationError(OpengatoError):
    """An observation or action that does not fit its spec; names the feature."""
