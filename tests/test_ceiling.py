"""What a demonstrator keeps of its return when its actions have gone through the agent's bins."""

from __future__ import annotations

import json
from typing import Any

from opengato.evaluation import scores
from opengato.tasks import registry


def test_bins_cost_a_demonstrator_nothing_that_counts(tmp_path: Any) -> None:
    out = scores.measure_references(
        [registry.get("control/cartpole-balance")], 2, tmp_path / "scores.json", max_steps=60
    )
    entry = json.loads(out.read_text())["control/cartpole-balance@60"]
    assert entry["quantised"]["mean"] != entry["expert"]["mean"], "the actions have gone through the bins"
    assert abs(entry["quantised"]["lost"]) < 2
