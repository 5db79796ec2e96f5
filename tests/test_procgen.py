"""Procgen: what is listed, levels apart, exact states, and the demonstrator that explores on them."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest

from opengato import tasks
from opengato.envs.procgen import make
from opengato.envs.procgen.env import LEVELS
from opengato.envs.procgen.explorer import Explorer
from opengato.envs.procgen.facts import ACTIONS
from opengato.envs.procgen.search import BOSS, Search
from opengato.envs.procgen.simulator import NO_OP, Simulator, games
from opengato.envs.procgen.things import HEALTH, KIND, Reader, X, Y, kinds
from opengato.errors import MissingExtraError, UnknownNameError
from opengato.tasks import card as cards

CARDS = tasks.find("procgen/*")
needs_procgen = pytest.mark.skipif(not CARDS[0].available, reason=f"missing: {', '.join(CARDS[0].missing)}")


def play(game: str, steps: int, demonstrator: Explorer | Search | None, seed: int = 0) -> tuple[list[int], float, bool]:
    """Actions, return and success of a demonstrator, or of acting at random."""
    env = make(game, max_steps=steps)
    env.action_space.seed(seed)
    observation, _ = env.reset(seed=seed)
    if demonstrator is not None:
        demonstrator.reset(gymnasium.Wrapper(env))
    actions, total, ended, info = [], 0.0, False, {"success": False}
    while not ended:
        action = demonstrator.act(observation) if demonstrator is not None else env.action_space.sample()
        actions.append(int(action))
        observation, reward, terminated, truncated, info = env.step(action)
        total, ended = total + reward, terminated or truncated
    env.close()
    return actions, total, info["success"]


@needs_procgen
def test_lists_procgens_games() -> None:
    assert list(ACTIONS) == games()
    assert {card.id for card in CARDS} == {f"procgen/{game}" for game in games()}
    for actions in ACTIONS.values():
        assert NO_OP in actions
        assert list(actions) == sorted(set(actions) & set(range(15)))


@needs_procgen
def test_actions_that_were_left_out_do_what_another_does() -> None:
    """In a level that was not looked at when they were left out."""
    game, dropped = "coinrun", set(range(15)) - set(ACTIONS["coinrun"])
    assert dropped
    simulator, rng = Simulator(game, 150), np.random.default_rng(1)
    for _ in range(4):
        for action in rng.integers(15, size=7):
            simulator.act(int(action))
        begin, outcomes = simulator.state(), {}
        for action in range(15):
            simulator.put_back(begin)
            outcomes[action] = (*simulator.act(action), simulator.picture().tobytes())
        assert {outcomes[action] for action in dropped} <= {outcomes[action] for action in ACTIONS[game]}
        simulator.put_back(begin)


@needs_procgen
def test_the_import_leaves_no_stand_in_behind() -> None:
    games()
    assert "gym" not in sys.modules or hasattr(sys.modules["gym"], "__version__")


@needs_procgen
def test_evaluation_plays_levels_that_training_never_sees() -> None:
    card = tasks.get("procgen/coinrun")
    trained, tested = card.make(), card.make(evaluation=True)
    for seed in range(6):
        assert 0 <= trained.reset(seed=seed)[1]["level"] < 200
        assert tested.reset(seed=seed)[1]["level"] >= 10_000
    assert LEVELS["train"][0] + LEVELS["train"][1] <= LEVELS["test"][0]
    first, again = (tested.reset(seed=9)[1]["level"] for _ in range(2))
    assert first == again


@needs_procgen
def test_a_state_put_back_goes_on_alike() -> None:
    one, other, rng = Simulator("ninja", 3), Simulator("ninja", 3), np.random.default_rng(0)
    for action in rng.integers(15, size=20):
        one.act(int(action))
    other.put_back(one.state())
    for action in rng.integers(15, size=20):
        assert one.act(int(action)) == other.act(int(action))
        assert one.state() == other.state()
        np.testing.assert_array_equal(one.picture(), other.picture())


@needs_procgen
def test_the_end_shows_the_last_picture_once_more_and_render_agrees() -> None:
    env = make("leaper")
    observation, _ = env.reset(seed=0)
    ended = False
    while not ended:
        before = observation["image"]
        observation, _, terminated, truncated, info = env.step(env.action_meanings.index("up"))
        ended = terminated or truncated
    assert terminated
    np.testing.assert_array_equal(observation["image"], before)
    picture = env.render()
    assert picture.shape == (512, 512, 3)
    small = picture.reshape(64, 8, 64, 8, 3).mean((1, 3))
    assert np.abs(small - before).mean() < 20, "the same scene"


@needs_procgen
def test_an_episode_is_truncated() -> None:
    env = make("maze", max_steps=3)
    env.reset(seed=0)
    assert [env.step(0)[2:4] for _ in range(3)] == [(False, False), (False, False), (False, True)]


@needs_procgen
def test_refuses_what_there_is_not() -> None:
    with pytest.raises(UnknownNameError, match="coinrun"):
        make("coin-run")
    with pytest.raises(UnknownNameError, match="train"):
        make("coinrun", split="valid")
    env = make("maze")
    env.reset(seed=0)
    with pytest.raises(ValueError, match="outside 0"):
        env.step(15)


def test_a_machine_without_the_libraries_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cards.EXTRA_MODULES, "procgen", ("numpy",))  # as if it were installed
    monkeypatch.setattr(cards, "_library_is_there", lambda name: name != "GL")
    monkeypatch.setattr(sys, "platform", "linux")
    card = tasks.get("procgen/maze")
    assert not card.available
    assert card.missing == ("libGL",)
    with pytest.raises(MissingExtraError, match="libGL, which .* Next: sudo apt-get install libgl1"):
        card.make()


def test_a_machine_without_the_modules_is_told_the_whole_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cards.EXTRA_MODULES, "procgen", ("no_such_module_anywhere",))
    card = tasks.get("procgen/maze")
    assert card.missing == ("no_such_module_anywhere",)
    assert "--no-deps procgen-mirror==0.10.7 gym3==0.3.3" in card.install_step


@needs_procgen
@pytest.mark.parametrize(
    ("game", "make_demonstrator"),
    [("maze", partial(Explorer, steps=400)), ("plunder", partial(Search, steps=100, horizon=15))],
    ids=["explorer", "search"],
)
def test_demonstrators_only_read_the_game_and_repeat_themselves(game: str, make_demonstrator: Any) -> None:
    env = make(game)
    observation, _ = env.reset(seed=1)
    demonstrator = make_demonstrator()
    demonstrator.reset(env)
    for step in range(5):
        state = env.simulator.state()
        action = demonstrator.act(observation)
        assert demonstrator.act(observation) == action
        assert env.simulator.state() == state
        observation, *_ = env.step((action + step // 4) % env.action_space.n)  # the last one is not its own
    assert env.action_space.contains(demonstrator.act(observation))
    assert play(game, 4, make_demonstrator()) == play(game, 4, make_demonstrator())


@needs_procgen
def test_explorer_reaches_the_cheese() -> None:
    actions, total, success = play("maze", 500, Explorer(), seed=2)
    assert (total, success) == (10.0, True)
    assert len(actions) < 200


@needs_procgen
def test_things_are_read_from_a_state() -> None:
    simulator = Simulator("bossfight", 0)
    reader = Reader(simulator.state())
    before = reader.things(simulator.state())
    assert kinds(before)[0] == 0
    assert (kinds(before) == BOSS).sum() == 1
    assert 1 <= before[kinds(before) == BOSS, HEALTH][0] <= 45
    for _ in range(4):
        simulator.act(7)
    after = reader.things(simulator.state())
    assert after[0, X] > before[0, X], "to the right"
    assert after[0, Y] == pytest.approx(before[0, Y], abs=0.1)
    assert kinds(after).dtype == np.int32
    assert 0 < KIND < HEALTH


@needs_procgen
def test_search_eats_and_is_not_eaten() -> None:
    assert play("bigfish", 150, Search(steps=200), seed=1)[1] >= 3


@needs_procgen
@pytest.mark.parametrize("game", ["heist", "caveflyer", "miner"])
def test_explorer_completes_what_needs_more_than_a_way(game: str) -> None:
    assert play(game, 500, Explorer(), seed=4)[2]


@needs_procgen
def test_explorer_ends_where_the_end_is_one_step_away() -> None:
    env = make("maze")
    observation, _ = env.reset(seed=2)
    first = Explorer()
    first.reset(env)
    terminated, before, action = False, env.simulator.state(), np.int64(0)
    while not terminated:
        before, action = env.simulator.state(), first.act(observation)
        observation, _, terminated, _, _ = env.step(action)
    env.simulator.put_back(before)
    second = Explorer()
    second.reset(env)
    assert second.act(observation) == action
