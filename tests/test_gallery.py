"""The gallery shows every task with its picture, spec and scores, and goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from opengato.evaluation import gallery
from opengato.evaluation.gallery import GalleryConfig, run
from opengato.evaluation.gallery.visit import picture_file
from opengato.tasks import registry

TASKS = ["control/cartpole-balance", "dialogue/scene", "lab/broken"]
PLUGIN = """
from opengato.tasks import register

@register("lab/broken", instruction="fall | over")
def make(**_):
    raise RuntimeError("no such <arm>")
"""


@pytest.mark.usefixtures("fresh_registry")
def test_a_gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(PLUGIN)
    out = tmp_path / "tasks"
    config = GalleryConfig(tasks=TASKS, out=str(out), workers=1, plugins=[str(plugin)])
    told = run(config, True)
    assert (told["tasks"], told["visited"]) == (3, 3)
    assert list(told["failed"]) == ["lab/broken"]
    with Image.open(picture_file(out, TASKS[0])) as picture:
        assert len(set(picture.convert("L").getdata())) > 10
    facts = json.loads((out / "tasks.json").read_text())
    assert [each["name"] for each in facts[TASKS[0]]["observation"]]
    page = (out / "index.html").read_text()
    assert page.count('<details class="task">') == 3
    assert "no such &lt;arm&gt;" in page
    assert "fall \\| over" in (out / "lab.md").read_text()
    assert "| does | " in (out / "control.md").read_text()

    seen: list[Any] = []
    monkeypatch.setattr(gallery, "ProcessPool", lambda *_: seen.append(_))
    assert run(config, True)["visited"] == 0  # nothing has changed
    assert not seen


def test_the_gallery_that_ships_shows_every_task(root: Path) -> None:
    facts = json.loads((root / "docs" / "tasks" / "tasks.json").read_text())
    assert set(facts) == {card.id for card in registry.find("*")}, "Next: opengato gallery"
    assert not [task for task, found in facts.items() if "failed" in found]
