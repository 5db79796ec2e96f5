"""What is written down of the contract suite is what pytest reported, of the tasks that there are."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from opengato.tasks import registry

REPORT = """<testsuites><testsuite>
<testcase name="test_render[arm/reach-red]"/>
<testcase name="test_render[arm/lift-red]"><failure message="black&#10;assert 3 > 60">long</failure></testcase>
<testcase name="test_seed[arm/lift-red]"><error message="">fixture</error></testcase>
<testcase name="test_seed[arm/reach-red]"><skipped message="no demonstrator"/></testcase>
</testsuite></testsuites>"""


def script(root: Path) -> Any:
    spec = importlib.util.spec_from_file_location("contract_script", root / "scripts" / "contract.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_report_is_counted(root: Path, tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(REPORT)
    assert script(root).outcome(tmp_path / "report.xml") == {
        "passed": 1,
        "failed": 2,
        "skipped": 1,
        "failures": ["test_render[arm/lift-red]: black", "test_seed[arm/lift-red]: no message"],
        "why": {"no demonstrator": 1},
    }


def test_what_is_written_down_is_of_the_tasks_that_there_are(root: Path) -> None:
    written = json.loads((root / "docs" / "results" / "contract.json").read_text())
    assert written.pop("_about")["versions"]
    assert written
    for family, found in written.items():
        assert found["tasks"] == len(registry.find(f"{family}/*")), f"Next: make contract ARGS={family}"
        assert found["passed"] > 0
        assert found["failed"] == len(found["failures"]) == 0
