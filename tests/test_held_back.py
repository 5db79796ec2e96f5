"""Demonstrations held back tell which moment of a fine-tuning run was best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from opengato.agent import Agent
from opengato.agent.laid import Targets
from opengato.cli import main
from opengato.errors import OpengatoError
from opengato.training.gauge import ignorance
from opengato.training.held_back import HeldBack
from opengato.training.mixture import Mixture, MixtureConfig
from opengato.training.trainer import Trainer

from .test_policy import SMALL
from .test_training import CONFIG, tasks

LOSSES = {0: 1.2, 2: 1.0, 4: 2.0, 6: 1.5}


def start(out: Path, steps: int = 6) -> tuple[Trainer, HeldBack]:
    agent = Agent.new(SMALL, seed=11)
    arrays = tasks(agent)
    config = replace(CONFIG, steps=steps)
    judge = HeldBack(agent, arrays[:1], config.mixture, 20, out)
    assert judge.every == 2
    judge.gauge.ignorant = 1.3  # so that the start, 1.2, knows something
    return Trainer(agent, arrays[1:], config, out), judge


def scripted(judge: HeldBack, fit: Trainer) -> Callable[[], float]:
    return lambda: LOSSES[fit.step]


def weights(fit: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in fit.agent.model.state_dict().items()}


def test_the_best_moment_is_kept_over_a_resumption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit, judge = start(tmp_path)
    monkeypatch.setattr(judge.gauge, "loss", scripted(judge, fit))
    fit.run(stop_after=2, watch=judge.watch)
    best = weights(fit)
    fit.run(stop_after=1, watch=judge.watch)
    again, judge = start(tmp_path)
    assert again.resume()
    monkeypatch.setattr(judge.gauge, "loss", scripted(judge, again))
    again.run(watch=judge.watch)
    assert judge.losses == LOSSES
    assert not all(torch.equal(value, best[name]) for name, value in weights(again).items())
    assert judge.choose() == 2
    for name, value in weights(again).items():
        assert torch.equal(value, best[name]), name


def test_the_end_is_kept_where_it_is_better_than_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit, judge = start(tmp_path)
    monkeypatch.setattr(judge.gauge, "loss", lambda: {**LOSSES, 0: 1.6}[fit.step])
    judge.gauge.ignorant = 1.7
    fit.run(watch=judge.watch)
    end = weights(fit)
    assert judge.choose() == judge.steps
    for name, value in weights(fit).items():
        assert torch.equal(value, end[name]), name


def test_the_end_is_kept_where_the_start_knew_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit, judge = start(tmp_path)
    monkeypatch.setattr(judge.gauge, "loss", scripted(judge, fit))
    judge.gauge.ignorant = 1.1
    fit.run(watch=judge.watch)
    assert judge.choose() == judge.steps


@pytest.mark.parametrize("knew", [True, False])
def test_a_run_that_only_harms_is_given_up(knew: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rising = {0: 1.2, 2: 1.1, 4: 1.3, 6: 1.4, 8: 1.3, 10: 1.5, 12: 1.0}
    fit, judge = start(tmp_path, steps=12)
    monkeypatch.setattr(judge.gauge, "loss", lambda: rising[fit.step])
    judge.gauge.ignorant = 1.3 if knew else 1.1
    fit.run(watch=judge.watch)
    assert fit.step == (10 if knew else 12), "after four in a row above the start"
    again, judge = start(tmp_path, steps=12)
    assert again.resume()
    judge.gauge.ignorant = 1.3 if knew else 1.1
    assert again.run(watch=judge.watch) == [], "what was given up stays so"
    assert judge.choose() == (2 if knew else judge.steps)


def test_what_another_run_measured_is_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit, judge = start(tmp_path)
    (tmp_path / "best.json").write_text('{"0": 0.1, "2": 0.1, "4": 0.1, "6": 0.1}')
    monkeypatch.setattr(judge.gauge, "loss", scripted(judge, fit))
    fit.run(watch=judge.watch)
    assert judge.losses == LOSSES
    assert sorted(path.name for path in tmp_path.glob("best.*")) == ["best.json", "best.safetensors"]


@pytest.mark.parametrize("left", ['{"0": 1.2, "2"', '{"2": 1.0}', None], ids=["torn", "without its start", "gone"])
def test_a_resumed_run_needs_what_it_measured(left: str | None, tmp_path: Path) -> None:
    fit, judge = start(tmp_path)
    fit.run(stop_after=1, watch=judge.watch)
    (tmp_path / "best.json").unlink()
    if left:
        (tmp_path / "best.json").write_text(left)
    again, judge = start(tmp_path)
    assert again.resume()
    with pytest.raises(OpengatoError, match=r"best.json' is missing or damaged .* Next: restore it"):
        again.run(watch=judge.watch)


@pytest.mark.parametrize("task", [0, 1], ids=["numbers", "words"])
def test_ignorance_is_what_a_constant_answer_comes_to(task: int) -> None:
    narrow = replace(SMALL, target_smoothing=3.0)
    agent = Agent.new(narrow, seed=11)
    batch = Mixture(tasks(agent)[task : task + 1], narrow, MixtureConfig(rows=4), seed=0).batch(0)
    found = ignorance(batch.laid.all_targets, agent.model)
    model = agent.model.eval()
    with torch.no_grad():
        losses, weights, _ = model.losses(batch)
    untrained = float((losses * weights).sum() / weights.sum())
    assert 0 < found < untrained  # who has seen how often each occurs beats who has seen nothing
    same = [replace(target) for target in batch.laid.all_targets]
    for target in same:
        if isinstance(target, Targets):
            target.tokens = target.tokens[:1].expand_as(target.tokens)
        else:
            target.ids = target.ids[:1].expand_as(target.ids)
    few = ignorance(same, agent.model)
    assert few < found / 2  # where there is one answer, only the spread of its bins is left


def test_the_loss_falls_with_what_is_learnt_of_the_same(tmp_path: Path) -> None:
    agent = Agent.new(SMALL, seed=11)
    arrays = tasks(agent)[:1]
    judge = HeldBack(agent, arrays, CONFIG.mixture, 20, tmp_path)
    first = judge.gauge.loss()
    assert judge.gauge.loss() == first  # the same batches every time
    Trainer(agent, arrays, replace(CONFIG, steps=20, learning_rate=3e-3)).run(watch=judge.watch)
    assert judge.losses[20] < first
    assert list(judge.losses) == list(range(0, 21, 2))


def test_fine_tuning_holds_back_a_fifth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["finetune", "task=gridworld/go-to-obj-s4", "demonstrations=5", "steps=3", "workers=0"]
    where = [f"data_dir={tmp_path}/data", f"out={tmp_path}/run"]
    assert main([*words, *where]) == 0
    assert "by the 1 demonstrations held back: taken after" in capsys.readouterr().out
    assert main([*words, *where]) == 0, "what is finished is left as it is"
    assert main([*words, *where, "held_back=0.7"]) == 2
    assert "legal: 0 to 0.5" in capsys.readouterr().err
