"""Recipes: every command of each is one that the command line takes, and they run in order."""

from __future__ import annotations

import shlex
from dataclasses import replace
from importlib.resources import files

import pytest

from opengato import recipe
from opengato.agent import Agent
from opengato.agent.config import preset
from opengato.cli import COMMANDS, _import, compose, main
from opengato.errors import UnknownNameError
from opengato.tasks import registry

NAMES = sorted(
    p.name.removesuffix(".yaml") for p in (files("opengato.configs") / "recipe").iterdir() if p.name.endswith(".yaml")
)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_legal_and_finds_what_was_made_before(name: str) -> None:
    outs: set[str] = set()
    shown: set[tuple[str, str]] = set()
    for line in recipe.read(name):
        command, *words = shlex.split(line)
        config = compose(command, _import(COMMANDS[command][0]), words)
        if command not in ("collect", "train"):
            continue
        tasks = [card.id for card in registry.find(list(config.tasks))]
        assert tasks, line
        if command == "collect":
            shown |= {(config.data_dir, task) for task in tasks}
            continue
        known = {task for _, task in shown}
        assert not config.init or config.init.removesuffix("/agent") in outs, line
        assert config.out not in outs, line
        learnt = [task for task in tasks if task in known]  # of a pattern, what has no demonstrations is left out
        assert all((config.folder_of(task), task) in shown for task in learnt), line
        assert all((config.shown_of(task), task) in shown for task in learnt if config.shown_of(task)), line
        outs.add(config.out)


def test_the_agent_that_ships_has_the_shape_that_its_recipe_gives() -> None:
    config = compose("train", _import(COMMANDS["train"][0]), ["preset=generalist-1"])
    assert replace(preset(config.model), **config.shape) == Agent.load("generalist").model.config


def test_commands_run_in_order_from_where_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    monkeypatch.setattr(recipe, "read", lambda name: ["list families", "doctor", "data verify data_dir=x"])
    monkeypatch.setattr("opengato.cli.run", lambda command, words, as_json: ran.append((command, words)) or 0)
    recipe.run(recipe.RecipeConfig(start=2), False)
    assert ran == [("doctor", []), ("data verify", ["data_dir=x"])]
    monkeypatch.undo()
    with pytest.raises(UnknownNameError, match="nobody"):
        recipe.read("nobody")


def test_a_dry_run_says_and_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "name=generalist", "dry=true"]) == 0
    assert "opengato train preset=generalist" in capsys.readouterr().err
