"""The command line: `opengato <command> key=value …`. Hydra composes the settings; `commands` does the work."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import re
import select
import sys
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from opengato.errors import OpengatoError, UnknownNameError
from opengato.legal import check
from opengato.recipe import check_preset

# command → (dataclass of its settings, function that runs it, what it does)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "list": (
        "opengato.listing:ListConfig",
        "opengato.listing:list_",
        "tasks, or families, models, agents: `opengato list families`",
    ),
    "collect": ("opengato.training.collect:CollectConfig", "opengato.commands:collect", "record demonstrations"),
    "data verify": ("opengato.training.verify:VerifyConfig", "opengato.commands:verify", "look for damaged episodes"),
    "data import": (
        "opengato.training.exchange:ImportConfig",
        "opengato.commands:import_",
        "demonstrations from a Minari or LeRobot folder",
    ),
    "data export": (
        "opengato.training.exchange:ExportConfig",
        "opengato.commands:export",
        "demonstrations to a Minari or LeRobot folder",
    ),
    "train": ("opengato.training.train:TrainConfig", "opengato.commands:train", "pretrain an agent on demonstrations"),
    "recipe": (
        "opengato.recipe:RecipeConfig",
        "opengato.recipe:run",
        "the commands that make a shipped agent from nothing, one after another",
    ),
    "finetune": (
        "opengato.training.finetune:FinetuneConfig",
        "opengato.commands:finetune",
        "teach an agent one task from a few demonstrations",
    ),
    "evaluate": (
        "opengato.evaluation.evaluate:EvaluateConfig",
        "opengato.commands:evaluate",
        "score an agent, record videos",
    ),
    "twin": (
        "opengato.evaluation.twin:TwinConfig",
        "opengato.evaluation.twin:run",
        "drive a robot's twin in real time",
    ),
    "serve": (
        "opengato.evaluation.serve:ServeConfig",
        "opengato.evaluation.serve:run",
        "act for robots over WebSockets",
    ),
    "fewshot": (
        "opengato.evaluation.fewshot:FewshotConfig",
        "opengato.evaluation.fewshot:run",
        "learn a task from 1, 3, 10, … demonstrations, beside other learners",
    ),
    "scaling": (
        "opengato.evaluation.scaling:ScalingConfig",
        "opengato.evaluation.scaling:run",
        "scores over positions seen, for models of several sizes",
    ),
    "prompts": (
        "opengato.evaluation.prompt_study:PromptsConfig",
        "opengato.evaluation.prompt_study:run",
        "does the agent listen: right prompts, none and a wrong one on the same seeds",
    ),
    "gallery": (
        "opengato.evaluation.gallery:GalleryConfig",
        "opengato.evaluation.gallery:run",
        "a page with a picture, the spec and the scores of every task",
    ),
    "strip": (
        "opengato.evaluation.strip:StripConfig",
        "opengato.evaluation.strip:run",
        "a report's videos side by side in one small moving picture",
    ),
    "report": ("opengato.commands:ReportConfig", "opengato.commands:report", "make report.html of results"),
    "demo": ("opengato.evaluation.demo:DemoConfig", "opengato.commands:demo", "the whole line in ten minutes"),
    "agents": ("opengato.agents:AgentsConfig", "opengato.agents:list_", "which agents there are, shipped and local"),
    "agents push": ("opengato.agents:PushConfig", "opengato.agents:push", "an agent to a folder or a hub"),
    "agents pull": (
        "opengato.agents:PullConfig",
        "opengato.agents:pull",
        "an agent from a folder or a hub, digests checked",
    ),
    "caption": ("opengato.commands:CaptionConfig", "opengato.commands:caption", "describe a picture"),
    "chat": ("opengato.commands:ChatConfig", "opengato.commands:chat", "talk with the agent"),
    "doctor": ("opengato.commands:DoctorConfig", "opengato.commands:doctor", "say what works on this machine"),
    "expert": ("opengato.training.experts:Config", "opengato.commands:expert", "train a small expert policy"),
    "references": (
        "opengato.commands:ReferencesConfig",
        "opengato.commands:references",
        "measure random and demonstrator",
    ),
    "scorecard": (
        "opengato.evaluation.scorecard:ScorecardConfig",
        "opengato.commands:scorecard",
        "write an agent's scores into its card and a table",
    ),
    "bench": ("opengato.benchmarks.bench:BenchConfig", "opengato.benchmarks.bench:run", "measure speed here"),
    "imitation": (
        "opengato.benchmarks.imitation:ImitationConfig",
        "opengato.benchmarks.imitation:run",
        "what is learnt in equal time, beside plain behavioural cloning",
    ),
    "serving": (
        "opengato.benchmarks.serving:ServingConfig",
        "opengato.benchmarks.serving:run",
        "how a server treats many robots at once",
    ),
    "peers": (
        "opengato.benchmarks.peers:PeersConfig",
        "opengato.benchmarks.peers:run",
        "speed beside another project's own code",
    ),
    "vocabulary": (
        "opengato.training.vocabulary:VocabularyConfig",
        "opengato.commands:vocabulary",
        "learn a text vocabulary",
    ),
}

# Commands that take up what an earlier run of theirs, with the same settings, left unfinished.
GO_ON = (
    "collect", "train", "finetune", "fewshot", "scaling", "prompts", "gallery", "recipe", "references", "imitation",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns the exit code: 0, 2 for what a user can mend, 130 after Ctrl-C."""
    # Threads that wait should sleep soon: where another process wants the processor, those that spin keep it from the
    # one they wait for, and an update takes ten times as long. But not at once, for training waits some thousand times
    # a step: that would make it a third slower where nothing else runs (`docs/log.md`).
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    # Training meets some thousand shapes of matrix products; with room for all, none is compiled twice.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16384")
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    words = [word for word in words if word != "--json"]
    try:
        if not words or words[0] in ("--help", "-h", "help"):
            print(_help())
            return 0
        if words[0] == "--version":
            from opengato import __version__

            print(__version__)
            return 0
        if " ".join(words[:2]) in COMMANDS:  # two words: `opengato data verify`
            words[:2] = [" ".join(words[:2])]
        if words[0] == "sweep":
            from opengato import sweep

            return sweep.main(words[1:])
        if words[0] not in COMMANDS and asks_help(words) and (group := _rows(f"{words[0]} ")):
            print(group)
            return 0
        return run(words[0], words[1:], as_json)
    except OpengatoError as error:
        print(f"opengato: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        more = "; the same command goes on where this one was" if words[0] in GO_ON else ""
        print(f"opengato: stopped{more}.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        if not _unread():
            raise
        return 0


def _unread() -> bool:
    """Whether nobody reads standard output any more, as after `opengato list | head`; its rest is then thrown away."""
    try:
        channel = sys.stdout.fileno()
    except OSError:  # no file at all
        return False
    watch = select.poll()
    watch.register(channel, 0)
    if not watch.poll(0):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), channel)  # or the interpreter would fail at its end for the same reason
    return True


def run(command: str, words: Sequence[str], as_json: bool) -> int:
    """Run one command with its overrides.

    Raises:
        OpengatoError: an unknown command or setting, or whatever the command refuses.
    """
    if command not in COMMANDS:
        raise UnknownNameError("command", command, COMMANDS, "Next: opengato --help")
    settings, function, what = COMMANDS[command]
    kind = _import(settings)
    if asks_help(words):
        print(f"opengato {command}: {what}\n\n{describe(kind)}")
        return 0
    result = _import(function)(compose(command, kind, words), as_json)
    if as_json and result is not None:
        from opengato.evaluation.provenance import plain

        print(json.dumps(plain(result), ensure_ascii=False, default=str))
    return 0


def _free(kind: type, prefix: str = "") -> Iterator[str]:
    """Paths of settings that take any key, as patterns."""
    for field in dataclasses.fields(kind):
        if field.default_factory is dict:
            yield re.escape(f"{prefix}{field.name}")
        elif field.default_factory is not dataclasses.MISSING:
            value = field.default_factory()
            if dataclasses.is_dataclass(value) and not isinstance(value, type):
                yield from _free(type(value), f"{prefix}{field.name}.")


def overrides(command: str, kind: type, words: Sequence[str]) -> list[str]:
    """`key=value` words as Hydra wants them: presets are added, and so are keys of settings that take any.

    Raises:
        OpengatoError: a word that is no `key=value`.
    """
    loose = [word for word in words if "=" not in word]
    if loose:
        raise OpengatoError(f"{loose[0]!r} is no setting; settings read key=value. Next: opengato {command} --help")
    free = tuple(_free(kind))
    words = [f"+{word}" if word.startswith("preset=") else word for word in words]
    return [f"++{word}" if re.match(rf"({'|'.join(free)})[.=]", word) else word for word in words] if free else words


def compose(command: str, kind: type, words: Sequence[str]) -> Any:
    """Settings from defaults, presets (`preset=name`) and `key=value` words, by Hydra.

    Raises:
        OpengatoError: an unknown key, a value of the wrong type, or words that are no `key=value`.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module
    from hydra.core.config_store import ConfigStore
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    words = list(words)
    if command == "list" and words and "=" not in words[0]:
        words[0] = f"what={words[0]}"
    words = overrides(command, kind, words)
    for word in words:
        if word.startswith("+preset="):
            check_preset(word.removeprefix("+preset="), command, [field.name for field in dataclasses.fields(kind)])
    store = command.replace(" ", "_")
    ConfigStore.instance().store(name=store, node=_defaults(kind))
    try:
        with initialize_config_module("opengato.configs", version_base="1.3"):
            found = OmegaConf.to_container(hydra_compose(store, overrides=list(words)), resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        message = str(error.__cause__ or error).strip().splitlines()[0]
        known = ", ".join(field.name for field in dataclasses.fields(kind))
        raise OpengatoError(f"{message}. Known settings: {known}. Next: opengato {command} --help") from None
    assert isinstance(found, dict)
    return _build(kind, {str(name): value for name, value in found.items()}, "")


def _defaults(kind: type) -> dict[str, Any]:
    """A dataclass's defaults as plain containers; a setting without one is None until it is given."""
    out: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        if field.default is not dataclasses.MISSING:
            value: Any = field.default
        elif field.default_factory is not dataclasses.MISSING:
            value = field.default_factory()
        else:
            value = None
        if dataclasses.is_dataclass(value):
            value = _defaults(type(value)) | {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        out[field.name] = str(value) if isinstance(value, Path) else dict(value) if isinstance(value, dict) else value
        if isinstance(value, tuple):
            out[field.name] = list(value)
    return out


def _build(kind: type, values: dict[str, Any], where: str) -> Any:
    """The dataclass of plain containers, each value checked against its field's type."""
    hints = typing.get_type_hints(kind)
    for name in values:
        if name not in hints:
            raise UnknownNameError("setting", f"{where}{name}", hints, "Next: leave it out.")
    required = {f.name for f in dataclasses.fields(kind) if f.default is f.default_factory is dataclasses.MISSING}
    missing = sorted(name for name in required if values.get(name) is None)
    if missing:
        raise OpengatoError(f"setting {missing[0]!r} is needed. Next: add {missing[0]}=…")
    found = {name: _fit(hints[name], value, f"{where}{name}") for name, value in values.items()}
    for name, value in found.items():
        check(f"{where}{name}", value)
    return kind(**found)


def _fit(hint: Any, value: Any, name: str) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if type(None) in inner and value is None:
        return None
    if type(None) in inner:
        return _fit(next(kind for kind in inner if kind is not type(None)), value, name)
    if origin is typing.Literal:
        if value in inner:
            return value
        raise OpengatoError(f"{name}={value} is illegal. Legal: {', '.join(map(str, inner))}. Next: {name}={inner[0]}")
    if origin in (list, tuple):
        items = value if isinstance(value, list) else [value]
        fitted = [_fit(inner[0], item, name) for item in items]
        return tuple(fitted) if origin is tuple else fitted
    pairs = origin in (dict, Mapping)
    if (pairs or dataclasses.is_dataclass(hint)) and not isinstance(value, dict):
        raise OpengatoError(f"{name}={value} is illegal. Legal: keys with values. Next: '{name}={{key: value}}'")
    if pairs:
        return {str(key): _fit(inner[1], item, f"{name}.{key}") for key, item in value.items()}
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value, f"{name}.")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if hint is str and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if isinstance(hint, type) and (not isinstance(value, hint) or (hint is int and isinstance(value, bool))):
        raise OpengatoError(f"{name}={value} is a {type(value).__name__}; legal: {hint.__name__}.")
    return value


def _import(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def asks_help(words: Sequence[str]) -> bool:
    """Whether the words ask what there is."""
    return "--help" in words or "-h" in words


def _rows(begin: str = "") -> str:
    """The commands that begin so, a line each."""
    return "\n".join(f"  {name:<11} {what}" for name, (_, _, what) in COMMANDS.items() if name.startswith(begin))


def _help() -> str:
    return (
        f"opengato <command> key=value … [--json]\n\n{_rows()}\n  sweep       a command for every combination of "
        "key=one,other, here or on a cluster\n\nopengato <command> --help lists a command's settings."
    )


def describe(kind: type) -> str:
    """The settings of a command with defaults, then what its docstring says of them."""
    defaults = _defaults(kind)
    lines = [f"  {name}={json.dumps(value, default=str)}" for name, value in defaults.items()]
    notes = "\n\n".join(part.__doc__.strip() for part in kind.__mro__ if part is not object and part.__doc__)
    return "settings:\n" + "\n".join(lines) + f"\n\n{notes}"
