"""Several actions from one look: the environment, the demonstrations, the loop beside a body that doesn't wait."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from opengato import commands
from opengato.envs.ahead import Ahead, cut, look_every
from opengato.envs.real.robot import Reading
from opengato.envs.real.safety import Limits, Safety
from opengato.errors import OpengatoError, SpaceError
from opengato.evaluation.ahead import AheadPolicy
from opengato.evaluation.control_loop import ControlLoop
from opengato.evaluation.evaluate import EvaluateConfig, evaluate
from opengato.evaluation.scores import reference_for
from opengato.tasks import registry
from opengato.training import train as training
from opengato.training.demonstrations import run_episode
from opengato.training.episodes import EpisodeStore, Recording, write_episodes
from opengato.training.finetune import FinetuneConfig, demonstrations

CART = "control/cartpole-balance"


class Counter(gymnasium.Env[Any, Any]):
    """Says which step it is, pays what it is told, ends after ten steps."""

    observation_space = spaces.Box(0, 100, (1,), np.float32)

    def __init__(self, action_space: spaces.Space[Any]) -> None:
        self.action_space = action_space

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.steps += 1
        paid = float(np.asarray(action).reshape(-1)[0])
        return np.full(1, self.steps, np.float32), paid, self.steps == 10, False, {"success": self.steps == 4}


def steps(length: int) -> Recording:
    row = [np.full(1, i, np.float32) for i in range(length)]
    return Recording(row, [each * 10 for each in row], np.arange(length, dtype=np.float32), True, 7)


@given(st.integers(1, 30), st.integers(2, 9))
def test_phases_hold_every_observation_once(length: int, ahead: int) -> None:
    look = look_every(ahead)
    parts = [cut(steps(length), ahead, phase) for phase in range(look)]
    seen = sorted({float(each[0]) for part in parts for each in part.observations})
    assert seen == list(range(length))
    for part in parts:
        for observation, actions, reward in zip(part.observations, part.actions, part.rewards, strict=True):
            first = int(observation[0])
            told = [min(first + j, length - 1) * 10 for j in range(ahead)]
            assert actions[:, 0].tolist() == told
            assert reward == sum(range(first, min(first + look, length)))
    assert cut(steps(length), ahead).total_return == steps(length).total_return


def test_the_environment_does_the_first_half() -> None:
    env = Ahead(Counter(spaces.Box(-5, 5, (1,), np.float32)), 6)
    env.reset()
    seen, reward, over, _, info = env.step(np.arange(6, dtype=np.float32)[:, None] - 1)
    assert (seen[0], reward, over, info["success"]) == (3, 0, False, False)
    _, _, over, _, info = env.step(np.zeros((6, 1), np.float32))
    assert (over, info["success"]) == (False, True)  # at its first step, not its last
    env.step(np.zeros((6, 1), np.float32))
    assert env.step(np.ones((6, 1), np.float32))[1:3] == (1, True)  # one step was left


def test_choices_have_their_own_start() -> None:
    env = Ahead(Counter(spaces.Discrete(3, start=-1)), 4)
    assert env.action_space == spaces.MultiDiscrete([3] * 4, start=[-1] * 4)
    env.reset()
    assert env.step(np.array([-1, 1, 0, 0]))[1] == 0
    with pytest.raises(SpaceError, match="several actions ahead"):
        Ahead(Counter(spaces.MultiBinary(2)), 4)


def test_ids_with_actions_ahead() -> None:
    card = registry.get(f"{CART}@4")
    assert (card.ahead, card.origin, card.rate_hz) == (4, CART, (registry.get(CART).rate_hz or 0) / 2)
    assert [card.id for card in registry.find("control/walker-s*@8")] == ["control/walker-stand@8"]
    for bad in ("@1", "@x", "@", "@65"):
        with pytest.raises(OpengatoError, match="from 2 to 64"):
            registry.get(CART + bad)
    with pytest.raises(OpengatoError, match="@"):
        registry.register("a/b@2")(lambda: None)
    assert reference_for(card, "nowhere") == reference_for(registry.get(CART), "nowhere")


def test_the_demonstrator_is_as_good_through_looks(tmp_path: Path) -> None:
    """Open loop, its own actions bring a body to where they brought it: what is told is what was done."""
    card = registry.get(f"{CART}@4")
    env = card.make()
    shown = run_episode(env, card.make_demonstrator(), 3)
    env.reset(seed=3)
    total = sum(float(env.step(actions)[1]) for actions in shown.actions)
    assert total == pytest.approx(shown.total_return, rel=1e-3)


def test_a_dataset_of_steps_is_one_of_looks(tmp_path: Path) -> None:
    body = Counter(spaces.Box(-300, 300, (1,), np.float32))
    spots = (body.observation_space, body.action_space)
    write_episodes(tmp_path, CART, [steps(5), steps(8)], *spots, {})
    whole, looks = (EpisodeStore.open(tmp_path, CART + at) for at in ("", "@4"))
    assert len(looks) == 2 * len(whole)
    assert looks.action_space.shape == (4, 1)
    assert looks[3].actions[0][:, 0].tolist() == [10, 20, 30, 40]
    assert [row["total_steps"] for row in looks.summaries()] == [len(each) for each in looks] == [3, 2, 4, 4]
    assert looks.check(3)
    with pytest.raises(IndexError):
        looks[4]


def test_a_pattern_of_looks_finds_the_datasets_of_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = Counter(spaces.Box(-300, 300, (1,), np.float32))
    write_episodes(tmp_path, CART, [steps(5)], body.observation_space, body.action_space, {})
    found: list[str] = []
    monkeypatch.setattr(training, "train", lambda config, cards: found.extend(card.id for card in cards))
    commands.train(training.TrainConfig(tasks=["control/cart*@4"], data_dir=str(tmp_path), out=str(tmp_path)), True)
    assert found == [f"{CART}@4"]


def test_demonstrations_are_collected_step_by_step(tmp_path: Path) -> None:
    config = FinetuneConfig(task=f"{CART}@4", demonstrations=2, data_dir=str(tmp_path))
    episodes, spec = demonstrations(registry.get(config.task), config)
    assert (len(episodes), spec.num_actions) == (4, 4)
    assert len(EpisodeStore.open(tmp_path, CART)) == 2
    with pytest.raises(OpengatoError, match="step by step"):
        evaluate(EvaluateConfig(agent="demonstrator", tasks=[config.task], out=str(tmp_path / "out")))


class Hardware:
    """Gives a reading every hundredth of a second; its number is what it senses."""

    rate_hz = 100.0
    observation_signals: dict[str, Any] = {}
    action_signals: dict[str, Any] = {}

    def __init__(self) -> None:
        self.sent: list[float] = []
        self.began = time.monotonic()
        self.number = -1

    def connect(self) -> None: ...
    def disconnect(self) -> None: ...

    def get_observation(self, timeout_s: float = 1.0) -> Reading:
        self.number = max(self.number + 1, int((time.monotonic() - self.began) * self.rate_hz))
        time.sleep(max(0.0, self.began + self.number / self.rate_hz - time.monotonic()))
        return Reading({"x": np.full(1, self.number)}, self.number, time.monotonic())

    def send_action(self, action: np.ndarray) -> np.ndarray:
        self.sent.append(float(action[0]))
        return action


class Thinker:
    """Wants to do at every reading what its number is, in hundredths, and takes its time."""

    def __init__(self, ahead: int, seconds: float) -> None:
        self.ahead, self.seconds, self.looks = ahead, seconds, list[int]()
        self.thinking = threading.Lock()

    def reset(self) -> None: ...

    def act(self, seen: dict[str, np.ndarray]) -> np.ndarray:
        assert self.thinking.acquire(blocking=False), "two looks at once"
        time.sleep(self.seconds)
        self.thinking.release()
        self.looks.append(int(seen["x"][0]))
        return (self.looks[-1] + np.arange(self.ahead, dtype=np.float32)[:, None]) / 1000


FREE = Safety(Limits(-np.ones(1), np.ones(1), np.full(1, 2.0), 100.0))


def test_a_slow_policy_is_on_time_with_actions_ahead() -> None:
    robot, thinker = Hardware(), Thinker(16, 0.035)
    report = ControlLoop(robot, AheadPolicy(thinker, 16, robot.rate_hz), FREE).run(1.0)
    wanted = report.actions
    assert wanted > 20
    assert np.median(report.latency_ms) < 30  # thinking takes 35
    assert report.unthought <= 2 + report.skipped
    # What is sent is what belongs to the reading's own number, whichever look it comes from.
    numbers = np.rint(1000 * np.asarray(robot.sent[:wanted])).astype(int)
    assert np.all(np.diff(numbers) >= 1)
    assert len(thinker.looks) < wanted / 4


def test_a_fast_policy_acts_as_in_simulation() -> None:
    policy = AheadPolicy(Thinker(4, 0.0), 4, 10.0)
    said = [policy.act({"x": np.full(1, number)}, number) for number in (0, 1, 2, 3, 5, 6)]
    assert np.allclose(np.concatenate([each for each in said if each is not None]) * 1000, [0, 1, 2, 3, 5, 6])
    assert policy.policy.looks == [0, 2, 5]
    policy.reset()
    assert policy.act({"x": np.zeros(1)}, 0) is not None


@pytest.mark.parametrize("on_late", ["repeat", "stop"])
def test_where_thinking_takes_too_long_the_body_is_told_so(on_late: Any) -> None:
    robot = Hardware()
    loop = ControlLoop(robot, AheadPolicy(Thinker(2, 0.06), 2, robot.rate_hz), FREE, on_late)
    report = loop.run(0.4)
    assert report.unthought > 0
    assert (report.stopped == "no action thought of in time") == (on_late == "stop")
