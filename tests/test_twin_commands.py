"""Which commands the twin obeys."""

from __future__ import annotations

import socket
import threading

import numpy as np

from opengato.envs import arm
from opengato.envs.real.disturb import Disturbance
from opengato.envs.real.twin import Twin
from opengato.envs.real.wire import receive, send


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
