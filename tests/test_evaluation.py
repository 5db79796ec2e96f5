"""Rollouts, scores, prompts and videos of `opengato.evaluation`."""

from __future__ import annotations

import json
import subprocess
import warnings
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from opengato.errors import OpengatoError, UnknownNameError
from opengato.evaluation import scores, video
from opengato.evaluation.evaluate import EvaluateConfig, Progress, evaluate
from opengato.evaluation.policies import DemonstratorPolicy, RandomPolicy
from opengato.evaluation.results import read_results
from opengato.evaluation.rollout import FIRST_SEED, Case, Stage, cases, rollout
from opengato.evaluation.workers import WorkerStage
from opengato.tasks import registry


class Walk(gym.Env):
    """Walk on a line to a goal; reward 1 for arriving. Fails on purpose for the seeds in `breaks`."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}
    observation_space = spaces.Dict({"place": spaces.Box(-9, 9, (2,), np.float32)})
    action_space = spaces.Box(-1, 1, (1,), np.float32)
    render_mode = "rgb_array"
    _max_episode_steps = 40

    def __init__(self, breaks: dict[int, int] | None = None, render: bool = True) -> None:
        self.breaks = {} if breaks is None else breaks  # seed → how many more times its episode fails
        self.draws = render
        self.closed = False

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.seed, self.steps = seed, 0
        self.place, self.goal = 0.0, float(self.np_random.uniform(2, 4))
        return self._see(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        if self.steps == 3 and self.breaks.get(self.seed, 0) > 0:
            self.breaks[self.seed] -= 1
            raise RuntimeError("the world came apart")
        self.place += float(np.clip(action[0], -1, 1))
        there = self.place >= self.goal
        return self._see(), float(there), there, self.steps >= 40, {"success": there}

    def render(self) -> np.ndarray | None:
        picture = np.full((48, 64, 3), 40, np.uint8)
        picture[:, max(0, min(60, int(self.place * 10))) :] = 200
        return picture if self.draws else None

    def close(self) -> None:
        self.closed = True

    def _see(self) -> dict[str, np.ndarray]:
        return {"place": np.array([self.place, self.goal], np.float32)}


def forward(observation: Any, env: Any) -> np.ndarray:
    return np.ones(1, np.float32)


class Quiz(gym.Env):
    """Two questions an episode; the answer is the question upside down."""

    metadata = {"render_modes": [], "render_fps": 1}
    action_space = spaces.Text(20, charset="abc 01")
    observation_space = spaces.Dict({"image": spaces.Box(0, 255, (16, 16, 3), np.uint8), "question": action_space})
    render_mode = None

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.turn = 0
        return self._see(), {}

    def step(self, action: str) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        truth = self._see()["question"][::-1]
        self.turn += 1
        right = action == truth
        return self._see(), float(right), self.turn == 2, False, {"success": right, "correct": right, "truth": truth}

    def _see(self) -> dict[str, Any]:
        return {"image": np.full((16, 16, 3), 90, np.uint8), "question": f"abc {self.turn}"}


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tasks that exist for one test."""
    monkeypatch.setattr(registry, "_cards", dict(registry._all()))
    registry.register("lab/walk", demonstrator=forward, success="arrives", instruction="walk to the goal")(Walk)
    registry.register("lab/quiz", demonstrator=lambda seen, env: seen["question"][::-1], tags=("text",))(Quiz)


def play(env_kwargs: dict[str, Any], seeds: list[int], **options: Any) -> Any:
    stage = Stage(lambda: Walk(**env_kwargs), [Case(i, seed) for i, seed in enumerate(seeds)], **options)
    with stage:
        return rollout(stage, DemonstratorPolicy(stage.envs, lambda: registry.get("lab/walk").make_demonstrator()))


# rollouts


@pytest.mark.usefixtures("tasks")
def test_every_seed_is_played_once_whatever_the_batch() -> None:
    seeds = [case.seed for case in cases(7)]
    assert seeds == [FIRST_SEED + i for i in range(7)]
    narrow, wide = play({}, seeds, batch_size=2), play({}, seeds, batch_size=7)
    assert [outcome.seed for outcome in narrow] == seeds
    assert [(o.length, o.total_return, o.success) for o in narrow] == [
        (o.length, o.total_return, o.success) for o in wide
    ]
    assert all(outcome.success and outcome.total_return == 1.0 for outcome in wide)


@pytest.mark.usefixtures("tasks")
def test_an_environment_that_fails_once_is_tried_again() -> None:
    outcomes = play({"breaks": {6: 1}}, [5, 6, 7])
    assert [outcome.error for outcome in outcomes] == [None, None, None]
    assert outcomes[1].success


@pytest.mark.usefixtures("tasks")
def test_an_environment_that_fails_twice_costs_its_episode_only() -> None:
    with pytest.warns(UserWarning, match=r"lab/walk: episode with seed 6 lost at step 2, twice: .*came apart"):
        outcomes = play({"breaks": {6: 2}}, [5, 6, 7, 8], batch_size=2, task="lab/walk")
    assert [outcome.error is None for outcome in outcomes] == [True, False, True, True]
    assert np.isnan(outcomes[1].total_return)


@pytest.mark.usefixtures("tasks")
def test_max_steps_cuts() -> None:
    assert [(o.length, o.success) for o in play({}, [5], max_steps=2)] == [(2, False)]


def test_random_policy_is_seeded_and_rests() -> None:
    space = spaces.Dict({"a": spaces.Discrete(5, start=2), "b": spaces.Box(-1, 1, (2,), np.float32)})
    first, second = (RandomPolicy(space, 2, seed=3).act([{}, None]) for _ in range(2))
    assert first[1] is None
    assert first[0] in space
    assert str(first) == str(second)


@pytest.mark.usefixtures("tasks")
def test_a_task_without_demonstrator_says_so() -> None:
    with pytest.raises(ValueError, match="no demonstrator"):
        DemonstratorPolicy([Walk()], lambda: None)


def test_cases_refuse_what_cannot_be() -> None:
    with pytest.raises(OpengatoError, match="episodes must be at least 1"):
        cases(0)
    with pytest.raises(OpengatoError, match="seed must be 0 or more"):
        cases(3, -1)


@pytest.mark.slow
def test_workers_play_the_same_episodes() -> None:
    with WorkerStage(Walk, cases(5), workers=2) as stage:
        outcomes = rollout(stage, RandomPolicy(Walk.action_space, 5))
    assert [outcome.seed for outcome in outcomes] == [case.seed for case in cases(5)]


# videos


def probe(path: Any) -> str:
    """What the decoder says of a file."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-f", "null", "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


@pytest.mark.usefixtures("tasks")
def test_videos_are_h264_that_browsers_play(tmp_path: Any) -> None:
    outcomes = play({}, [5, 6, 7], film=video.Film(tmp_path, "walk", "lab/walk", 2))
    assert [outcome.clip is not None for outcome in outcomes] == [True, True, False]
    clip = outcomes[0].clip
    said = probe(clip["path"])
    assert "h264" in said
    assert "yuv420p" in said
    assert f"{clip['width']}x{clip['height']}" in said
    assert clip["width"] % 2 == clip["height"] % 2 == 0
    data = (tmp_path / "walk-0.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # the index stands in front
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".jpg", ".jpg", ".mp4", ".mp4"]


def test_a_long_video_is_played_faster(tmp_path: Any) -> None:
    writer = video.Mp4Writer(tmp_path / "long.mp4", 64, 48, 25.0)
    for i in range(int(25 * 2.5 * video.MAX_SECONDS)):
        writer.write(np.full((48, 64, 3), i % 255, np.uint8))
    clip = writer.close()
    assert clip.speed == pytest.approx(2.5, abs=0.01)
    assert f"Duration: 00:00:{int(video.MAX_SECONDS)}" in probe(clip.path)


def test_a_long_episode_is_drawn_ever_more_rarely(tmp_path: Any) -> None:
    env, drawn = Walk(), []
    env.reset(seed=0)
    env.render = lambda: drawn.append(1) or np.zeros((32, 32, 3), np.uint8)  # type: ignore[method-assign]
    recorder = video.MotionRecorder(tmp_path / "x.mp4", "lab/walk", 50.0, None)
    recorder.begin(env, {})
    stage_outcome = play_nothing()
    for step in range(1, 2401):  # 48 seconds
        stage_outcome.length = step
        recorder.step(env, {}, stage_outcome, None, step == 2400)
    clip = recorder.finish()
    assert len(drawn) < 25 * video.MAX_SECONDS * 2.2
    assert clip is not None
    assert clip.seconds <= video.MAX_SECONDS + 2


def play_nothing() -> Any:
    from opengato.evaluation.rollout import Outcome

    return Outcome(0, 0)


@pytest.mark.usefixtures("tasks")
def test_a_body_that_draws_nothing_has_no_video(tmp_path: Any) -> None:
    with pytest.warns(UserWarning, match="draws no picture"):
        outcomes = play({"render": False}, [5], film=video.Film(tmp_path, "walk", "lab/walk", 1))
    assert outcomes[0].clip is None
    assert outcomes[0].success


def test_known_limit_looks_through_wrappers() -> None:
    env = gym.wrappers.TimeLimit(gym.wrappers.OrderEnforcing(Walk()), 30)
    assert video.known_limit(env, None) == 30
    assert video.known_limit(env, 12) == 12


# scores


def test_score() -> None:
    reference = {"random": {"mean": 10.0}, "expert": {"mean": 60.0}}
    assert [scores.score(value, reference) for value in (10, 35, 60, 0)] == [0, 50, 100, -20]
    assert scores.score(5.0, None) is None
    assert scores.score(5.0, {"random": {"mean": 10.0}, "expert": None}) is None
    assert scores.score(5.0, {"random": {"mean": 10.0}, "expert": {"mean": 10.0}}) is None  # no scale


@pytest.mark.usefixtures("tasks")
def test_references_are_measured_once_and_again_when_the_code_changes(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = registry.get("lab/walk")
    found = scores.reference_for(card, tmp_path)
    assert found["expert"]["mean"] == 1.0
    assert found["expert"]["n"] == scores.QUICK_EPISODES
    monkeypatch.setattr(scores, "measure", lambda *_, **__: pytest.fail("measured again"))
    for again in (card, replace(card, id="lab/seen", same_returns_as="lab/walk")):
        assert scores.reference_for(again, tmp_path) == json.loads(json.dumps(found))
    monkeypatch.setattr(scores, "code_hash", lambda card: "changed")
    with pytest.raises(pytest.fail.Exception, match="measured again"):
        scores.reference_for(card, tmp_path)


@pytest.mark.usefixtures("tasks")
def test_measure_references_goes_on_where_it_stopped(tmp_path: Any) -> None:
    out, told = tmp_path / "scores.json", []
    cards = [registry.get("lab/walk"), replace(registry.get("lab/quiz"), demonstrator=None)]
    scores.measure_references(cards[:1], 2, out, progress=lambda task, _: told.append(task))
    scores.measure_references(cards, 2, out, progress=lambda task, _: told.append(task))
    assert told == ["lab/walk", "lab/quiz"]
    scores.measure_references([replace(cards[0], id="lab/seen", same_returns_as="lab/walk")], 2, out)
    assert set(json.loads(out.read_text())) == {"_about", "lab/walk", "lab/quiz"}
    kept = json.loads(out.read_text())
    assert kept["lab/quiz"]["expert"] is None
    assert set(kept["_about"]) == {"what", "versions", "commit"}


# evaluate


@pytest.mark.usefixtures("tasks")
def test_evaluate_a_baseline(tmp_path: Any) -> None:
    out, seen = tmp_path / "out", []
    config = EvaluateConfig(
        agent="demonstrator", tasks=["lab/walk"], episodes=4, video=1, data_dir=str(tmp_path), out=str(out)
    )
    (row,) = evaluate(config, seen.append)
    assert (row["task"], row["prompt"], row["n"], row["mean_return"], row["success"]) == (
        "lab/walk",
        "none",
        4,
        1.0,
        1.0,
    )
    assert row["score"] == pytest.approx(100.0)
    assert row["interval"][0] < 100 <= row["interval"][1] + 1e-9
    assert (out / row["videos"][0]["path"]).is_file()
    assert seen[-1] == Progress("lab/walk", 0, 1, 4, 4, row["steps"])
    assert read_results(out) == json.loads(json.dumps([row]))
    evaluate(replace(config, agent="random", video=0))
    assert [row["agent"] for row in read_results(out)] == ["demonstrator", "random"]
    evaluate(replace(config, agent="random", video=0, episodes=2))  # replaces its elder
    assert [row["n"] for row in read_results(out)] == [4, 2]


@pytest.mark.usefixtures("tasks")
def test_evaluate_text(tmp_path: Any) -> None:
    config = EvaluateConfig(
        agent="demonstrator", tasks=["lab/quiz"], episodes=5, video=1, data_dir=str(tmp_path), out=str(tmp_path)
    )
    (row,) = evaluate(config)
    assert (row["mean_return"], row["exact"], row["success"]) == (2.0, 1.0, 1.0)
    assert row["transcripts"][0][1] == {
        "asked": "abc 1",
        "said": "1 cba",
        "expected": "1 cba",
        "reward": 1.0,
        "right": True,
    }
    (clip,) = row["videos"]
    assert clip["joined"] > 1
    assert f"{clip['width']}x{clip['height']}" in probe(tmp_path / clip["path"])
    assert len(list((tmp_path / "videos").iterdir())) == 2  # the joined one and its poster


class Obedient:
    """An agent that does what its prompt's episode did first."""

    prompts: list[Any] = []

    def policy(self, spec: Any, prompt: Any = None, batch_size: int = 1, seed: int = 0) -> Any:
        self.prompts.append(prompt)
        space = spec.action_space
        return RandomPolicy(space, batch_size, seed)


@pytest.mark.usefixtures("tasks")
def test_prompts_reach_the_agent(tmp_path: Any) -> None:
    agent = Obedient()
    agent.prompts = []
    config = EvaluateConfig(
        agent="obedient", tasks=["lab/walk", "lab/quiz"], episodes=2, data_dir=str(tmp_path), out=str(tmp_path)
    )
    for prompt in ("demonstration", "instruction", "both", "none", "wrong"):
        rows = evaluate(replace(config, prompt=prompt), agent=agent)
    demonstration, instruction, both, nothing, wrong = agent.prompts[::2]
    assert demonstration.episode.success
    assert demonstration.episode.seed < FIRST_SEED
    assert instruction.instruction == "walk to the goal"
    assert both.episode is not None
    assert both.instruction == "walk to the goal"
    assert nothing is None
    assert wrong.episode is None  # no other task has this body, so it is told another's instruction
    assert wrong.instruction == "quiz"
    assert rows[0]["prompt_text"] == "“quiz” of lab/quiz"


@pytest.mark.usefixtures("tasks")
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"tasks": ["lab/wakl"]}, UnknownNameError, "lab/walk"),
        ({"tasks": []}, OpengatoError, "no tasks given"),
        ({"prompt": "demo"}, UnknownNameError, "demonstration"),
        ({"episodes": 0}, OpengatoError, "episodes=20"),
        ({"max_steps": 0}, OpengatoError, "max_steps"),
        ({"video": -1}, OpengatoError, "video=0"),
    ],
)
def test_bad_input_writes_nothing(change: dict[str, Any], error: type, words: str, tmp_path: Any) -> None:
    out = tmp_path / "out"
    config = EvaluateConfig(agent="random", tasks=["lab/walk"], data_dir=str(tmp_path / "data"), out=str(out))
    with pytest.raises(error, match=words):
        evaluate(replace(config, **change))
    assert not out.exists()


@pytest.mark.usefixtures("tasks")
def test_damaged_results_are_refused_before_the_work(tmp_path: Any) -> None:
    (tmp_path / "results.json").write_text("{")
    config = EvaluateConfig(agent="random", tasks=["lab/walk"], data_dir=str(tmp_path), out=str(tmp_path))
    with pytest.raises(OpengatoError, match="damaged"):
        evaluate(config)
    assert (tmp_path / "results.json").read_text() == "{"


@pytest.mark.usefixtures("tasks")
def test_max_steps_measures_its_own_reference(tmp_path: Any) -> None:
    config = EvaluateConfig("demonstrator", ["lab/walk"], episodes=2, data_dir=str(tmp_path), out=str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (row,) = evaluate(replace(config, max_steps=1))
    assert row["score"] is None  # in one step nobody arrives, so there is no scale
    assert "lab/walk@1" in json.loads((tmp_path / "scores.json").read_text())
