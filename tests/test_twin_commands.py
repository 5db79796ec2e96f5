"""Which commands the twin obeys."""

from __future__ import annotations

import socket
import threading
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from opengato.envs import arm
from opengato.envs.real.disturb import Disturbance
from opengato.envs.real.safety import Safety
from opengato.envs.real.twin import Twin, TwinRobot
from opengato.envs.real.wire import receive, send
from opengato.evaluation.control_loop import ControlLoop, LoopReport
from opengato.evaluation.twin import _figures


def test_a_command_for_the_episode_before_is_not_obeyed() -> None:
    body = Twin(arm.make("lift", "red", cameras=False), 20.0, Disturbance())
    ours, theirs = socket.socketpair()
    threading.Thread(target=body.run, args=(theirs,), daemon=True).start()
    ours.settimeout(20)
    receive(ours)  # what the body senses and does
    full = {"action": np.ones(5, np.float32)}
    moved = []
    for episode, answered in ((0, -1), (1, 1)):
        send(ours, {"kind": "reset", "seed": 0})
        first = receive(ours)
        while first[0]["episode"] != episode:
            first = receive(ours)
        send(ours, {"kind": "action", "episode": answered}, full)
        for _ in range(6):
            last = receive(ours)
        moved.append(float(np.abs(last[1]["pose"][:3] - first[1]["pose"][:3]).max()))
    send(ours, {"kind": "bye"})
    ours.close()
    assert moved[0] < 0.004 < moved[1], moved


class Body(gymnasium.Env):
    """Two steps; whether they succeed it says in the last, or never."""

    observation_space = action_space = spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self, tells: bool) -> None:
        self.tells = tells

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.left = 2
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.left -= 1
        info = {"success": True} if self.tells and not self.left else {}
        return np.zeros(1, np.float32), 0.0, not self.left, False, info


@pytest.mark.parametrize(("tells", "success"), [(True, True), (False, None)])
def test_a_body_that_never_tells_a_success_has_none(tells: bool, success: bool | None) -> None:
    body = Twin(Body(tells), 20.0, Disturbance())
    body._seed = 0
    body._begin(0.0)
    for now in (1.0, 2.0):
        body._tick(now)
    *_, last = body._out.due(9.0)
    assert last.info["over"]
    assert last.info["success"] is success
    loop, report = ControlLoop(TwinRobot.__new__(TwinRobot), None, Safety(body.limits), record=True), LoopReport()
    loop._open = {"seen": [0], "done": [np.zeros(1)], "returns": [0.0, 0.0]}
    loop._close(report, last)
    assert report.successes == [success]
    assert report.recordings[0].success is success
    assert _figures(report, {}, None)["success"] == (None if success is None else 1.0)
