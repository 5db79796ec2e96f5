"""The doom family: its list, its buttons, its seeds, a process that dies or is left behind, and its scripts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opengato.errors import ObservationError, OpengatoError, SimulatorDied, UnknownNameError
from opengato.tasks import registry
from opengato.tasks.families.doom import HELD_OUT, SHOWN, WORDS
from opengato.tasks.worlds import world

pytest.importorskip("vizdoom")

from opengato.envs.doom import make
from opengato.envs.doom.__main__ import describe
from opengato.envs.doom.buttons import ROWS, actions
from opengato.envs.doom.env import _small
from opengato.envs.doom.motion import slide
from opengato.envs.doom.process import DoomDied
from opengato.envs.doom.scenarios import GOALS, LEFT_OUT, config, maps, scenarios
from opengato.envs.doom.script import DEEPEST, TURN_DEGREES, first_turn, wrap
from opengato.envs.doom.walker import RADIUS, FloorPlan

WORLD = world("doom")


def processes() -> list[int]:
    """Doom processes that this process has started and that live."""
    done = subprocess.run(["pgrep", "-P", str(os.getpid()), "-x", "vizdoom"], capture_output=True, text=True)
    return [int(line) for line in done.stdout.split()]


def played(env: Any, seed: int, steps: int = 12) -> list[Any]:
    """Observations of some random steps."""
    env.action_space.seed(1)
    seen = [env.reset(seed=seed)[0]]
    for _ in range(steps):
        observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
        seen.append(observation)
        if terminated or truncated:
            break
    return seen


def same(left: list[Any], right: list[Any]) -> bool:
    return len(left) == len(right) and all(
        np.array_equal(one[name], other[name]) for one, other in zip(left, right, strict=True) for name in one
    )


def shown(scenario: str, seed: int) -> tuple[float, bool]:
    """Return of the scenario's script, and whether it won."""
    card = registry.get(f"doom/{scenario}")
    env, script = card.make(), card.make_demonstrator()
    try:
        observation, _ = env.reset(seed=seed)
        script.reset(env)
        total, ended = 0.0, False
        while not ended:
            observation, reward, terminated, truncated, info = env.step(script.act(observation))
            total, ended = total + reward, terminated or truncated
        return total, bool(info.get("success"))
    finally:
        env.close()


def test_the_list_is_what_the_simulator_lists() -> None:
    assert list(WORLD) == scenarios()
    assert set(WORDS) == set(WORLD)
    assert {card.id for card in registry.find("doom/*")} == {f"doom/{name}" for name in WORLD}
    for name in LEFT_OUT:
        assert config(name).is_file(), name
    assert set(GOALS) == {name for name, (_, _, success) in WORDS.items() if success}
    assert WORLD["basic"] == describe("basic")


def test_maps_are_those_of_the_files() -> None:
    assert maps("basic") == ["MAP01"]
    assert len(maps("freedoom1")) == 36
    assert len(maps("freedoom2")) == 32


def test_one_scenario_is_held_out_and_shown() -> None:
    cards = registry.find("doom/*")
    assert [card.id for card in cards if card.split == "held_out"] == [f"doom/{name}" for name in HELD_OUT]
    assert set(HELD_OUT) <= set(SHOWN)


def test_listing_imports_no_simulator() -> None:
    code = (
        "import sys; from opengato.tasks import registry; registry.find('doom/*'); sys.exit('vizdoom' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_actions_are_what_two_hands_can_hold() -> None:
    found = actions(["MOVE_LEFT", "MOVE_RIGHT", "ATTACK", "SPEED", "USE", "LOOK_UP_DOWN_DELTA"])
    assert found[0] == ()
    assert ("USE",) in found
    assert ("MOVE_LEFT", "ATTACK") in found
    assert len(found) == len(set(found)) == 1 + 4 + 2
    for row in ROWS:
        assert not any(len(set(action) & set(row)) > 1 for action in found)


def test_the_picture_is_the_mean_of_blocks() -> None:
    screen = np.random.default_rng(0).integers(0, 256, (192, 256, 3)).astype(np.uint8)
    small = _small(screen)
    assert small.shape == (64, 64, 3)
    np.testing.assert_allclose(small[5, 7], screen[15:18, 28:32].mean(axis=(0, 1)), atol=0.5)


@pytest.mark.parametrize("scenario", ["basic-notifications", "defend-the-center", "health-gathering"])
def test_seeds_decide_whatever_came_before(scenario: str) -> None:
    used, fresh = make(scenario), make(scenario)
    played(used, 3)
    used.render()
    left, right, other = played(used, 8), played(fresh, 8), played(fresh, 9)
    used.close()
    fresh.close()
    assert same(left, right)
    assert not same(right, other)


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(Path(tempfile.gettempdir()).glob("opengato-doom-*"))
    env = make("basic")
    played(env, 0)
    assert processes()
    env.close()
    env.close()  # once more does no harm
    assert not processes()
    assert not list(tmp_path.iterdir())
    assert set(Path(tempfile.gettempdir()).glob("opengato-doom-*")) <= before


def test_a_doom_that_dies_is_an_error_and_the_next_reset_heals() -> None:
    env = make("take-cover")
    expected = played(env, 5)
    env.reset(seed=5)
    (doom,) = processes()
    os.kill(doom, signal.SIGKILL)
    time.sleep(0.5)  # for ViZDoom to notice
    with pytest.raises(SimulatorDied, match=r"take-cover.*died"):
        env.step(0)
    with pytest.raises(DoomDied, match="call `reset`"):
        env.step(0)
    assert same(played(env, 5), expected)
    env.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the leash is Linux's")
def test_a_python_that_is_killed_takes_its_doom_along(tmp_path: Path) -> None:
    code = (
        "import time; from opengato.envs.doom import make; env = make('basic'); env.reset(seed=0); "
        "print(env._launch.folder, flush=True); time.sleep(600)"
    )
    here = {**os.environ, "TMPDIR": str(tmp_path)}  # who is killed leaves a folder
    python = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=here)
    assert python.stdout is not None
    folder = python.stdout.readline().strip()
    python.kill()
    python.wait()
    for _ in range(100):
        left = subprocess.run(["pgrep", "-f", f"config {folder}"], capture_output=True, text=True).stdout.split()
        if not left:
            break
        time.sleep(0.1)
    assert not left


def test_what_is_wrong_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="take-cover"):
        make("take-cofer")
    with pytest.raises(UnknownNameError, match="E1M9"):
        make("freedoom1", map="E1M0")
    env = make("basic")
    with pytest.raises(OpengatoError, match="reset"):
        env.render()
    env.reset(seed=0)
    with pytest.raises(ObservationError, match="outside 0 … 5"):
        env.step(6)
    env.close()


def test_the_message_names_a_monster_that_is_there() -> None:
    env = make("basic-notifications")
    named = set()
    for seed in range(6):
        env.reset(seed=seed)
        for _ in range(3):
            observation, *_ = env.step(0)
        start, _, monster = observation["message"].partition(": ")
        assert start == "Shoot"
        assert monster in {each.name for each in env.game.get_state().objects}
        named.add(monster)
    env.close()
    assert len(named) > 1


def test_a_death_and_an_end_of_time_are_told_apart() -> None:
    env = make("simpler-basic")
    env.reset(seed=0)
    ends = [env.step(0)[2:] for _ in range(WORLD["simpler-basic"]["steps"])]
    ends = [end for end in ends if end[0] or end[1]][:1]
    assert ends == [(False, True, {"success": False})]
    env.close()


def test_a_marine_turns_and_slides_as_the_scripts_believe() -> None:
    import vizdoom

    env = make("defend-the-center")
    env.reset(seed=0)
    angle = vizdoom.GameVariable.ANGLE
    for _ in range(3):
        env.step(0)
    for degrees in TURN_DEGREES:
        before = env.game.get_game_variable(angle)
        env.step(env.action_meanings.index("TURN_LEFT"))
        assert wrap(env.game.get_game_variable(angle) - before) == pytest.approx(degrees, abs=0.05)
    env.close()
    env = make("take-cover")
    env.reset(seed=0)
    for _ in range(4):
        env.step(0)
    start = env.game.get_game_variable(vizdoom.GameVariable.POSITION_Y)
    for action in ("MOVE_LEFT", "NOTHING", "MOVE_RIGHT"):
        env.step(env.action_meanings.index(action))
    there = slide(0.0, np.repeat([[1, 0, -1]], 4, axis=1))[0, -1]
    assert env.game.get_game_variable(vizdoom.GameVariable.POSITION_Y) - start == pytest.approx(there, abs=0.1)
    env.close()


def test_turning_is_thought_ahead() -> None:
    for error in range(-60, 61, 3):
        held, left, steps = 0, float(error), 0
        while (way := first_turn(held, np.full(DEEPEST + 1, left), np.full(DEEPEST + 1, 1.8))) is not None:
            left -= way * TURN_DEGREES[held]
            held = min(held + 1, 2) if way else 0
            steps += 1
            assert steps < 12, error
        assert abs(left) <= 1.8


def test_the_floor_plan_goes_around_walls() -> None:
    outer = [(0, 0, 400, 0), (400, 0, 400, 400), (400, 400, 0, 400), (0, 400, 0, 0)]
    plan = FloorPlan(np.array([*outer, (200, 0, 200, 300)], float))
    start, end = np.array([100.0, 50.0]), np.array([300.0, 50.0])
    lengths, before = plan.spread(start)
    cell = plan.cell(end)
    assert 2 * 230 < lengths[cell] < 1300
    highest = 0.0
    while before[cell] >= 0:
        assert plan.room[cell] > RADIUS
        highest = max(highest, plan.centres[cell][1])
        cell = before[cell]
    assert highest > 300
    assert not plan.clear(start, end)
    assert plan.clear(start, np.array([100.0, 350.0]))
    assert not plan.clear(start, np.array([100.0, 350.0]), [np.array([110.0, 200.0])])


@pytest.mark.parametrize("scenario", ["basic", "basic-notifications", "rocket-basic", "simpler-basic"])
def test_script_shoots_the_right_monster(scenario: str) -> None:
    for seed in (0, 1):
        total, success = shown(scenario, seed)
        assert success, seed
        assert total > 40, seed


@pytest.mark.slow
def test_turret_spends_its_bullets_well() -> None:
    assert shown("defend-the-center", 0)[0] >= 22  # of 25: 26 bullets, and a death at the end


@pytest.mark.slow
def test_rocket_meets_a_monster_that_runs() -> None:
    assert sum(shown("predict-position", seed)[1] for seed in range(6)) >= 2


@pytest.mark.slow
def test_walker_finds_the_vest() -> None:
    assert all(shown("my-way-home", seed)[1] for seed in range(2))


@pytest.mark.slow
def test_dodger_lives_for_a_minute() -> None:
    assert shown("take-cover", 0)[0] > 1000
