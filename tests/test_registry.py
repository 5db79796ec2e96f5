"""The registry: finding, adding and refusing tasks; what each card must say."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path

import pytest

from opengato import tasks
from opengato.errors import MissingExtraError, OpengatoError, UnknownNameError
from opengato.tasks import registry
from opengato.tasks.card import EXTRA_MODULES
from opengato.tasks.source import code_hash

# The ids that users write in scripts: they may be added to, never renamed.
PROMISED = {
    "arm": "reach-red lift-red stack-red-on-blue stack-red-on-green stack-blue-on-green",
    "control": "cartpole-balance reacher-easy walker-stand walker-walk cheetah-run cartpole-swingup",
    "bullet": "hopper ant humanoid inverted-pendulum-swingup",
    "atari": "pong breakout freeway boxing",
    "gridworld": "go-to-local go-to-red-ball pickup-loc",
    "caption": "scene icons",
    "dialogue": "scene easy-vqa smalltalk",
}
HELD_OUT = ["arm/stack-blue-on-green", "control/cartpole-swingup", "atari/boxing"]
CARDS = tasks.find("*")


@pytest.mark.parametrize("id", [f"{family}/{name}" for family in PROMISED for name in PROMISED[family].split()])
def test_promised_task_is_registered(id: str) -> None:
    assert tasks.get(id).id == id


@pytest.mark.parametrize("id", HELD_OUT)
def test_held_out_task_is_never_in_the_training_split(id: str) -> None:
    assert tasks.get(id).split == "held_out"
    assert id not in {card.id for card in tasks.find("*", split="train")}


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_card_is_complete(card: tasks.Card) -> None:
    assert re.fullmatch(r"[a-z0-9_-]+/[a-z0-9][a-z0-9-]*", card.id)
    assert card.instruction.strip()
    assert not card.instruction.endswith(".")
    assert card.embodiment.strip(), "one sentence on the body"
    assert card.tags
    assert len(set(card.tags)) == len(card.tags)
    assert card.split in ("train", "held_out")
    assert card.extra is None or card.extra in EXTRA_MODULES
    assert card.rate_hz is None or 1 <= card.rate_hz <= 1000
    if card.published is not None:
        assert card.published["source"]


@pytest.mark.parametrize("family", PROMISED)
def test_promised_families_have_demonstrators(family: str) -> None:
    for name in PROMISED[family].split():
        assert tasks.get(f"{family}/{name}").demonstrator is not None


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_demonstrator_exists(card: tasks.Card) -> None:
    if not card.available:
        pytest.skip(f"{card.extra} is not installed")
    if card.demonstrator is None:
        pytest.skip("nobody can show this task yet; `opengato list` says so")
    demonstrator = card.make_demonstrator()
    assert demonstrator is not None
    assert callable(demonstrator.act)
    assert callable(demonstrator.reset)


def test_unknown_task_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean .*control/cartpole-swingup.*opengato list"):
        tasks.get("control/cartpol-swingup")


def test_pattern_that_fits_nothing_is_refused() -> None:
    with pytest.raises(UnknownNameError):
        tasks.find(["control/*", "nosuchfamily/*"])


def test_find_keeps_order_and_drops_doubles() -> None:
    ids = [card.id for card in tasks.find(["control/cheetah-run", "control/*"])]
    assert ids[0] == "control/cheetah-run"
    assert len(ids) == len(set(ids)) > 1


@pytest.mark.parametrize("id", ["cube", "/cube", "mylab/"])
def test_id_without_family_or_name_is_refused(id: str) -> None:
    with pytest.raises(OpengatoError, match="family/name"):
        tasks.register(id)


@pytest.mark.usefixtures("fresh_registry")
def test_same_id_twice_is_refused() -> None:
    tasks.register("mylab/cube", instruction="push")(dict)
    with pytest.raises(OpengatoError, match="registered already"):
        tasks.register("mylab/cube", instruction="push")(dict)


@pytest.mark.usefixtures("fresh_registry")
def test_plugin_file_adds_a_task_once(tmp_path: Path) -> None:
    plugin = tmp_path / "robot.py"
    plugin.write_text(
        "from opengato.tasks import register\n\n@register('mylab/robot')\ndef robot(**kwargs):\n    return 1\n"
    )
    tasks.load_plugins([plugin])
    tasks.load_plugins([str(plugin)])
    assert tasks.get("mylab/robot").instruction == "robot"
    assert tasks.get("mylab/robot").make() == 1


@pytest.mark.usefixtures("fresh_registry")
def test_broken_plugin_says_which_file_and_why(tmp_path: Path) -> None:
    plugin = tmp_path / "broken.py"
    plugin.write_text("import no_such_module_anywhere\n")
    with pytest.raises(OpengatoError, match=r"broken\.py.*no_such_module_anywhere"):
        tasks.load_plugins([plugin])
    with pytest.raises(OpengatoError, match="is not a file"):
        tasks.load_plugins([tmp_path / "absent.py"])


@pytest.mark.usefixtures("fresh_registry")
def test_broken_package_is_named_and_the_others_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mylab-1.0.dist-info").mkdir()
    (tmp_path / "mylab-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: mylab\nVersion: 1.0\n")
    entries = "[opengato.tasks]\nbroken = no_such_module_anywhere\nwhole = mylab_whole_tasks\n"
    (tmp_path / "mylab-1.0.dist-info" / "entry_points.txt").write_text(entries)
    (tmp_path / "mylab_whole_tasks.py").write_text(
        "from opengato.tasks import register\nregister('mylab/ball', instruction='roll')(dict)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mylab_whole_tasks", raising=False)
    monkeypatch.setattr(registry, "_loaded", False)
    told = r"tasks of mylab are missing: .*broken = no_such_module_anywhere failed.*Next: .*pip uninstall mylab"
    with pytest.warns(UserWarning, match=told):
        assert tasks.get("mylab/ball").instruction == "roll"
    assert tasks.get("arm/lift-red")


def test_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRA_MODULES, "atari", ("no_such_module_anywhere",))
    card = dataclasses.replace(tasks.get("atari/pong"))
    assert not card.available
    with pytest.raises(MissingExtraError, match=r"pip install 'opengato\[atari\]'"):
        card.make()


def test_demonstrator_may_be_a_function_an_object_a_class_or_a_path() -> None:
    class Still:
        def reset(self, env: object) -> None: ...

        def act(self, observation: object) -> int:
            return 3

    def function(observation: object, env: object) -> object:
        return env

    def card(demonstrator: object) -> tasks.Card:
        return tasks.Card(id="a/b", factory=dict, instruction="", demonstrator=demonstrator)

    assert card(Still).make_demonstrator().act(None) == 3
    assert card(Still()).make_demonstrator().act(None) == 3
    assert card("collections:Counter").make_demonstrator() is not None
    assert card(None).make_demonstrator() is None
    adapted = card(function).make_demonstrator()
    adapted.reset("the env")
    assert adapted.act(None) == "the env"
    for nowhere in ("collections", "collections:Nobody", "no_such_module:Walk", "no_such.module:Walk", ":Walk"):
        with pytest.raises(OpengatoError, match=f"'{nowhere}' of 'a/b' can't be imported .*Legal: 'module:name'"):
            card(nowhere).make_demonstrator()
        assert code_hash(card(nowhere)), "who only asks for the code hears of it later"
