"""Every bash and Python block of the README and the docs runs, each in an empty folder of its own.

A comment in the line before a block changes that: `<!-- slow -->` leaves it to the slow tests, `<!-- not run: why -->`
leaves it out. The checkout's `examples` is linked into the folder, so that `examples/my_robot.py` is found.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(
    r"(?:^<!-- (?P<note>[^\n]*?) -->\n\n?)?^```(?P<language>bash|python)\n(?P<code>.*?)^```", re.M | re.S
)
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")
FAST_S, SLOW_S = 300.0, 1800.0


@dataclass(frozen=True)
class Block:
    """One block of a page."""

    page: Path
    line: int
    language: str
    code: str
    note: str

    @property
    def name(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks() -> list[Block]:
    """Every block of every page, in order."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8") if page.exists() else ""
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start("code"))
            found.append(Block(page, line, match["language"], match["code"], match["note"] or ""))
    return found


def as_parameters() -> list[object]:
    return [
        pytest.param(block, id=block.name, marks=[pytest.mark.slow] if block.note == "slow" else [])
        for block in blocks()
        if not block.note.startswith("not run:")
    ]


@pytest.mark.parametrize("block", as_parameters())
def test_block_runs(block: Block, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    shell = ["bash", "-euo", "pipefail", "-c"] if block.language == "bash" else [sys.executable, "-c"]
    done = subprocess.run(
        [*shell, block.code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SLOW_S if block.note == "slow" else FAST_S,
        check=False,
    )
    assert done.returncode == 0, f"{block.name}\n{block.code}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_is_there_and_its_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# ")
    for target in LINK.findall(text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_notes_before_blocks_are_known(page: Path) -> None:
    for block in blocks():
        if block.page == page and block.note:
            assert block.note == "slow" or re.fullmatch(r"not run: \S.*", block.note), f"{block.name}: {block.note!r}"
