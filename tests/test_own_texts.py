"""One's own captions and chats: read, split, trained on, and refused with a reason where they are damaged."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from opengato.cli import main
from opengato.envs.caption.coco import CocoCaptionTask
from opengato.envs.dialogue.chats import ChatTask
from opengato.errors import OpengatoError
from opengato.evaluation.cider import cider
from opengato.evaluation.evaluate import EvaluateConfig, evaluate
from opengato.evaluation.transcript import Turn
from opengato.tasks import register

pytestmark = pytest.mark.usefixtures("fresh_registry")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("coco")
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(60):
        Image.fromarray(rng.integers(0, 256, (30 + number, 40, 3), np.uint8)).save(path / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png"})
        annotations += [{"image_id": number, "caption": f"{word} picture {number}"} for word in ("a", "one more")]
    (path / "captions.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chats") / "chats.jsonl"
    lines = []
    for number in range(60):
        said = [
            ("system", "be kind"),
            ("user", f"hello {number}"),
            ("user", "are you there?"),
            ("assistant", "yes"),
            ("user", "good"),
        ]
        said.append(("assistant", f"it is {number}"))
        lines.append(json.dumps({"messages": [{"role": role, "content": text} for role, text in said]}))
    lines.append(json.dumps(["hi", "hello you", "bye", "see you"]))
    path.write_text("\n".join(lines) + "\n\n")
    return path


def test_pictures_and_captions_of_a_folder(folder: Path) -> None:
    train, test = (CocoCaptionTask(folder / "captions.json", split=split) for split in ("train", "test"))
    assert len(train) + len(test) == 60
    assert len(test) > 0
    for seed in range(20):
        seen, _ = train.reset(seed=seed)
        assert train.observation_space.contains(seen)
        number = train.truth.split()[-1]
        _, reward, done, _, info = train.step(f"ONE more picture {number}.")
        assert (reward, done, info["success"]) == (1.0, True, True), "any of its captions will do"
    train.reset(seed=0)
    assert 0 < train.step("a picture")[1] < 1
    train.reset(seed=0)
    _, reward, *_, info = train.step(" ".join(reversed(train.truth.split())))
    assert (reward, info["success"]) == (1.0, False), "the same words in another order are no success"


def test_chats_of_a_file(chats: Path) -> None:
    task = ChatTask(chats)
    seen, _ = task.reset(seed=1)
    while seen["utterance"] == "hi":
        seen, _ = task.reset()
    number = seen["utterance"].split()[1]
    assert seen["utterance"] == f"hello {number} are you there?", "what one says in a row is joined"
    seen, reward, done, *_ = task.step("yes")
    assert (seen["utterance"], reward, done) == ("good", 1.0, False)
    _, reward, done, _, info = task.step(f"it is {number}")
    assert (reward, done, info["success"]) == (1.0, True, True)
    while task.reset()[0]["utterance"] == "hi":
        pass
    task.step("yes")
    _, reward, *_, info = task.step(" ".join(reversed(task.truth.split())))
    assert (reward, info["correct"], info["success"]) == (1.0, False, False)


def test_damaged_files_are_named(folder: Path, chats: Path, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"images": []}')
    with pytest.raises(OpengatoError, match="no file of COCO captions.*annotations"):
        CocoCaptionTask(tmp_path / "x.json")
    with pytest.raises(OpengatoError, match="no picture of the train split"):
        CocoCaptionTask(folder / "captions.json", tmp_path)
    (tmp_path / "x.jsonl").write_text('["a", "b"]\n{"messages": 3}\n')
    with pytest.raises(OpengatoError, match="line 2 of"):
        ChatTask(tmp_path / "x.jsonl")
    with pytest.raises(OpengatoError, match="can't be read"):
        ChatTask(tmp_path / "none.jsonl")


def test_they_are_collected_and_trained_on_like_any_task(folder: Path, chats: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        f"""
from functools import partial
from opengato.tasks import register
from opengato.envs.caption.coco import CocoCaptionTask
from opengato.envs.dialogue.chats import ChatTask
TEXT = {{"demonstrator": "opengato.envs.caption.turns:Truth", "evaluation_kwargs": {{"split": "test"}}}}
register("mine/pictures", instruction="describe", **TEXT)(partial(CocoCaptionTask, "{folder}/captions.json"))
register("mine/chats", instruction="reply", **TEXT)(partial(ChatTask, "{chats}"))
"""
    )
    data, where = f"data_dir={tmp_path}/data", f"plugins=[{plugin}]"
    assert main(["collect", "tasks=[mine/*]", "episodes=20", "keep=0", "workers=1", data, where]) == 0
    assert (
        main(["train", "tasks=[mine/*]", "steps=2", "workers=0", "mixture.rows=2", f"out={tmp_path}/run", data, where])
        == 0
    )
    agent = f"agent={tmp_path}/run/agent"
    assert (
        main(["evaluate", agent, "tasks=[mine/*]", "episodes=2", "prompt=none", f"out={tmp_path}/report", data, where])
        == 0
    )


def turn(said: str, *references: str) -> Turn:
    return Turn("", said, references[0], 0.0, False, references)


def test_cider_of_captions() -> None:
    pytest.importorskip("pycocoevalcap")
    right = [turn("A cat, asleep!", "a cat asleep", "the sleeping cat"), turn("two dogs run", "two dogs run")]
    assert cider(right) == pytest.approx(cider([turn(t.said.lower(), *t.references) for t in right]))
    wrong = [turn("two dogs run", *right[0].references), turn("a cat asleep", "two dogs run")]
    whole = cider(right)
    assert whole is not None
    assert whole > 5
    assert cider(wrong) == pytest.approx(0, abs=1e-6)
    assert cider([]) is None


def test_captions_of_a_folder_have_their_cider(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("pycocoevalcap")
    register("mine/pictures", demonstrator="opengato.envs.caption.turns:Truth")(
        partial(CocoCaptionTask, folder / "captions.json", split="test")
    )
    found = [
        evaluate(EvaluateConfig(agent=agent, tasks=["mine/pictures"], episodes=4, out=str(tmp_path / agent)))[0][
            "cider"
        ]
        for agent in ("demonstrator", "random")
    ]
    assert found[0] > 1 > found[1]
