"""Runs the contract suite over every task that runs here, family by family, and writes down what came of it.

`python scripts/contract.py` takes all families that have no result yet, so it goes on where it was stopped; names of
families after it take those alone, and anew. `--leave-out=TEST` leaves out a test, and the result says so: whole
episodes of some demonstrators take long (`test_demonstrator_succeeds_and_beats_chance`). `--add=TEST` runs what was
left out, and adds it to the result.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path
from typing import Any

from opengato.errors import OpengatoError, UnknownNameError
from opengato.evaluation.provenance import commit, versions, write_json
from opengato.tasks import registry

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "results" / "contract.json"
WHAT = (
    "tests/test_contract.py, slow tests too, over every task of a family. tasks: registered; run: could run on that "
    "machine; passed, failed, skipped: tests; why: reasons of the skips; left_out: tests that were not run."
)


def outcome(report: Path) -> dict[str, Any]:
    """Counts of a JUnit report, names of what failed, and why tests were skipped."""
    counts: Counter[str] = Counter(passed=0, failed=0, skipped=0)
    failures, reasons = [], Counter[str]()
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        failure = next((found for kind in ("failure", "error") if (found := case.find(kind)) is not None), None)
        skip = case.find("skipped")
        counts["failed" if failure is not None else "skipped" if skip is not None else "passed"] += 1
        if failure is not None:
            failures.append(f"{case.get('name')}: {(failure.get('message') or 'no message').splitlines()[0]}")
        if skip is not None:
            reasons[skip.get("message", "")] += 1
    return {**counts, "failures": failures, "why": dict(reasons)}


def run(family: str, left_out: list[str], only: str = "") -> dict[str, Any]:
    """The suite over one family, but for some tests, or one test alone."""
    cards = registry.find(f"{family}/*")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", f"--junitxml={report}"]
        chosen = " and ".join([f"[{family}/", *(f"not {test}" for test in left_out), *([only] if only else [])])
        command += ["tests/test_contract.py", "-k", chosen, "--timeout=3600"]
        subprocess.run(command, cwd=ROOT, check=False)
        found = outcome(report)
    there = sum(card.available for card in cards)
    return {"tasks": len(cards), "run": there, **found, "left_out": left_out, "commit": commit()}


def added(known: dict[str, Any], family: str, test: str) -> dict[str, Any]:
    """The result of a family with a test that had been left out of it."""
    if test not in known["left_out"]:
        raise OpengatoError(f"{test} was not left out of {family}; left out: {known['left_out']}.")
    found = run(family, [], test)
    for count in ("passed", "failed", "skipped"):
        found[count] += known[count]
    why = Counter(known["why"]) + Counter(found["why"])
    left_out = [other for other in known["left_out"] if other != test]
    return {**found, "failures": known["failures"] + found["failures"], "why": dict(why), "left_out": left_out}


def main(words: list[str]) -> int:
    """Returns 1 where a test failed."""
    families = [word for word in words if not word.startswith("--")]
    left_out = [word.removeprefix("--leave-out=") for word in words if word.startswith("--leave-out=")]
    to_add = next((word.removeprefix("--add=") for word in words if word.startswith("--add=")), None)
    known: dict[str, Any] = json.loads(OUT.read_text("utf-8")) if OUT.is_file() else {}
    there = sorted({card.family for card in registry.find("*") if card.available})
    for name in families:
        if name not in there:
            raise UnknownNameError("family", name, there, "Next: opengato list families")
    for name in families or [name for name in there if name not in known]:
        known[name] = added(known[name], name, to_add) if to_add else run(name, left_out)
        rest = {family: known[family] for family in sorted(known) if family != "_about"}
        write_json(OUT, {"_about": {"what": WHAT, "versions": versions()}, **rest})
    return int(any(found["failed"] for name, found in known.items() if name != "_about"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
