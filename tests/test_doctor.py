"""`opengato doctor`: trials in children, findings that a machine can read, next steps that survive the table."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from opengato.evaluation import doctor as module


def test_a_child_that_crashes_is_a_finding() -> None:
    ok, text, _ = module.try_in_child("import os; os.abort()", timeout_s=120)
    assert not ok
    assert "signal" in text


def test_a_child_that_hangs_is_a_finding() -> None:
    ok, text, _ = module.try_in_child("import time; time.sleep(60)", timeout_s=0.5)
    assert not ok
    assert "no answer within" in text


def test_a_child_that_raises_gives_its_reason() -> None:
    ok, text, _ = module.try_in_child("raise ValueError('no driver')", timeout_s=120)
    assert (ok, text) == (False, "ValueError: no driver")


def test_what_everything_rests_on_draws_without_gl() -> None:
    finding = module.renderer_trials(300.0)[0]()
    assert finding.name == "ray-caster"
    assert finding.ok, finding.detail


@pytest.mark.usefixtures("fresh_registry")
def test_broken_and_missing_families_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from opengato.tasks.card import EXTRA_MODULES

    plugin = tmp_path / "broken.py"
    plugin.write_text(
        "from opengato.tasks import register\n\n\n"
        "@register('brokenlab/robot')\ndef robot(**kwargs):\n    raise RuntimeError('motor 3 is off')\n\n\n"
        "@register('absentlab/robot', extra='absent')\ndef other(**kwargs):\n    return None\n"
    )
    monkeypatch.setitem(EXTRA_MODULES, "absent", ("no_such_module_anywhere",))
    trials = module.family_trials([str(plugin)], 300.0)
    from opengato.tasks import find

    names = sorted({(card.family, card.extra or "") for card in find("*")})
    findings = {
        trials[i]().name: trials[i]() for i, (name, _) in enumerate(names) if name in ("brokenlab", "absentlab")
    }
    assert findings["brokenlab"].detail == "RuntimeError: motor 3 is off"
    assert findings["absentlab"].next_step == "pip install 'opengato[absent]'"
    assert not findings["absentlab"].needed


def test_table_keeps_brackets_of_install_commands(capsys: pytest.CaptureFixture[str]) -> None:
    step = "pip install 'opengato[atari]'"
    module.print_table([module.Finding("family", "atari", False, False, "not installed", step, 0.0)])
    assert "[atari]" in capsys.readouterr().out


@pytest.mark.slow
def test_doctor_as_a_whole(capsys: pytest.CaptureFixture[str]) -> None:
    found = module.doctor(show=False, timeout_s=600)
    assert capsys.readouterr().out == ""
    assert json.loads(json.dumps(found)) == found
    assert {entry["kind"] for entry in found} == {"machine", "renderer", "video", "family"}
    broken = [entry for entry in found if entry["needed"] and not entry["ok"]]
    assert not broken, (sys.version, broken)
