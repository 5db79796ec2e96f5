"""Serving: what is refused, what survives, and that a robot acts as it would with the agent beside it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import random
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from opengato.agent import Agent, Prompt, Spec
from opengato.errors import OpengatoError
from opengato.tasks import registry

from .test_policy import SMALL

pytest.importorskip("websockets")
pytest.importorskip("prometheus_client")
from websockets.sync.client import connect

from opengato.client import PolicyError, RemotePolicy, pack, unpack
from opengato.evaluation.serve import ServeConfig, token_of
from opengato.evaluation.serve.catalogue import Catalogue
from opengato.evaluation.serve.server import BAD_IN_A_ROW, PolicyServer

TASKS = ("control/cartpole-balance", "control/reacher-easy", "arm/lift-red", "dialogue/smalltalk")


@pytest.fixture(scope="module")
def agent() -> Agent:
    return Agent.new(SMALL, seed=5)


class Running:
    """A server in a thread of its own."""

    def __init__(self, agent: Agent, port: int = 0, tasks: tuple[str, ...] = TASKS, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        known = [task for task in tasks if registry.get(task).available]
        self.server = self._do(self._make(agent, known, options))
        self.port = self._do(self.server.start("127.0.0.1", port))
        self.url = f"ws://127.0.0.1:{self.port}"

    async def _make(self, agent: Agent, tasks: list[str], options: dict[str, Any]) -> PolicyServer:
        return PolicyServer(Catalogue(agent, tasks, "no-data"), **options)

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def policy(self, task: str = TASKS[0], **options: Any) -> RemotePolicy:
        return RemotePolicy(self.url, task, **{"prompt": "instruction", "patience_s": 20.0, **options})

    def get(self, path: str, token: str = "") -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        if token:
            request.add_header("Authorization", f"Api-Key {token}")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def stop(self) -> None:
        self._do(self.server.drain(2.0))
        self._loop.call_soon_threadsafe(self._loop.stop)


@contextlib.contextmanager
def running(agent: Agent, **options: Any) -> Iterator[Running]:
    server = Running(agent, **options)
    try:
        yield server
    finally:
        server.stop()


def observations(task: str, count: int, seed: int = 0) -> list[Any]:
    env = registry.get(task).make(evaluation=True)
    env.observation_space.seed(seed)
    seen = [env.observation_space.sample() for _ in range(count)]
    env.close()
    return seen


def beside(agent: Agent, task: str) -> Any:
    """The same policy without a server."""
    card = registry.get(task)
    env = card.make(evaluation=True)
    try:
        return agent.policy(Spec.from_env(env), Prompt(instruction=card.instruction))
    finally:
        env.close()


# ---- who may come in


def test_without_a_token_other_machines_are_not_served() -> None:
    assert token_of(ServeConfig()) == token_of(ServeConfig(host="::1")) == token_of(ServeConfig(host="localhost")) == ""
    assert len(token_of(ServeConfig(host="0.0.0.0"))) > 20
    assert token_of(ServeConfig(host="0.0.0.0")) != token_of(ServeConfig(host="0.0.0.0"))
    assert token_of(ServeConfig(host="robots.lab", token="mine")) == "mine"
    assert token_of(ServeConfig(host="0.0.0.0", no_token=True)) == ""


def test_a_wrong_or_missing_token_is_refused(agent: Agent) -> None:
    with running(agent, token="open sesame", tasks=TASKS[:1]) as server:
        for token in ("", "open", "open sesame!"):
            with pytest.raises(PolicyError, match="401.*token"):
                server.policy(token=token)
        assert server.get("/metrics")[0] == 401
        assert server.get("/healthz") == (200, "ok\n")
        status, text = server.get("/metrics", "open sesame")
        assert status == 200
        assert 'opengato_refused_total{why="token"} 4.0' in text
        with server.policy(token="open sesame") as policy:
            assert policy.act(observations(TASKS[0], 1)[0]).shape == (1,)


def test_unknown_tasks_prompts_and_paths_are_refused_with_what_is_legal(agent: Agent) -> None:
    with running(agent, tasks=TASKS[:2]) as server:
        with pytest.raises(PolicyError, match="404.*reacher-easy"):
            server.policy("control/reacher-hard")
        with pytest.raises(PolicyError, match="404.*instruction"):
            server.policy(prompt="please")
        with pytest.raises(PolicyError, match="404.*goes with"):
            server.policy(prompt="none", instruction="stand up")
        with pytest.raises(PolicyError, match="404.*characters"):
            server.policy(instruction="up " * 1000)
        assert server.get("/elsewhere")[0] == 404


def test_no_task_that_works_is_refused(agent: Agent) -> None:
    with pytest.raises(OpengatoError):
        Catalogue(agent, ["control/no-such-task"], "no-data")


def test_seats_are_few_and_come_free(agent: Agent) -> None:
    with running(agent, tasks=TASKS[:1], seats=1, keep_s=0.3) as server:
        first = server.policy()
        with pytest.raises(PolicyError, match="503.*seats"):
            server.policy(patience_s=0.05)
        first.close()
        with server.policy(patience_s=10) as second:
            second.act(observations(TASKS[0], 1)[0])


# ---- acting


@pytest.mark.parametrize("task", TASKS)
def test_a_served_robot_acts_as_with_the_agent_beside_it(agent: Agent, task: str) -> None:
    if not registry.get(task).available:
        pytest.skip("its extra is not installed")
    own, seen = beside(agent, task), observations(task, 4)
    with running(agent) as server, server.policy(task) as policy:
        assert policy.metadata["task"] == task
        for _ in range(2):
            policy.reset()
            own.reset()
            for observation in seen:
                np.testing.assert_equal(policy.act(observation), own.act(observation))
        assert policy.timing["infer_ms"] > 0


def test_an_instruction_of_ones_own(agent: Agent) -> None:
    seen = observations(TASKS[0], 1)[0]
    with running(agent, tasks=TASKS[:1]) as server, server.policy(instruction="spin around twice") as policy:
        env = registry.get(TASKS[0]).make()
        own = agent.policy(Spec.from_env(env), Prompt(instruction="spin around twice"))
        np.testing.assert_equal(policy.act(seen), own.act(seen))


def test_different_robots_at_once_act_as_they_would_alone(agent: Agent) -> None:
    tasks = [task for task in TASKS[:3] for _ in range(3)]
    with running(agent, seats=len(tasks)) as server, ThreadPoolExecutor(len(tasks)) as pool:
        everyone = threading.Barrier(len(tasks))

        def drive(number: int) -> list[Any]:
            with server.policy(tasks[number]) as policy:
                everyone.wait(30)
                return [policy.act(each) for each in observations(tasks[number], 6, seed=number)]

        for number, found in enumerate(pool.map(drive, range(len(tasks)))):
            own = beside(agent, tasks[number])
            for action, observation in zip(found, observations(tasks[number], 6, seed=number), strict=True):
                np.testing.assert_allclose(action, own.act(observation), atol=1e-5)
        text = server.get("/metrics")[1]
        assert f"opengato_sessions {len(tasks)}" in text.replace(".0", "")


def test_plain_observations_are_answered_as_openpis_clients_send_them(agent: Agent) -> None:
    own, seen = beside(agent, "arm/lift-red"), observations("arm/lift-red", 3)
    with (
        running(agent, tasks=("arm/lift-red",)) as server,
        connect(f"{server.url}/?prompt=instruction", max_size=None) as line,
    ):
        assert unpack(line.recv())["task"] == "arm/lift-red"
        for observation in seen:
            line.send(pack(observation))
            actions = unpack(line.recv())["actions"]
            assert actions.shape == (1, 5)
            np.testing.assert_array_equal(actions[0], own.act(observation))


# ---- what goes wrong


def test_a_lost_connection_goes_on_in_the_middle_of_the_episode(agent: Agent) -> None:
    own, seen = beside(agent, TASKS[1]), observations(TASKS[1], 8)
    with running(agent, tasks=TASKS[:2]) as server, server.policy(TASKS[1]) as policy:
        for step, observation in enumerate(seen):
            if step in (2, 5):
                policy._connection.close_socket()  # type: ignore[union-attr]
            np.testing.assert_array_equal(policy.act(observation), own.act(observation))
        assert policy.reconnected == 2
        assert "opengato_recalled_total 0.0" in server.get("/metrics")[1]  # the server had kept the episode


def test_an_answer_that_was_lost_is_given_again(agent: Agent) -> None:
    own, seen = beside(agent, TASKS[0]), observations(TASKS[0], 3)
    with running(agent, tasks=TASKS[:1]) as server, server.policy() as policy:
        np.testing.assert_array_equal(policy.act(seen[0]), own.act(seen[0]))
        policy._connection.send(pack({"episode": 0, "number": 1, "observation": seen[1]}))  # type: ignore[union-attr]
        policy._connection.recv()  # type: ignore[union-attr]
        policy._connection.close_socket()  # type: ignore[union-attr]
        for observation in seen[1:]:
            np.testing.assert_array_equal(policy.act(observation), own.act(observation))
        assert "opengato_recalled_total 0.0" in server.get("/metrics")[1]


def test_a_server_that_was_started_anew_is_told_of_the_episode(agent: Agent) -> None:
    own, seen = beside(agent, TASKS[1]), observations(TASKS[1], 7)
    server = Running(agent, tasks=TASKS[:2])
    policy = server.policy(TASKS[1])
    for step, observation in enumerate(seen):
        if step == 4:
            server.stop()
            server = Running(agent, port=server.port, tasks=TASKS[:2])
        np.testing.assert_allclose(policy.act(observation), own.act(observation), atol=1e-5)
    assert "opengato_recalled_total 1.0" in server.get("/metrics")[1]
    policy.close()
    server.stop()
    with pytest.raises(PolicyError, match="nobody at"):
        server.policy(TASKS[1], patience_s=0.2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"observation": {}}, "missing"),
        ({"observation": None}, "missing"),
        ({"observation": np.full(5, np.nan, np.float32)}, "finite|missing"),
        ({"number": -1}, "number is -1"),
        ({"number": 7}, "expected: 0 of 0"),
        ({"episode": "first"}, "episode is 'first'"),
        ({"number": True}, "number is True"),
        ({"recall": []}, "two lists"),
        ({"recall": {"observations": [1], "actions": []}, "number": 1}, "1 observations and 0 actions"),
        ({"recall": {"observations": [1] * 9, "actions": [1] * 9}, "number": 3}, "legal"),
    ],
)
def test_requests_without_sense_change_nothing(agent: Agent, change: dict[str, Any], words: str) -> None:
    own, seen = beside(agent, TASKS[0]), observations(TASKS[0], 1)[0]
    with running(agent, tasks=TASKS[:1]) as server, connect(f"{server.url}/?prompt=instruction") as line:
        line.recv()
        line.send(pack({"episode": 0, "number": 0, "observation": seen, **change}))
        answer = line.recv()
        assert isinstance(answer, str)
        assert re.search(words, answer), answer
        assert "Traceback" not in answer
        line.send(pack({"episode": 0, "number": 0, "observation": seen}))
        np.testing.assert_array_equal(unpack(line.recv())["actions"][0], own.act(seen))


def test_nonsense_without_end_is_hung_up_on(agent: Agent) -> None:
    from websockets.exceptions import ConnectionClosed

    with running(agent, tasks=TASKS[:1]) as server, connect(f"{server.url}/?prompt=none") as line:
        line.recv()
        line.send("a text")
        assert "binary" in line.recv()
        for _ in range(BAD_IN_A_ROW - 1):
            line.send(b"\xc1")
            assert "no message" in line.recv()
        with pytest.raises(ConnectionClosed):
            line.recv(timeout=20)


def test_messages_have_a_longest_size(agent: Agent) -> None:
    from websockets.exceptions import ConnectionClosed

    with running(agent, tasks=TASKS[:1], max_message=2000) as server, connect(f"{server.url}/?prompt=none") as line:
        assert unpack(line.recv())["max_message_bytes"] == 2000
        line.send(b"0" * 3000)
        with pytest.raises(ConnectionClosed) as closed:
            line.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


def test_a_failure_inside_is_told_without_its_traces(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = observations(TASKS[0], 1)[0]
    with running(agent, tasks=TASKS[:1]) as server, server.policy() as policy:

        def fail(*_: Any) -> None:
            raise ZeroDivisionError("secret inside")

        with monkeypatch.context() as patched:
            patched.setattr(server.server.batcher.policy, "act", fail)
            with pytest.raises(PolicyError) as told:
                policy.act(seen)
        assert "secret" not in str(told.value)
        assert "the agent failed" in str(told.value)
        policy.reset()
        np.testing.assert_array_equal(policy.act(seen), beside(agent, TASKS[0]).act(seen))


def test_stopping_answers_what_is_under_way(agent: Agent) -> None:
    seen = observations(TASKS[0], 1)[0]
    server = Running(agent, tasks=TASKS[:1])
    policy = server.policy()
    act, begun = server.server.batcher.policy.act, threading.Event()

    def slowly(seen: list[Any]) -> list[Any]:
        begun.set()
        threading.Event().wait(0.5)
        return act(seen)

    server.server.batcher.policy.act = slowly  # type: ignore[method-assign]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(policy.act, seen)
        begun.wait(20)
        server.stop()
        np.testing.assert_array_equal(waiting.result(20), beside(agent, TASKS[0]).act(seen))
    with pytest.raises((OSError, http.client.HTTPException)):
        server.get("/healthz")


@pytest.mark.slow
def test_ten_thousand_fuzzed_messages(agent: Agent) -> None:
    from websockets.exceptions import ConnectionClosed

    rng = random.Random(0)
    seen = observations("arm/lift-red", 1)[0]
    good = pack({"episode": 0, "number": 0, "observation": seen})
    with running(agent, tasks=("arm/lift-red",)) as server:
        sent = 0
        while sent < 10_000:
            with connect(f"{server.url}/?prompt=none") as line, contextlib.suppress(ConnectionClosed):
                line.recv()
                while sent < 10_000:
                    sent += 1
                    line.send(_spoilt(good, rng))
                    answer = line.recv(timeout=30)
                    assert isinstance(answer, bytes) or not any(w in answer for w in ("Traceback", "File ", ".py"))
        own = agent.policy(Spec.from_env(registry.get("arm/lift-red").make()))
        with server.policy("arm/lift-red", prompt="none") as policy:
            np.testing.assert_array_equal(policy.act(seen), own.act(seen))
        failed = [line for line in server.get("/metrics")[1].splitlines() if 'why="failed"' in line]
        assert not failed, failed


def _spoilt(good: bytes, rng: random.Random) -> bytes | str:
    """A message near a good one, or far from any."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.randbytes(rng.randrange(200))
    if kind == 1:
        return good[: rng.randrange(len(good))]
    if kind == 2:
        return "".join(chr(rng.randrange(32, 1000)) for _ in range(rng.randrange(50)))
    if kind == 3:
        odd = [None, True, -1, 2**60, 1.5, "x", [], {}, [[]], float("nan"), "x" * 999]
        keys = ["episode", "number", "observation", "recall", "y"]
        return pack({rng.choice(keys): rng.choice(odd) for _ in range(4)})
    spoilt = bytearray(good)
    for _ in range(rng.randrange(1, 9)):
        spoilt[rng.randrange(200 if kind == 4 else len(spoilt))] = rng.randrange(256)
    return bytes(spoilt)
