"""Sokoban: rooms that can be solved, the rules, what the agent sees, and the solver that shows it."""

from __future__ import annotations

import random
from collections import deque

import gymnasium
import numpy as np
import pytest

from opengato import tasks
from opengato.envs.sokoban import BOXES, make
from opengato.envs.sokoban.board import DIRECTIONS, DOWN, INSIDE, LEFT, RIGHT, SIDE, UP, Position, Room, walks
from opengato.envs.sokoban.expert import Expert
from opengato.envs.sokoban.solver import Solver
from opengato.errors import OpengatoError


def room_of(*rows: str) -> Room:
    """`.` floor, `o` goal, `$` box, `*` box on a goal, `@` player; anything else is wall. From the inner corner on."""
    cells = {(1 + row) * SIDE + 1 + column: sign for row, line in enumerate(rows) for column, sign in enumerate(line)}
    found = {signs: frozenset(cell for cell, sign in cells.items() if sign in signs) for signs in (".o$*@", "o*", "$*")}
    (player,) = (cell for cell, sign in cells.items() if sign == "@")
    return Room(found[".o$*@"], found["o*"], Position(player, found["$*"]))


def fewest_steps(room: Room) -> int:
    """Of any solution, found by looking at all positions."""
    steps, waiting = {room.start: 0}, deque([room.start])
    while waiting:
        now = waiting.popleft()
        if now.boxes == room.goals:
            return steps[now]
        for direction in DIRECTIONS:
            after = room.move(now, direction)
            if after not in steps:
                steps[after] = steps[now] + 1
                waiting.append(after)
    raise AssertionError("no solution")


def play(boxes: int, seed: int, others: float = 0.0) -> tuple[float, bool, int]:
    """Return, success and steps of the demonstrator; with this chance another action than its own is taken."""
    env, expert, rng = make(boxes), Expert(), random.Random(seed)
    observation, _ = env.reset(seed=seed)
    expert.reset(gymnasium.Wrapper(env))
    total, steps, ended = 0.0, 0, False
    while not ended:
        action = expert.act(observation)
        assert expert.act(observation) == action
        if rng.random() < others:
            action = np.int64(rng.randrange(4))
        observation, reward, terminated, truncated, info = env.step(action)
        total, steps, ended = total + reward, steps + 1, terminated or truncated
    return total, info["success"], steps


def test_rules() -> None:
    room = room_of("@.$.o", "$....", "o...x")
    at, first, second = room.start.player, room.start.player + 2, room.start.player + SIDE
    assert room.move(room.start, UP) == room.start
    assert room.move(room.start, LEFT) == room.start
    assert room.move(room.start, DOWN) == Position(second, frozenset({first, second + SIDE}))
    beside = room.move(room.start, RIGHT)
    assert beside == Position(at + 1, room.start.boxes)
    pushed = room.move(room.move(beside, RIGHT), RIGHT)
    assert pushed == Position(first + 1, frozenset({first + 2, second}))
    assert room.move(pushed, RIGHT) == pushed, "against the wall"
    two = room_of("@$$.oo")
    assert two.move(two.start, RIGHT) == two.start, "two boxes are too heavy"


def test_rewards_are_those_of_the_literature() -> None:
    env = make(2)
    env.reset(seed=0)
    env.room = room_of(".@$o$o")
    env.position = env.room.start
    rewards = []
    for action in (2, 3, 3):
        _, reward, terminated, truncated, info = env.step(action)
        rewards.append(reward)
        assert (terminated, truncated, info) == (False, False, {"success": False})
    assert rewards == pytest.approx([-0.1, -0.1, 0.9])
    env.room = room_of("@*.o", ".$..")
    env.position = env.room.start
    assert env.step(3)[1] == pytest.approx(-1.1), "pushed off"
    env.room = room_of("@$o")
    env.position = env.room.start
    _, reward, terminated, truncated, info = env.step(3)
    assert (terminated, truncated, info) == (True, False, {"success": True})
    assert reward == pytest.approx(10.9)


def test_an_episode_ends_after_120_steps() -> None:
    env = make(4)
    env.reset(seed=1)
    env.room = room_of("@...", ".$.o")
    env.position = env.room.start
    ends = [env.step(0)[2:4] for _ in range(120)]
    assert ends == [(False, False)] * 119 + [(False, True)]


@pytest.mark.parametrize("boxes", BOXES)
def test_rooms_are_as_promised(boxes: int) -> None:
    env, rooms = make(boxes), set()
    for seed in range(8):
        env.reset(seed=seed)
        room = env.room
        rooms.add((room.floor, room.goals, room.start))
        assert len(room.goals) == len(room.start.boxes) == boxes
        assert not room.goals & room.start.boxes
        assert room.goals | room.start.boxes | {room.start.player} <= room.floor <= set(INSIDE)
        assert room.start.player not in room.start.boxes
        assert set(walks(room.floor, (), room.start.player)) == room.floor, "in one piece"
        way = Solver(room).solve(room.start)
        assert way is not None
        assert len(way) <= 120
    assert len(rooms) == 8


def test_what_is_seen_tells_all_there_is() -> None:
    """From the picture alone wall, floor, goal, box, box on a goal and player can be told apart, cell by cell."""
    env, seen = make(4), dict[bytes, str]()
    for seed in range(5):
        observation, _ = env.reset(seed=seed)
        for action in (0, 1, 2, 3, *remaining_actions(env)):
            observation, *_ = env.step(action)
            for cell in range(SIDE * SIDE):
                row, column = (2 + 6 * part for part in divmod(cell, SIDE))
                look = observation["image"][row : row + 6, column : column + 6].tobytes()
                room, here = env.room, env.position
                what = f"{cell in room.floor} {cell in room.goals} {cell in here.boxes} {cell == here.player}"
                assert seen.setdefault(look, what) == what
    assert len(seen) == 7


def remaining_actions(env: gymnasium.Env) -> list[int]:
    """What solves the room from where it is, or nothing where it is spoilt."""
    way = Solver(env.unwrapped.room).solve(env.unwrapped.position) or []
    return [DIRECTIONS.index(direction) for direction in way]


def test_solver_finds_the_fewest_steps_where_it_is_not_greedy() -> None:
    env = make(2)
    for seed in range(5):
        env.reset(seed=seed)
        way = Solver(env.room, greed=1.0).solve(env.room.start)
        assert way is not None
        assert len(way) == fewest_steps(env.room)


def test_solver_says_when_there_is_no_way() -> None:
    assert Solver(room_of("$.@", "..o")).solve(room_of("$.@", "..o").start) is None
    hard = make(4)
    hard.reset(seed=0)
    assert Solver(hard.room, budget=1).solve(hard.room.start) is None


@pytest.mark.parametrize(
    ("rows", "spoilt"),
    [
        (("$..", ".@.", "..o"), True),  # in a corner
        ((".....", ".$$..", ".$$@.", ".oooo", "....."), True),  # four in a square
        (("@$$.", "....", "..oo"), True),  # two side by side at a wall
        (("@.$.", "....", "..o."), True),  # at a wall without a goal
        ((".....", ".$.@.", ".....", "..o.."), False),
        (("@**.", "...."), False),  # stuck where they belong
        ((".....", ".$$@.", ".....", "..oo.", "....."), False),
    ],
)
def test_spoilt_positions_are_known(rows: tuple[str, ...], spoilt: bool) -> None:
    room = room_of(*rows)
    assert any(Solver(room).spoilt(room.start.boxes, box) for box in room.start.boxes) == spoilt


def test_what_counts_as_spoilt_is_never_solvable() -> None:
    env = make(2)
    rng, found = random.Random(0), 0
    for seed in range(24):
        env.reset(seed=seed)
        room, solver = env.room, Solver(env.room)
        now = room.start
        for _ in range(25):
            after = room.move(now, rng.choice(DIRECTIONS))
            moved = after.boxes - now.boxes
            if moved and solver.spoilt(after.boxes, *moved):
                found += 1
                with pytest.raises(AssertionError, match="no solution"):
                    fewest_steps(Room(room.floor, room.goals, after))
            else:
                now = after
    assert found >= 2


@pytest.mark.parametrize("boxes", BOXES)
def test_demonstrator_solves_rooms(boxes: int) -> None:
    results = [play(boxes, seed) for seed in range(6)]
    assert all(success for _, success, _ in results)
    assert max(steps for _, _, steps in results) <= 110


@pytest.mark.slow
@pytest.mark.parametrize("boxes", BOXES)
def test_demonstrator_solves_95_of_100_rooms(boxes: int) -> None:
    assert sum(play(boxes, seed)[1] for seed in range(1000, 1100)) >= 95


def test_demonstrator_goes_on_after_actions_that_were_not_its_own() -> None:
    assert sum(play(2, seed, others=0.15)[1] for seed in range(12)) >= 6
    assert sum(play(2, seed, others=0.9)[1] for seed in range(4)) <= 4  # spoilt rooms end all the same


def test_same_seed_same_room_other_seed_another() -> None:
    env = make(4)
    first, again, other = (env.reset(seed=seed)[0]["image"] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(env.reset()[0]["image"], other), "the next episode is another room"


@pytest.mark.parametrize("boxes", [0, 5, "many"])
def test_refuses_other_numbers_of_boxes(boxes: object) -> None:
    with pytest.raises(OpengatoError, match="1, 2, 3, 4"):
        make(boxes)  # type: ignore[arg-type]


def test_refuses_other_actions() -> None:
    env = make(1)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="outside 0"):
        env.step(4)


def test_one_number_of_boxes_is_held_out() -> None:
    assert {card.id for card in tasks.find("sokoban/*") if card.split == "held_out"} == {"sokoban/boxes-3"}
    assert len(tasks.find("sokoban/*")) == len(BOXES)
