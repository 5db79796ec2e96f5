"""`opengato bench`: what it promises to say, and what it refuses. How fast anything is, no test asks."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from opengato.agent import Agent
from opengato.agent.config import preset
from opengato.benchmarks import bench as benching
from opengato.benchmarks import large, ours, peers, rollouts, serving
from opengato.benchmarks.bench import BenchConfig, bench, table
from opengato.benchmarks.cloning import Clone
from opengato.benchmarks.imitation import SIDES, ImitationConfig, _line, _rows, imitation
from opengato.errors import OpengatoError, UnknownNameError
from opengato.training.collect import CollectConfig, collect

PROMISED = {
    "train_pool1", "train_default", "action_full", "action_full_over_empty", "batch16", "batch16_full",
    "load_over_train",
}  # fmt: skip


@pytest.mark.parametrize("wrong", [{"episode": 10}, {"actions": 4}], ids=str)
def test_too_little_to_time_is_refused_before_anything_is_timed(wrong) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(OpengatoError, match="legal"):
        bench(BenchConfig(**wrong))


def test_endings_are_appended_and_folders_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benching, "measure", lambda *_: {"ratios": {}})
    monkeypatch.setattr(benching, "table", lambda _: "a table")
    bench(BenchConfig(threads=[1], out=str(tmp_path / "new" / "bench-1.2")))
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["bench-1.2.json", "bench-1.2.md"]
    monkeypatch.setattr(peers, "measure", lambda _: {})
    peers.run(peers.PeersConfig(out=str(tmp_path / "peers" / "jat.json")), as_json=True)
    monkeypatch.setattr(serving, "serving", lambda _: {})
    serving.run(serving.ServingConfig(out=str(tmp_path / "serving" / "many.json")), as_json=True)
    assert (tmp_path / "peers" / "jat.json").is_file()
    assert (tmp_path / "serving" / "many.json").is_file()


def test_a_line_of_one_rollout_has_no_interval() -> None:
    (row,) = _rows(["a/b"], ["ours"], {"a/b ours 0": [50.0]})
    assert "50.0 (one rollout" in _line(row)
    (row,) = _rows(["a/b"], ["ours"], {"a/b ours 0": [50.0, 60.0], "a/b ours 1": [40.0, 50.0]})
    assert re.search(r"50\.0 \[\d+, \d+\]", _line(row))


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_registry")
def test_every_case_runs_and_its_ratios_are_said() -> None:
    found = bench(BenchConfig(threads=[1], rounds=1, updates=1, actions=5, episode=0))
    whole = {"train_pool1_pictures", "train_default_pictures", "collecting", "evaluating"}
    whole |= {"train_flat", "train_flat_pictures"}
    assert set(found["ratios"]) == PROMISED | whole
    assert all(math.isfinite(value) and value > 0 for value in found["ratios"].values())
    assert all(name in table(found) for name in found["ratios"])


def test_actions_of_the_large_preset_are_timed_one_after_another_and_in_one_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny = replace(ours.MODELS["flat"], blocks=1)
    monkeypatch.setattr(large, "preset", lambda name: tiny)
    found = large.acting(1, 2, torch.device("cpu"), "tiny")
    layouts = ("tiny", "tiny in one pass")
    assert list(found["seconds"]) == [f"{layout}, {bits}" for layout in layouts for bits in ("fp32", "bf16", "int8")]
    assert {each["n"] for each in found["seconds"].values()} == {2}
    assert all(hz > 0 for hz in found["hz"].values())


def test_the_control_of_the_imitation_benchmark_learns_and_acts() -> None:
    arrays = ours.demonstrations(Agent.new(preset("nano")), episodes=1)
    arrays.steps.actions[:] = np.tanh(arrays.steps.values[:, :6])  # something to learn
    clone = Clone(arrays.codec)
    clone.fit(arrays, 0.0, seed=0, updates=400)
    seen = list(arrays.steps.values[:5])
    acted = np.stack(clone.act([*seen, None])[:5])
    wanted = np.tanh(arrays.steps.values[:5, :6])
    assert np.abs(acted - wanted).mean() < 0.6 * np.abs(wanted).mean()
    assert clone.act([None, seen[0]])[0] is None
    with pytest.raises(OpengatoError, match="sense numbers and words"):
        Clone(Agent.new(preset("nano")).codec(ours.spec(pictures=True)))


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_registry")
def test_imitation_trains_and_plays_all_sides_and_goes_on(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    collect(CollectConfig(tasks=["bench/body"], episodes=3, data_dir=data, plugins=[rollouts.PLUGIN], workers=1))
    out = str(tmp_path / "found.json")
    config = ImitationConfig(tasks=["bench/body"], seconds=2, seeds=1, episodes=2, data_dir=data, out=out)
    first = imitation(config)
    assert [row["side"] for row in first["rows"]] == ["cloning", "ours"]
    found = imitation(replace(config, sides=list(SIDES)))
    assert [row["side"] for row in found["rows"]] == list(SIDES)
    assert found["rows"][:2] == first["rows"]  # not trained again
    assert all(row["n"] == 2 for row in found["rows"])
    with pytest.raises(OpengatoError, match="another out"):
        imitation(replace(config, seconds=3))
    with pytest.raises(UnknownNameError, match="per-number"):
        imitation(replace(config, sides=["flat"]))
