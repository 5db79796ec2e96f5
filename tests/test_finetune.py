"""Fine-tuning adds to the demonstrations that are there, and its agent's card tells of that agent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from opengato.agent import Agent
from opengato.cli import main
from opengato.errors import OpengatoError
from opengato.tasks import registry
from opengato.training.collect import CollectConfig, collect
from opengato.training.episodes import EpisodeStore, write_episodes
from opengato.training.finetune import FinetuneConfig, demonstrations

from .test_policy import SMALL

TASK = "gridworld/go-to-obj-s4"
CARD = {
    "name": "parent", "command": ["x"], "remark": "its own", "scores": {TASK: {"score": 90.0}}, "evaluation": {},
    "mean_score_of_trained_tasks": 90.0, "licence": "MIT", "hours": 7.0, "tasks": ["a/b"], "steps": 1400,
    "finetuned": [{"task": "c/d"}],
}  # fmt: skip


def seeds(data: Path) -> list[int]:
    return [row["seed"] for row in EpisodeStore.open(data, TASK).summaries()]


def test_what_is_missing_is_added_to_what_is_there(tmp_path: Path) -> None:
    card, config = registry.get(TASK), FinetuneConfig(task=TASK, demonstrations=2, data_dir=str(tmp_path))
    few, _ = demonstrations(card, config)
    more, _ = demonstrations(card, replace(config, demonstrations=4))
    for one, other in zip(few, more[:2], strict=True):
        assert np.array_equal(one.actions, other.actions)
    assert seeds(tmp_path) == [0, 1, 2, 3]
    assert collect(CollectConfig(tasks=[TASK], episodes=4, data_dir=str(tmp_path), noise=0.3, workers=1))[0]["skipped"]


def test_what_was_collected_grows_in_the_way_it_was_made(tmp_path: Path) -> None:
    collect(CollectConfig(tasks=[TASK], episodes=2, data_dir=str(tmp_path), seed=7, workers=1))
    config = FinetuneConfig(task=TASK, demonstrations=3, data_dir=str(tmp_path))
    assert len(demonstrations(registry.get(TASK), config)[0]) == 3
    assert seeds(tmp_path) == [7, 8, 9]
    assert EpisodeStore.open(tmp_path, TASK).metadata["settings"]["noise"] == 0.0


def test_anothers_demonstrations_are_never_replaced(tmp_path: Path) -> None:
    card, config = registry.get(TASK), FinetuneConfig(task=TASK, demonstrations=3, data_dir=str(tmp_path / "own"))
    shown, spec = demonstrations(card, config)
    facts = {"demonstrator": "a person, an afternoon"}
    there = tmp_path / "theirs"
    write_episodes(there, TASK, shown[:2], spec.observation_space, spec.action_space, facts)
    with pytest.raises(OpengatoError, match=r"3 demonstrations .* holds 2 .* by a person.*Next: demonstrations=2"):
        demonstrations(card, replace(config, data_dir=str(there)))
    assert len(EpisodeStore.open(there, TASK)) == 2
    assert len(demonstrations(card, replace(config, demonstrations=2, data_dir=str(there)))[0]) == 2


@pytest.mark.parametrize("scratch", [False, True])
def test_a_card_tells_of_this_agent_and_not_of_its_parent(scratch: bool, tmp_path: Path) -> None:
    agent = Agent.new(SMALL, seed=1)
    agent.card = dict(CARD)
    start = agent.save(tmp_path / "start")
    words = [f"task={TASK}", f"agent={start}", "demonstrations=1", "steps=1", f"scratch={str(scratch).lower()}"]
    assert main(["finetune", *words, f"data_dir={tmp_path}/data", f"out={tmp_path}/run"]) == 0
    card = Agent.load(tmp_path / "run/agent").card
    assert not {"name", "command", "remark", "scores", "evaluation", "mean_score_of_trained_tasks"} & card.keys()
    assert card["parameters"] == agent.model.num_parameters
    assert [each["task"] for each in card["finetuned"]] == ([TASK] if scratch else ["c/d", TASK])
    kept = {name: card.get(name) for name in ("init", "licence", "hours", "tasks")}
    none = {"init": None, "licence": None, "hours": None, "tasks": [TASK]}
    assert kept == (none if scratch else {"init": str(start), "licence": "MIT", "hours": 7.0, "tasks": ["a/b"]})
