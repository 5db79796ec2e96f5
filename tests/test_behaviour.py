"""A gate for behaviour: a tiny agent, trained for minutes, must do three kinds of things well.

Losses and shapes can be right while an agent does nothing right; this one is collected, trained and scored by the
commands that a user types.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opengato.cli import main

# An agent that has learnt nothing scores about 0, its demonstrator 100.
FLOORS = {"control/cartpole-balance": 60, "gridworld/go-to-obj-s4": 60, "bullet/panda-reach": 60}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_tiny_agent_trained_for_minutes_acts_in_three_families(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = f"data_dir={tmp_path}/data"
    tasks = f"tasks=[{','.join(FLOORS)}]"
    for task, episodes in zip(FLOORS, (20, 200, 60), strict=True):
        words = [f"tasks=[{task}]", f"episodes={episodes}", "noise=0.2", "max_steps=250", "workers=2"]
        assert main(["collect", *words, data]) == 0
    shape = "shape={horizon: 3, blocks: 2, width: 128, heads: 4, feedforward: 512}"
    words = [shape, "steps=500", "warmup=50", "learning_rate=0.002", "mixture.rows=8", "workers=1"]
    assert main(["train", tasks, *words, f"out={tmp_path}/run", data]) == 0
    capsys.readouterr()
    words = [tasks, "episodes=10", "max_steps=250", f"out={tmp_path}/report", data]
    assert main(["evaluate", f"agent={tmp_path}/run/agent", *words, "--json"]) == 0
    found = {row["task"]: row["score"] for row in json.loads(capsys.readouterr().out)}
    assert {task: score for task, score in found.items() if score < FLOORS[task]} == {}
