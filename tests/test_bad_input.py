"""What a user gets wrong: one clear line, exit code 2, nothing written over."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from opengato.cli import main
from opengato.errors import MissingExtraError
from opengato.tasks.card import EXTRA_MODULES

TASK = "control/cartpole-balance"
SICK = """
import gymnasium as gym, numpy as np
from gymnasium import spaces
from opengato.tasks import register

class Sick(gym.Env):
    observation_space = spaces.Dict({"joints": spaces.Box(-9, 9, (3,), np.float32)})
    action_space = spaces.Box(-1, 1, (1,), np.float32)
    def __init__(self, first):
        self.first = first
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return {"joints": np.asarray(self.first, np.float32)}, {}
    def step(self, action):
        return self.reset()[0], 0.0, False, False, {}

class Graph(Sick):
    observation_space = spaces.Dict({"arm": spaces.Dict({"links": spaces.Sequence(spaces.Discrete(3))})})

show = lambda seen, env: np.zeros(1, np.float32)
register("sick/nan", demonstrator=show)(lambda **_: Sick([0, np.nan, 0]))
register("sick/shape", demonstrator=show)(lambda **_: Sick([0, 0]))
register("sick/sequence", demonstrator=show)(lambda **_: Graph([0, 0, 0]))
"""


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained agent's folder."""
    from opengato.agent.agent import Agent
    from opengato.agent.config import preset

    return Agent.new(preset("nano")).save(tmp_path_factory.mktemp("agents") / "blank")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_registry: None) -> Path:
    """Commands run in an empty folder; a report of earlier work lies in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sick.py").write_text(SICK, encoding="utf-8")
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.html").write_text("earlier work")
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command that must fail; the one line that it says."""
    assert main(words) == 2, capsys.readouterr()
    captured = capsys.readouterr()
    said = [line for line in captured.err.splitlines() if line.startswith("opengato: ")]
    assert len(said) == 1, captured.err
    assert "Traceback" not in captured.err
    assert Path("report/report.html").read_text() == "earlier work"
    assert not Path("report/results.json").exists(), "nothing may be left of what failed"
    return said[0]


def evaluate(task: str, agent: Path | str, *words: str) -> tuple[str, ...]:
    return ("evaluate", f"tasks=[{task}]", f"agent={agent}", "episodes=1", "prompt=none", "max_steps=3", *words)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["evaluat"], "evaluate"),
        (["evaluate", "tasks=[control/cheeta-run]"], "control/cheetah-run"),
        (["collect", "tasks=[control/cheeta-run]"], "control/cheetah-run"),
        (["finetune", "task=control/cheeta-run"], "control/cheetah-run"),
        (["evaluate", f"tasks=[{TASK}]", "agent=fist-light"], "fist-light"),
        (["evaluate", f"tasks=[{TASK}]", "episode=3"], "episodes"),
        (["evaluate", f"tasks=[{TASK}]", "agent=random", "episodes=many"], "episodes"),
        (["evaluate", f"tasks=[{TASK}]", "agent=random", "episodes=0"], "episodes"),
        (["evaluate", f"tasks=[{TASK}]", "agent=random", "prompt=song"], "demonstration"),
        (["collect", f"tasks=[{TASK}]", "episodes=-1"], "episodes"),
        (["collect", "plugins=[absent.py]", f"tasks=[{TASK}]"], "absent.py"),
        (["list", "colour"], "models"),
        (["doctor", "plugins=[absent.py]"], "absent.py"),
    ],
)
def test_wrong_word_is_answered_with_the_right_one(
    capsys: pytest.CaptureFixture[str], words: list[str], hint: str
) -> None:
    assert hint in refused(capsys, *words)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["list", "split=foo"], "Legal: train, held_out"),
        (["list", "tasks=[arm/*]", "split=heldout"], "Legal: train, held_out"),
        (["list", "tasks=[arm/stack-blue-on-green]", "split=train"], "none is in the split train"),
        (["list", "families", "tasks=[arm/stack-blue-on-green]", "split=train"], "none is in the split train"),
        (["evaluate", "disturbance=5"], "keys with values"),
        (["references", "env=3"], "keys with values"),
        (["train", "mixture=5"], "keys with values"),
        (["train", "weights={a/b: much}"], "weights.a/b=much is a str; legal: float"),
        (["evaluate", "+foo=1"], "unknown setting 'foo'"),
        (["evaluate", "preset=generalist"], "opengato train preset=generalist"),
        (["train", "preset=generalist-99"], "generalist-9"),
        (["fewshot", f"task={TASK}", "threads=-1"], "threads=-1 is illegal. Legal: 0 or more"),
        (["twin", "threads=-1"], "0 or more"),
        (["twin", "task=dialogue/smalltalk", "threads=0"], "this body has"),
        (["serve", "port=99999"], "65535"),
        (["serve", "certificate=a.pem", "key=b.pem"], "a.pem with key=b.pem"),
        (["bench", "threads=[]"], "threads is []"),
        (["bench", "threads=[1,0]"], "threads is [1, 0]"),
        (["bench", "rounds=0"], "1 or more"),
        (["imitation", "seeds=0"], "1 or more"),
        (["serving", "robots=2"], "robots is 2 for 4 tasks"),
        (["serving", "tasks=[]"], "for 0 tasks"),
        (["strip", "fps=0"], "0.1 to 100"),
        (["strip", "columns=-1"], "0 or more"),
        (["strip", "side=0"], "1 or more"),
        (["strip", "seconds=inf"], "more than 0"),
        (["agents", "folders=['']"], "folders=''"),
        (["chat", "temperature=nan"], "0.01 to 100"),
        (["chat", "temperature=1e-40"], "0.01 to 100"),
        (["chat", "temperature=-1"], "0.01 to 100"),
        (["collect", f"tasks=[{TASK}]", "timeout_s=nan"], "timeout_s=nan"),
    ],
)  # fmt: skip
def test_a_setting_without_sense_is_refused_with_the_legal_ones(
    capsys: pytest.CaptureFixture[str], words: list[str], hint: str
) -> None:
    assert hint in refused(capsys, *words)


def test_numbers_with_sense_are_taken() -> None:
    from opengato.legal import check

    for name, value in [("threads", 0), ("port", 0), ("temperature", 0.0), ("threads", [1, 2]), ("rate", 0.5)]:
        check(name, value)
    check("tasks", ["a"])
    check("nothing known", -1e300)


def test_errors_come_back_from_other_processes() -> None:
    there = MissingExtraError("a task", "arm", ["mujoco"])
    back = pickle.loads(pickle.dumps(there))
    assert (type(back), str(back)) == (type(there), str(there))


def test_missing_extra_names_the_install_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, blank: Path
) -> None:
    monkeypatch.setitem(EXTRA_MODULES, "gridworld", ("no_such_module_anywhere",))
    assert "pip install 'opengato[gridworld]'" in refused(capsys, *evaluate("gridworld/go-to-local", blank))


@pytest.mark.parametrize(
    ("task", "hint"), [("sick/nan", "joints"), ("sick/shape", "joints"), ("sick/sequence", "links")]
)
def test_sick_body_is_refused_by_its_part(
    capsys: pytest.CaptureFixture[str], blank: Path, task: str, hint: str
) -> None:
    assert hint in refused(capsys, *evaluate(task, blank, "plugins=[sick.py]"))


def copy_of(agent: Path, to: Path) -> Path:
    to.mkdir()
    for file in agent.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def test_truncated_weights_are_refused(capsys: pytest.CaptureFixture[str], blank: Path, tmp_path: Path) -> None:
    agent = copy_of(blank, tmp_path / "cut")
    whole = (agent / "model.safetensors").read_bytes()
    (agent / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "model.safetensors" in refused(capsys, *evaluate(TASK, agent))
    assert "model.safetensors" in refused(capsys, "finetune", f"task={TASK}", f"agent={agent}", "demonstrations=1")


def test_a_pickle_is_never_loaded(capsys: pytest.CaptureFixture[str], blank: Path, tmp_path: Path) -> None:
    import torch

    agent = copy_of(blank, tmp_path / "pickled")
    torch.save({"weight": torch.zeros(3)}, agent / "model.safetensors")
    assert "pickle" in refused(capsys, *evaluate(TASK, agent))


@pytest.mark.parametrize("name", ["vocabulary.json", "specs.json", "model.safetensors"])
def test_folder_with_a_part_missing_names_it(
    capsys: pytest.CaptureFixture[str], blank: Path, tmp_path: Path, name: str
) -> None:
    agent = copy_of(blank, tmp_path / "part")
    (agent / name).unlink()
    assert name in refused(capsys, *evaluate(TASK, agent))


def test_folder_that_is_no_agent_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "opengato train" in refused(capsys, *evaluate(TASK, tmp_path))


def test_weights_of_another_shape_are_refused(capsys: pytest.CaptureFixture[str], blank: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    agent = copy_of(blank, tmp_path / "odd")
    weights = load_file(agent / "model.safetensors")
    name = max(weights, key=lambda key: weights[key].size)
    weights[name] = np.ascontiguousarray(weights[name][: len(weights[name]) // 2])
    save_file(weights, agent / "model.safetensors")
    refused(capsys, *evaluate(TASK, agent))
