"""Bodies that opengato has never heard of: the examples, and a ten-line file for another package, from end to end."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opengato import tasks

ROOT = Path(__file__).resolve().parent.parent
EVERY = ROOT / "examples" / "every_space.py"
ROBOT = ROOT / "examples" / "my_robot.py"
STRANGER = '''
"""A package that knows nothing of opengato."""
import gymnasium as gym
import numpy as np
from gymnasium import spaces

WORDS = "äöü火水 "

class Lamp(gym.Env):
    observation_space = spaces.Dict({
        "panel": spaces.Dict({"dial": spaces.Box(-2.0, 7.0, (3,), np.float32), "word": spaces.Text(5, charset=WORDS)}),
        "both": spaces.Tuple([spaces.MultiDiscrete([4, 2]), spaces.Discrete(3, start=5)]),
        "eye": spaces.Box(0, 255, (19, 33, 3), np.uint8),
    })
    action_space = spaces.Dict({"lamp": spaces.Discrete(2, start=3), "turn": spaces.Box(-1.0, 4.0, (1,), np.float32)})

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.look(), {}

    def look(self):
        draw = self.np_random
        self.dial = draw.uniform(-2, 7, 3).astype(np.float32)
        word = "火水" if draw.random() < 0.5 else "öä ü"
        eye = draw.integers(0, 256, (19, 33, 3)).astype(np.uint8)
        both = (draw.integers(0, (4, 2)), np.int64(draw.integers(5, 8)))
        return {"panel": {"dial": self.dial, "word": word}, "both": both, "eye": eye}

    def step(self, action):
        reward = float(action["lamp"] == 3 + int(self.dial[0] > 2))
        self.steps += 1
        return self.look(), reward, False, self.steps == 8, {}

    def render(self):
        return np.full((64, 64, 3), 30 * (self.steps % 8) + 20, np.uint8)
'''
TEN_LINES = """
import numpy as np
from opengato.tasks import register

def switch(seen, env):
    return {"lamp": 3 + int(seen["panel"]["dial"][0] > 2), "turn": np.ones(1, np.float32)}

@register("mylab/lamp", demonstrator=switch)
def lamp(**kwargs):
    return __import__("strangers_package").Lamp(**kwargs)
"""


def equal(left: Any, right: Any) -> bool:
    """Nested equality, numbers to 1e-5."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, tuple):
        return len(left) == len(right) and all(map(equal, left, right))
    return left == right if isinstance(left, str) else bool(np.allclose(left, right, atol=1e-5))


@pytest.fixture
def cards(fresh_registry: None) -> dict[str, tasks.Card]:
    """The examples' tasks."""
    tasks.load_plugins([EVERY, ROBOT])
    return {id: tasks.get(id) for id in ("every/space", "mylab/hill-car")}


def test_the_robot_file_is_ten_lines() -> None:
    assert len(ROBOT.read_text(encoding="utf-8").splitlines()) <= 10
    assert len(TEN_LINES.strip().splitlines()) <= 10


@pytest.mark.parametrize("id", ["every/space", "mylab/hill-car"])
def test_example_keeps_the_contract(cards: dict[str, tasks.Card], id: str) -> None:
    card, runs = cards[id], []
    for _ in range(2):
        env, demonstrator = card.make(), card.make_demonstrator()
        observation, _ = env.reset(seed=3)
        demonstrator.reset(env)
        seen, total, info = [copy.deepcopy(observation)], 0.0, {}
        for _ in range(1000):
            assert env.observation_space.contains(observation)
            action = demonstrator.act(observation)
            assert env.action_space.contains(action), action
            observation, reward, terminated, truncated, info = env.step(action)
            seen.append(copy.deepcopy(observation))
            total += float(reward)
            if terminated or truncated:
                break
        if card.success:
            assert info["success"]
        picture = env.render()
        assert picture.dtype == np.uint8
        assert picture.max() > 60
        env.close()
        runs.append((total, seen))
    assert runs[0][0] == runs[1][0] > 10
    assert all(map(equal, runs[0][1], runs[1][1]))


@pytest.mark.parametrize("id", ["every/space", "mylab/hill-car"])
def test_agent_acts_legally_in_a_body_it_has_never_met(cards: dict[str, tasks.Card], id: str) -> None:
    from opengato.agent.agent import Agent
    from opengato.agent.config import preset
    from opengato.agent.spec import Spec

    env = cards[id].make()
    observation, _ = env.reset(seed=0)
    policy = Agent.new(preset("nano")).policy(Spec.from_env(env))
    for _ in range(5):
        action = policy.act(observation)
        assert env.action_space.contains(action), action
        observation, *_ = env.step(action)
    env.close()


def test_actions_survive_the_way_to_tokens_and_back(cards: dict[str, tasks.Card]) -> None:
    from opengato.agent.agent import Agent
    from opengato.agent.config import preset
    from opengato.agent.spec import Spec

    env = cards["every/space"].make()
    codec = Agent.new(preset("nano")).codec(Spec.from_env(env))
    env.action_space.seed(1)
    observation, _ = env.reset(seed=0)
    for _ in range(50):
        action = env.action_space.sample()
        steps = codec.episode([observation], [action])
        back = codec.action(codec.action_scale.tokens(steps.actions)[0])
        assert env.action_space.contains(back)
        for name in ("gear", "tune", "lights", "jump"):
            assert np.array_equal(action[name], back[name]), name
        np.testing.assert_allclose(action["move"], back["move"], atol=2 / 1024)
    env.close()


def opengato(*arguments: str, cwd: Path, timeout_s: float = 1200.0) -> Any:
    """Run a command of the command line; its JSON answer."""
    command = [sys.executable, "-m", "opengato", *arguments, "--json"]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout[-1500:]}\n{done.stderr[-4000:]}"
    return json.loads(done.stdout)


@pytest.fixture
def plugins(tmp_path: Path) -> dict[str, str]:
    """Task → the file that registers it; the last one lies outside the repository and uses another package."""
    (tmp_path / "strangers_package.py").write_text(STRANGER, encoding="utf-8")
    (tmp_path / "ten_lines.py").write_text(TEN_LINES.strip() + "\n", encoding="utf-8")
    return {"every/space": str(EVERY), "mylab/hill-car": str(ROBOT), "mylab/lamp": "ten_lines.py"}


@pytest.mark.slow
@pytest.mark.parametrize("task", ["every/space", "mylab/hill-car", "mylab/lamp"])
def test_collect_finetune_evaluate(plugins: dict[str, str], tmp_path: Path, task: str) -> None:
    from opengato.agent.agent import Agent
    from opengato.agent.config import preset

    Agent.new(preset("nano")).save(tmp_path / "blank")
    common = (f"plugins=[{plugins[task]}]", "data_dir=data")
    listed = opengato("list", common[0], cwd=tmp_path)
    assert task in {card["id"] for card in listed}
    opengato("collect", *common, f"tasks=[{task}]", "episodes=4", cwd=tmp_path)
    settings = (f"task={task}", "demonstrations=4", "agent=blank", "out=tuned", "steps=30")
    opengato("finetune", *common, *settings, cwd=tmp_path)
    (agent,) = [path.parent for path in (tmp_path / "tuned").rglob("model.safetensors")][:1]
    settings = (f"agent={agent}", f"tasks=[{task}]", "episodes=2", "video=1", "out=report")
    rows = opengato("evaluate", *common, *settings, cwd=tmp_path)
    (row,) = rows
    assert {"task", "prompt", "n", "mean_return", "score", "interval", "success"} <= set(row)
    assert row["task"] == task
    assert row["n"] == 2
    assert list((tmp_path / "report").rglob("*.mp4"))
