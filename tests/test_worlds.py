"""What is written down of the simulators is what the simulators list."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from opengato.evaluation import listing
from opengato.evaluation.listing import families, family_table
from opengato.tasks import registry
from opengato.tasks.card import Card
from opengato.tasks.worlds import published, world


def test_gridworld_lists_every_level_that_can_be_made() -> None:
    pytest.importorskip("minigrid")
    from opengato.envs.gridworld.__main__ import describe, newest

    written, there = world("gridworld"), newest()
    assert {name: row["level"] for name, row in written.items()}.items() <= there.items()
    for name in there.keys() - written.keys():
        assert describe(there[name]) is None, name


def test_control_lists_the_suite_and_what_is_asked_besides() -> None:
    from dm_control import suite

    from opengato.envs.control.added import TASKS
    from opengato.envs.control.suite import name_of

    there = {name_of(*each): each for each in (*suite.ALL_TASKS, *TASKS)}
    written = {name: (row["domain"], row["task"]) for name, row in world("control").items()}
    assert written.items() <= there.items()
    assert there.keys() - written.keys() == {"quadruped-escape"}  # its terrain wants a graphics library


def test_mujoco_lists_gymnasiums_bodies() -> None:
    import gymnasium

    from opengato.envs.mujoco_gym.__main__ import name_of

    there = {id for id, spec in gymnasium.registry.items() if "mujoco" in str(spec.entry_point) and id.endswith("-v5")}
    assert {name_of(id): id for id in there} == {name: row["id"] for name, row in world("mujoco").items()}


def test_manipulation_lists_dm_controls_tasks() -> None:
    from dm_control.manipulation.shared.registry import get_all_names

    assert {row["name"] for row in world("manipulation").values()} == set(get_all_names())


def test_published_scores_find_their_tasks() -> None:
    """Whatever others measured on tasks of ours is on the card."""
    told = {card.id for card in registry.find("*") if card.published}
    for name in published("dm_control"):
        ours = f"control/{name.replace('cup-', 'ball-in-cup-')}"
        if ours in {card.id for card in registry.find("control/*")}:
            assert ours in told


def test_listing_imports_no_simulator_and_is_quick() -> None:
    code = (
        "import sys, json; from opengato.tasks import registry; n = len(registry.find('*'));"
        "heavy = [m for m in ('torch', 'mujoco', 'dm_control', 'minigrid', 'ale_py', 'pybullet', 'metaworld',"
        "'procgen', 'dmlab2d') if m in sys.modules]; print(json.dumps([n, heavy]))"
    )
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    number, heavy = json.loads(done.stdout)
    assert number >= 400
    assert heavy == []
    assert time.monotonic() - begun < 15  # far beyond what it takes on a busy machine


def test_the_documentation_counts_what_there_is() -> None:
    page = Path(__file__).parents[1] / "docs" / "worlds.md"
    table = family_table(families(registry.find("*")))
    assert table in page.read_text(encoding="utf-8"), f"the table of docs/worlds.md should read\n{table}"


def test_families_count_who_reaches_what(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(chance: float, mean: float, success: float | None = None) -> dict[str, Any]:
        return {"random": {"mean": chance}, "expert": {"mean": mean, "success": success}}

    def card(name: str, **facts: Any) -> Card:
        return Card(id=f"lab/{name}", factory=dict, instruction="", **facts)

    cards = [
        card("weak", published={"source": "x", "expert": 110.0}),
        card("strong", published={"source": "x", "expert": 110.0}),
        card("short", published={"source": "x", "expert": 110.0, "steps": 5}),  # other episodes: not compared
        card("sure", demonstrator=dict),
        card("unsure"),
        card("unmeasured", published={"source": "x", "expert": 1.0}),
    ]
    scores = {
        "lab/weak": measured(10, 89),
        "lab/strong": measured(10, 90),
        "lab/short": measured(0, 1),
        "lab/sure": measured(0, 1, 0.9),
        "lab/unsure": measured(0, 1, 0.89),
        "lab/unmeasured": {"random": {"mean": 0}, "expert": None},  # chance alone is no reference
    }
    monkeypatch.setattr(listing, "_measured", lambda: scores)
    (found,) = families(cards)
    counts = {name: found[name] for name in ("tasks", "measured", "told", "sure", "compared", "strong")}
    assert counts == {"tasks": 6, "measured": 5, "told": 2, "sure": 1, "compared": 2, "strong": 1}
    last = family_table([found]).splitlines()[-1]
    assert last == "| all | 6 | 1 | 0 | 5 | 1 of 2 | 1 of 2 |"
