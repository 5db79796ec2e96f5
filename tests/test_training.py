"""Training: deterministic batches, resume equals uninterrupted, a golden loss, held-out tasks stay out."""

import json
import math
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from opengato.agent import Agent, Episode, Spec, pieces
from opengato.agent.shipped import shipped
from opengato.cli import compose
from opengato.errors import OpengatoError
from opengato.tasks import registry
from opengato.training.arrays import arrays_of, open_arrays
from opengato.training.collect import CollectConfig, collect
from opengato.training.episodes import EpisodeStore, write_episodes
from opengato.training.mixture import Mixture, MixtureConfig, shares
from opengato.training.noise import noisy
from opengato.training.shifts import shifted
from opengato.training.train import TrainConfig, learn_statistics, train
from opengato.training.trainer import Trainer, TrainerConfig

from . import spaces_zoo as zoo
from .test_policy import FLAT, SMALL

CONFIG = TrainerConfig(steps=6, warmup=2, workers=0, precision="fp32", mixture=MixtureConfig(rows=3))
PRESETS = Path(__file__).parent.parent / "configs" / "preset"
GOLDEN = Path(__file__).parent / "assets" / "golden_loss.json"


def tasks(agent: Agent):  # type: ignore[no-untyped-def]
    """Two tasks: one acts in numbers, one in words."""
    made = []
    for name, action in (("zoo/act", zoo.ACTION), ("zoo/talk", zoo.SPEECH)):
        zoo.seed(len(made))
        episodes = []
        for length in (3, 9, 5):
            seen = [zoo.OBSERVATION.sample() for _ in range(length)]
            episodes.append(Episode(seen, [action.sample() for _ in range(length)], np.zeros(length, np.float32)))
        codec = agent.codec(Spec(zoo.OBSERVATION, action))
        made.append(arrays_of(episodes, name, "do as shown", codec))
    learn_statistics(agent, made)
    return made


def trainer(config: TrainerConfig = CONFIG, out: Path | None = None, shape=SMALL) -> Trainer:  # type: ignore[no-untyped-def]
    agent = Agent.new(shape, seed=11)
    return Trainer(agent, tasks(agent), config, out)


@pytest.mark.parametrize("shape", [SMALL, FLAT], ids=["pooled", "flat"])
def test_resume_equals_uninterrupted(shape, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    shape = replace(shape, stochastic_depth=0.2)  # so that what is random in the model is put to the test
    whole = trainer(shape=shape).run()
    first = trainer(out=tmp_path, shape=shape)
    losses = first.run(stop_after=2)
    again = trainer(out=tmp_path, shape=shape)
    assert again.resume()
    assert losses + again.run() == whole


def test_another_runs_checkpoint_is_refused(tmp_path: Path) -> None:
    trainer(out=tmp_path).run(stop_after=1)
    with pytest.raises(OpengatoError, match="its seed is 0, this one's 1"):
        trainer(replace(CONFIG, seed=1), out=tmp_path).resume()


def test_the_loss_falls_on_a_batch_that_is_learnt_by_heart() -> None:
    fit = trainer(replace(CONFIG, steps=80, learning_rate=3e-3))
    batch = fit.mixture.batch(0)
    fit.agent.model.train()
    losses = [fit.update(batch)[0] for _ in range(80)]
    assert losses[-1] < 0.6 * losses[0]


def test_accumulated_steps_and_recomputed_blocks_learn_the_same() -> None:
    """One step on two batches at once, one after another, or with blocks computed anew: the same weights come out."""
    shape = replace(SMALL, stochastic_depth=0.2)
    weights = []
    for config in (CONFIG, replace(CONFIG, gradient_checkpointing=True)):
        fit = trainer(config, shape=shape)
        fit.agent.model.train()
        fit.update(fit.mixture.batch(0))
        weights.append(torch.cat([p.detach().flatten() for p in fit.agent.model.parameters()]))
    torch.testing.assert_close(*weights)
    fit = trainer(replace(CONFIG, accumulate=2))
    one, two = fit.mixture.batch(0), fit.mixture.batch(1)
    losses = []
    for number, batch in enumerate((one, two)):
        torch.manual_seed(number)  # what is random depends on the batch's number alone
        losses.append(fit.agent.model.losses(batch))
    wanted = sum((loss * weight).sum() for loss, weight, _ in losses) / sum(weight.sum() for _, weight, _ in losses)
    assert fit.run(stop_after=1) == pytest.approx([wanted.item()], rel=1e-5)
    with pytest.raises(OpengatoError, match="accumulate is 0"):
        trainer(replace(CONFIG, accumulate=0))


def test_golden_loss() -> None:
    """The first losses of the smallest model, compared with those kept in the repository."""
    kept = json.loads(GOLDEN.read_text())
    torch.manual_seed(0)
    np.testing.assert_allclose(trainer().run(), kept["losses"], rtol=2e-4)


def test_batches_depend_on_seed_and_step_alone() -> None:
    agent = Agent.new(SMALL, seed=0)
    made = tasks(agent)
    one, two = (Mixture(made, SMALL, MixtureConfig(rows=2), seed=5) for _ in range(2))
    one.batch(0)
    for name in ("position", "segment", "step", "horizon"):
        assert torch.equal(getattr(one.batch(7), name), getattr(two.batch(7), name))
    assert not torch.equal(one.batch(7).step, one.batch(8).step)


def test_every_position_is_used_once_and_little_is_padding() -> None:
    agent = Agent.new(SMALL, seed=0)
    mixture = Mixture(tasks(agent), SMALL, MixtureConfig(rows=16), seed=0)
    batch = mixture.batch(0)
    laid = batch.laid
    dest = [part.dest.flatten() for part in (*laid.numbers, *laid.pictures, *laid.words, *laid.pooled)]
    taken = torch.cat(dest)
    taken = taken[taken < batch.segment.numel()]  # what fills a group up goes past the end
    assert len(taken.unique()) == len(taken)
    assert set(taken.tolist()) == set(torch.nonzero(batch.segment.flatten() >= 0).flatten().tolist())


@pytest.mark.parametrize("shape", [SMALL, FLAT], ids=["pooled", "flat"])
def test_filling_groups_up_changes_no_loss(shape, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    agent = Agent.new(shape, seed=0)
    agent.model.eval()
    mixture = Mixture(tasks(agent), shape, MixtureConfig(rows=2), seed=1)
    filled = mixture.batch(3)
    monkeypatch.setattr(pieces, "_filled", lambda kind, arrays, spare: arrays)
    ragged = mixture.batch(3)
    assert {len(target.weight) % 8 for target in filled.laid.targets} == {0}
    assert any(len(target.weight) % 8 for target in ragged.laid.targets)
    losses, weights, numbers = agent.model.losses(filled)
    counts = weights > 0
    assert not counts.all()
    for one, two in zip((losses[counts], weights[counts], numbers[counts]), agent.model.losses(ragged), strict=True):
        torch.testing.assert_close(one, two)


def test_a_patterns_share_is_divided_among_its_tasks() -> None:
    tasks = ["arm/a", "arm/b", "arm/c", "text/d", "other/e"]
    found = shares(tasks, {"arm/*": 6, "arm/c": 2, "text/*": 4})
    np.testing.assert_allclose(found, [3, 3, 2, 4, 1])


def test_a_position_sees_only_its_own_segments_past() -> None:
    agent = Agent.new(SMALL, seed=0)
    batch = Mixture(tasks(agent), SMALL, MixtureConfig(rows=2), seed=1).batch(3)
    mask = batch.mask() & (batch.segment >= 0)[:, :, None]  # padding may look anywhere
    rows, queries, keys = torch.nonzero(mask, as_tuple=True)
    assert torch.all(keys <= queries)
    assert torch.equal(batch.segment[rows, queries], batch.segment[rows, keys])
    step = batch.step
    near = step[rows, queries] - step[rows, keys] < batch.horizon[rows, queries]
    assert torch.all(near | (step[rows, keys] < 0))


def test_a_shift_moves_pictures_alike_in_all_timesteps_and_nothing_else() -> None:
    task = tasks(Agent.new(SMALL, seed=11))[0]
    steps = task.episode(1)
    path, pictures = next(iter(steps.images.items()))
    moved = shifted(steps, 3, np.random.default_rng(4))
    down, right = np.random.default_rng(4).integers(-3, 4, 2)
    assert (down, right) != (0, 0)
    rows, columns = np.arange(pictures.shape[1]) - down, np.arange(pictures.shape[2]) - right
    inside = np.ix_(
        range(len(steps)), (rows >= 0) & (rows < pictures.shape[1]), (columns >= 0) & (columns < pictures.shape[2])
    )
    padded = pictures[:, rows.clip(0, pictures.shape[1] - 1)][:, :, columns.clip(0, pictures.shape[2] - 1)]
    np.testing.assert_array_equal(moved.images[path][inside], padded[inside])
    assert moved.images[path].shape == pictures.shape
    np.testing.assert_array_equal(moved.values, steps.values)
    assert moved.texts == steps.texts
    np.testing.assert_array_equal(shifted(steps, 0, np.random.default_rng(4)).images[path], pictures)


def test_a_shift_reaches_the_batch() -> None:
    made = tasks(Agent.new(SMALL, seed=11))
    known = {picture.tobytes() for task in made for images in task.steps.images.values() for picture in images}

    def unknown(shift: int) -> bool:
        laid = Mixture(made, SMALL, MixtureConfig(rows=2, shift={"*": shift})).batch(0).laid
        shown = [picture for group in laid.pictures for pixels in group.pixels for picture in pixels.numpy()]
        return any(picture.tobytes() not in known for picture in shown)

    assert not unknown(0)
    assert unknown(5)


def test_large_pictures_make_a_batch_smaller() -> None:
    made = tasks(Agent.new(SMALL, seed=11))[:1]

    def pixels(wanted: int, rows: int = 16) -> tuple[int, int]:
        batch = Mixture(made, SMALL, MixtureConfig(rows=rows, pixels=wanted)).batch(0)
        shown = [picture for group in batch.laid.pictures for picture in group.pixels]
        return len(batch.segment), sum(math.prod(picture.shape[:3]) for picture in shown)

    rows, most = pixels(0)
    fewer, shown = pixels(most // 4)
    assert rows == 16
    assert 1 < fewer < 8
    assert most / 8 < shown < most / 2
    assert pixels(1)[0] == 1
    assert pixels(10**9)[0] == 16


def test_noise_changes_what_is_sensed_in_numbers_and_nothing_else() -> None:
    task = tasks(Agent.new(SMALL, seed=11))[0]
    scale, steps = task.codec.observation_scale, task.episode(1)
    many = replace(steps, values=np.repeat(steps.values[:1], 4000, 0))
    off = noisy(many, scale, 0.3, np.random.default_rng(0)).values - many.values
    np.testing.assert_array_equal(off[:, scale.discrete], 0)
    np.testing.assert_allclose(off.std(0)[~scale.discrete], 0.3 * scale.std[~scale.discrete], rtol=0.06)
    changed = noisy(steps, scale, 0.3, np.random.default_rng(0))
    assert changed.images is steps.images
    assert changed.texts is steps.texts
    assert changed.actions is steps.actions


def test_noise_is_for_the_tasks_it_names() -> None:
    made = tasks(Agent.new(SMALL, seed=11))
    config = MixtureConfig(noise={"*": 0.1, "zoo/talk": 0.0})
    assert dict(zip([task.task for task in made], Mixture(made, SMALL, config).noise, strict=True)) == {
        "zoo/act": 0.1, "zoo/talk": 0.0,
    }  # fmt: skip

    def numbers(noise: dict[str, float]) -> np.ndarray:
        laid = Mixture(made, SMALL, MixtureConfig(rows=2, noise=noise)).batch(0).laid
        return np.concatenate([group.tokens.numpy().ravel() for group in laid.numbers])

    assert np.array_equal(numbers({}), numbers({"zoo/dance": 1.0}))
    assert not np.array_equal(numbers({}), numbers({"zoo/act": 1.0}))


def test_weights_are_shares_of_positions() -> None:
    agent = Agent.new(SMALL, seed=0)
    made = tasks(agent)
    mixture = Mixture(
        made, SMALL, MixtureConfig(rows=64, demonstration_prompts=0, instruction_prompts=0), {"zoo/act": 3.0}
    )
    targets = mixture.batch(0).laid
    assert len(targets.targets[0].weight) > 0
    heavy, light = mixture.chance
    assert heavy > light


def test_statistics_that_an_agent_knows_are_kept() -> None:
    agent = Agent.new(SMALL, seed=0)
    made = tasks(agent)
    before = {sign: mean.copy() for sign, (mean, _) in agent.statistics.items()}
    made[0].steps.values = made[0].steps.values + 5
    learn_statistics(agent, made)
    assert all(np.array_equal(agent.statistics[sign][0], mean) for sign, mean in before.items())


def test_arrays_on_disk_hold_what_the_episodes_hold(tmp_path: Path) -> None:
    agent = Agent.new(SMALL, seed=0)
    for action in (zoo.ACTION, zoo.SPEECH):
        zoo.seed(4)
        episodes = [
            Episode(
                [zoo.OBSERVATION.sample() for _ in range(n)],
                [action.sample() for _ in range(n)],
                np.zeros(n, np.float32),
            )
            for n in (2, 5)
        ]
        write_episodes(tmp_path, "zoo/x", episodes, zoo.OBSERVATION, action, {}, append=False)
        store = EpisodeStore.open(tmp_path, "zoo/x")
        found = open_arrays(store, "zoo/x", "hello", agent.vocabulary)
        wanted = arrays_of(episodes, "zoo/x", "hello", agent.codec(Spec(zoo.OBSERVATION, action)))
        assert found.starts.tolist() == wanted.starts.tolist()
        a, b = found.episode(1, 1, 4), wanted.episode(1, 1, 4)
        np.testing.assert_array_equal(a.values, b.values)
        for path, image in a.images.items():
            np.testing.assert_array_equal(image, b.images[path])
        assert a.texts == b.texts
        assert (a.replies, None if a.actions is None else a.actions.tolist()) == (
            b.replies, None if b.actions is None else b.actions.tolist(),
        )  # fmt: skip


def test_shape_and_weights_take_keys_of_their_own() -> None:
    config = compose(
        "train",
        TrainConfig,
        ["shape={width:64,blocks:2}", "weights={mylab/walk:2.5}", "shape.heads=4", "mixture.noise={arm/*: 0.3}"],
    )
    assert config.shape == {"width": 64, "blocks": 2, "heads": 4}
    assert config.weights == {"mylab/walk": 2.5}
    assert config.mixture.noise == {"arm/*": 0.3}


@pytest.mark.parametrize("path", sorted(PRESETS.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_preset_names_a_held_out_task(path: Path) -> None:
    config = OmegaConf.to_container(OmegaConf.load(path))
    named = {*config.get("tasks", []), *config.get("weights", {})}
    assert named
    assert not named & {card.id for card in registry.find("*", split="held_out")}
    for name in named:  # of a pattern, training leaves out what is held out; one that is held out whole teaches nothing
        assert registry.find(name, split="train"), name


def test_held_out_tasks_are_refused_and_absent_from_what_ships() -> None:
    held_out = [card for card in registry.find() if card.split == "held_out"]
    assert {"arm/stack-blue-on-green", "control/cartpole-swingup", "atari/boxing"} <= {card.id for card in held_out}
    with pytest.raises(OpengatoError, match="held out"):
        train(TrainConfig(), held_out)
    for name, folder in shipped().items():
        card = json.loads((folder / "card.json").read_text())
        assert card["tasks"], name
        assert not {c.id for c in held_out} & set(card["tasks"]), f"{name} was trained on held-out tasks"


def test_demonstrations_of_some_tasks_may_lie_elsewhere(tmp_path: Path) -> None:
    task = "gridworld/go-to-red-ball"
    card, other = registry.get(task), str(tmp_path / "other")
    collect(CollectConfig(tasks=[task], episodes=2, data_dir=other, workers=1), [card])
    shape = {"blocks": 1, "heads": 2, "width": 32, "feedforward": 64, "head_dim": 16, "window": 48, "slots": 64}
    config = TrainConfig(
        data_dir=str(tmp_path / "data"), out=str(tmp_path / "run"), shape=shape, steps=1, warmup=0, workers=0
    )
    with pytest.raises(OpengatoError, match="opengato collect"):
        train(config, [card])
    folder = train(replace(config, elsewhere={"gridworld/*": "nowhere", task: other}), [card])
    parent = Agent.load(folder)
    assert parent.card["episodes"] == {task: 2}
    parent.card.update(name="parent", remark="its own", licence="MIT")
    parent.save(folder)
    child = train(replace(config, elsewhere={task: other}, init=str(folder), out=str(tmp_path / "child")), [card])
    facts = Agent.load(child).card
    assert (facts["init"], facts["licence"]) == (str(folder), "MIT")
    assert not {"name", "remark"} & set(facts)  # the parent's, who is another


@pytest.mark.slow
def test_memory_stays_flat_over_ten_thousand_steps() -> None:
    fit = trainer(replace(CONFIG, steps=10_000, mixture=MixtureConfig(rows=1)))
    fit.run(stop_after=2_000)
    before = _resident()
    fit.run()
    assert _resident() < 1.05 * before


def _resident() -> int:
    """Pages of memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    """`opengato train`, killed at 20 random moments, ends with the weights of a run that was left alone."""
    data = tmp_path / "data"
    run = [sys.executable, "-m", "opengato"]
    subprocess.run(
        [*run, "collect", "tasks=[gridworld/go-to-local]", "episodes=8", f"data_dir={data}", "workers=1"], check=True
    )
    shape = "shape={blocks:1,heads:2,width:32,feedforward:64,head_dim:16,window:48,slots:64}"
    settings = ["train", "tasks=[gridworld/go-to-local]", f"data_dir={data}", shape, "steps=1500", "workers=0",
                "checkpoint_minutes=0.005", "mixture.rows=2", "precision=fp32", "threads=1"]  # fmt: skip
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run([*run, *settings, f"out={whole}"], check=True)
    moments = random.Random(0)
    for number in range(20):
        before = _newest(killed)
        process = subprocess.Popen([*run, *settings, f"out={killed}"])
        # Every other time it must have come further, or it might never get anywhere.
        while number % 2 and _newest(killed) == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 1))
        assert process.poll() is None, "the run ended before it could be killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([*run, *settings, f"out={killed}"], check=True)
    one, two = Agent.load(whole / "agent"), Agent.load(killed / "agent")
    for (name, a), b in zip(one.model.state_dict().items(), two.model.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def _newest(run: Path) -> str:
    """Name of the last whole checkpoint."""
    return max((path.parent.name for path in run.glob("checkpoint-*/state.json")), default="")
