"""`opengato sweep COMMAND key=one,other …`: a command once for every combination, side by side, here or on a cluster.

Hydra's own multirun: its launchers decide where the jobs run. What evaluations found is gathered in one folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opengato.errors import OpengatoError

SWEPT = ("collect", "evaluate", "finetune", "fewshot", "train")  # commands that take long and keep what they make
LAUNCHERS = {"cores": "launch", "slurm": "slurm", "machine": "slurm", "ray": "ray"}  # configs/hydra/launcher → extra


def main(words: Sequence[str]) -> int:
    """Run a sweep.

    Args:
        words: the command, then its settings; `a,b` tries both. `launcher=` names one of `LAUNCHERS`, the default being
            `cores`; `hydra.launcher.…` are its settings. Of commands that have `out`, each job writes to
            `out/job-<number>`.

    Returns:
        The exit code.

    Raises:
        OpengatoError: no such command or launcher, or a job failed.
    """
    import hydra
    from hydra.core.config_store import ConfigStore
    from hydra.errors import HydraException

    from opengato import cli

    if words and cli.asks_help(words[:1]):
        print(_help())
        return 0
    if not words or words[0] not in SWEPT:
        named = repr(words[0]) if words else "nothing"
        raise OpengatoError(f"cannot sweep {named}. Legal: {', '.join(SWEPT)}. Next: opengato sweep evaluate …")
    command, rest = words[0], list(words[1:])
    kind = cli._import(cli.COMMANDS[command][0])
    if cli.asks_help(rest):
        print(f"{_help()}\n\nopengato {command}, {cli.describe(kind)}")
        return 0
    launcher = next((word.partition("=")[2] for word in rest if word.startswith("launcher=")), "cores")
    if launcher not in LAUNCHERS:
        raise OpengatoError(f"launcher={launcher} is unknown. Legal: {', '.join(LAUNCHERS)}. Next: launcher=cores")
    defaults = cli._defaults(kind)
    ConfigStore.instance().store(name=f"sweep_{command}", node=defaults)
    given = dict(word.partition("=")[::2] for word in rest)
    settings = cli.overrides(command, kind, [word for word in rest if not word.startswith("launcher=")])
    jobs = _combinations(settings)
    for each in jobs:
        cli.compose(command, kind, each)  # refuses what cannot work before any job runs
    out = given.get("out", defaults.get("out"))
    if out is not None and command != "collect":
        settings = [word for word in settings if not word.startswith("out=")]
        settings.append(f"out='{out}/job-${{hydra:job.num}}'")
    sys.argv = [
        "opengato", "--multirun", f"hydra/launcher={launcher}", f"hydra.job.name={command}",
        f"hydra.sweep.dir={out or 'runs'}/sweep", *settings,
    ]  # fmt: skip
    os.environ["HYDRA_FULL_ERROR"] = "1"  # without, Hydra prints a job's error and exits itself
    try:
        hydra.main(version_base="1.3", config_path="pkg://opengato.configs", config_name=f"sweep_{command}")(job)()
    except HydraException as error:
        message = str(error.__cause__ or error).strip().splitlines()[0]
        extra = LAUNCHERS[launcher]
        raise OpengatoError(f"{message}. Next: pip install 'opengato[{extra}]', or opengato {command} --help") from None
    if command == "evaluate" and out is not None:
        print(f"results: {gather(Path(out), len(jobs))}")
    return 0


def _combinations(settings: Sequence[str]) -> list[list[str]]:
    """The settings of every job, as Hydra will make them of `key=one,other`, but for Hydra's own."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    own = [word for word in settings if not word.startswith(("hydra.", "hydra/"))]
    try:
        (found,) = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(own), None)
    except HydraException as error:
        raise OpengatoError(f"{str(error).splitlines()[0]}. Next: opengato sweep --help") from None
    return found


def _help() -> str:
    return (
        "opengato sweep COMMAND key=one,other …: the command once for every combination; each job writes to "
        f"out/job-<number>\n\n  COMMAND   {', '.join(SWEPT)}\n  launcher= {', '.join(LAUNCHERS)}; "
        "hydra.launcher.…= are its settings\n\nopengato sweep COMMAND --help lists the command's settings."
    )


def job(config: Any) -> Any:
    """One job; the name of Hydra's job is the command."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from opengato import cli

    settings, function, _ = cli.COMMANDS[HydraConfig.get().job.name]
    found = OmegaConf.to_container(config, resolve=True)
    assert isinstance(found, dict)
    built = cli._build(cli._import(settings), {str(name): value for name, value in found.items()}, "")
    return cli._import(function)(built, True)


def gather(out: Path, jobs: int) -> Path:
    """Put the results of a sweep of so many jobs into `out/results.json`, in the order of the jobs; videos stay where
    they are. Folders that an earlier, larger sweep has left are none of this one's."""
    from opengato.evaluation.results import RESULTS, add_results, read_results

    for number in range(jobs):
        folder = out / f"job-{number}"
        rows = read_results(folder)
        for row in rows:
            for clip in row.get("videos") or ():
                clip |= {key: f"{folder.name}/{clip[key]}" for key in ("path", "poster")}
        add_results(out, rows)
    return out / RESULTS
