"""Every command takes `--help`, as the README says."""

from __future__ import annotations

import pytest

from opengato.cli import COMMANDS, main
from opengato.sweep import SWEPT

ASKED = [*COMMANDS, "data", "sweep", *(f"sweep {command}" for command in SWEPT)]


@pytest.mark.parametrize("command", ASKED)
@pytest.mark.parametrize("ask", ["--help", "-h"])
def test_help_is_given(capsys: pytest.CaptureFixture[str], command: str, ask: str) -> None:
    assert main([*command.split(), ask]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert {"data": "data verify", "sweep": "evaluate"}.get(command, "settings:") in said.out


def test_all_commands_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {command} " in said for command in (*COMMANDS, "sweep"))
