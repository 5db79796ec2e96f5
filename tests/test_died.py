"""What dies is said: a worker, a peer, a twin, and whoever reads what a command prints."""

from __future__ import annotations

import json
import os
import socket
import sys
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opengato import cli
from opengato.benchmarks.peers.process import Process
from opengato.envs.real.twin import TwinRobot
from opengato.errors import OpengatoError
from opengato.evaluation.workers import WorkerStage


def test_a_worker_that_died_is_said_whatever_finds_it() -> None:
    stage = WorkerStage.__new__(WorkerStage)
    ours, theirs = Pipe()
    theirs.close()
    stage.pipes, stage.shares, stage.processes = [ours], [1], []
    for order in (stage.begin, lambda: stage.step([0])):
        with pytest.raises(OpengatoError, match="a worker of the evaluation died"):
            order()
    stage.close()


def test_a_peer_that_ended_between_two_orders_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "peer.py").write_text("import sys\nprint(1)\nsys.exit('out of memory')\n")
    with Process(sys.executable, str(tmp_path / "peer.py")) as peer:
        peer._process.wait()
        with pytest.raises(OpengatoError, match="the peer's process ended:\nout of memory"):
            peer.ask("update", "x" * 100)


def test_a_twin_that_is_gone_is_said() -> None:
    robot = TwinRobot.__new__(TwinRobot)
    robot._channel, theirs = socket.socketpair()
    theirs.close()
    robot._episode = 0
    with robot._channel, pytest.raises(OpengatoError, match="the twin is gone"):
        robot.send_action(np.zeros(2))


@dataclass(frozen=True)
class Nothing:
    """No settings."""


def speak(config: Nothing, as_json: bool) -> None:
    print("x" * 100_000)


def meet_a_dead_worker(config: Nothing, as_json: bool) -> None:
    raise BrokenPipeError("a worker's")


def give_nan(config: Nothing, as_json: bool) -> Any:
    return {"p50_ms": float("nan"), "limits": (1, np.float32(2))}


def wait_for_ever(config: Nothing, as_json: bool) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a function of this file a command."""

    def make(name: str, function: Any) -> str:
        path = f"{__name__}:{function.__name__}"
        monkeypatch.setitem(cli.COMMANDS, name, (f"{__name__}:Nothing", path, ""))
        return name

    return make


def test_only_a_reader_who_went_away_ends_a_command_well(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrokenPipeError):
        cli.main([command("tried", meet_a_dead_worker)])
    read, write = os.pipe()
    os.close(read)
    with open(write, "w", buffering=1) as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert cli.main([command("tried", speak)]) == 0
        print("and what comes after goes nowhere, too")


def test_numbers_that_are_none_are_null_in_json(command: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command("tried", give_nan), "--json"]) == 0
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {"p50_ms": None, "limits": [1, 2.0]}


def test_only_what_goes_on_says_that_it_does(command: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for name, told in (("collect", "goes on where"), ("evaluate", "opengato: stopped.\n")):
        assert cli.main([command(name, wait_for_ever)]) == 130
        assert told in capsys.readouterr().err
    assert set(cli.GO_ON) <= set(cli.COMMANDS)
