"""Agents given away and fetched: digests, a model card, the hub's client, and nothing half done."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from opengato.agent import Agent, hub, shipped
from opengato.agent.config import preset
from opengato.cli import main
from opengato.errors import OpengatoError, UnknownNameError


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Agent.new(preset("nano"))
    row = {"score": 71.4, "interval": [60.2, 80.9], "n": 20, "prompt": "demonstration"}
    made.card.update(
        name="tiny", licence="Apache-2.0", tasks=["a/b", "c/d"], parameters=5_600_000, seed=3, scores={"a/b": row}
    )
    return made.save(tmp_path_factory.mktemp("agents") / "tiny")


def test_what_is_pushed_to_a_folder_comes_back(agent: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agents", "push", f"agent={agent}", f"to={tmp_path}/shared/tiny"]) == 0
    card = (tmp_path / "shared/tiny/README.md").read_text()
    assert "license: apache-2.0" in card
    assert "| `a/b` | 71 [60, 81] | 20 | demonstration |" in card
    assert main(["agents", "pull", f"source={tmp_path}/shared/tiny", f"to={tmp_path}/mine/tiny"]) == 0
    for name in hub.FILES:
        assert (tmp_path / "mine/tiny" / name).read_bytes() == (agent / name).read_bytes()
    capsys.readouterr()
    assert main(["agents", f"folders=[{tmp_path}/mine/*]", "--json"]) == 0
    rows = {row["agent"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows[str(tmp_path / "mine/tiny")]["tasks"] == ["a/b", "c/d"]
    assert "generalist" in rows
    assert main(["agents", f"folders=[{tmp_path}/mine/*]"]) == 0
    assert "5.6 M parameters, 2 tasks" in capsys.readouterr().out


@pytest.mark.parametrize("how", ["changed", "missing", "no digests"])
def test_what_is_damaged_on_the_way_does_not_appear(agent: Path, tmp_path: Path, how: str) -> None:
    hub.push(agent, str(tmp_path / "shared"))
    weights = tmp_path / "shared/model.safetensors"
    if how == "changed":
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
    elif how == "missing":
        weights.unlink()
    else:
        (tmp_path / "shared" / hub.DIGESTS).unlink()
    told = {
        "changed": "model.safetensors is not what was pushed",
        "missing": "model.safetensors is missing",
        "no digests": hub.DIGESTS,
    }
    with pytest.raises(OpengatoError, match=told[how]):
        hub.pull(str(tmp_path / "shared"), tmp_path / "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shared"], "nothing is left of it"


def test_nothing_is_written_over(agent: Path, tmp_path: Path) -> None:
    for act in (lambda: hub.push(agent, str(tmp_path)), lambda: hub.pull(str(agent), tmp_path)):
        with pytest.raises(OpengatoError, match="is there already"):
            act()
    with pytest.raises(OpengatoError, match="is no folder"):
        hub.pull(str(tmp_path / "none"), tmp_path / "mine")


class FakeHub:
    """The client's three calls, with a folder for a hub."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def HfApi(self) -> FakeHub:
        return self

    def create_repo(self, repository: str, private: bool, exist_ok: bool) -> None:
        assert private
        assert exist_ok
        (self.root / repository).mkdir(parents=True, exist_ok=True)

    def upload_folder(self, repo_id: str, folder_path: str, commit_message: str) -> None:
        shutil.copytree(folder_path, self.root / repo_id, dirs_exist_ok=True)

    def snapshot_download(self, repository: str, local_dir: str, allow_patterns: list[str]) -> None:
        if not (self.root / repository).is_dir():
            raise ValueError("404")
        Path(local_dir, ".cache").mkdir(parents=True)
        for name in allow_patterns:
            shutil.copy2(self.root / repository / name, local_dir)


def test_the_hubs_client_is_asked(agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake: Any = FakeHub(tmp_path / "hub")
    monkeypatch.setattr(hub, "_client", lambda: fake)
    assert hub.push(agent, "hf:me/tiny") == "hf:me/tiny"
    folder = hub.pull("hf:me/tiny", tmp_path / "mine")
    assert Agent.load(folder).card["name"] == "tiny"
    assert not (folder / ".cache").exists()
    with pytest.raises(OpengatoError, match="the hub refused 'me/none'.*404"):
        hub.pull("hf:me/none", tmp_path / "other")


def test_a_name_that_ships_no_more_plays_what_took_its_place() -> None:
    with pytest.warns(UserWarning, match="first-light ships no more: generalist"):
        assert shipped.find("first-light") == shipped.shipped()["generalist"]
    with pytest.raises(UnknownNameError, match="generalist"):
        shipped.find("first-lite")
