"""The ROS 2 example against a stand-in for ROS 2: the same calls, no middleware."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from opengato.envs.real.robot import check_twin

EXAMPLE = Path(__file__).parent.parent / "examples" / "ros2_robot.py"


class Node:
    """Keeps who listens to which topic, and what was published."""

    def __init__(self, name: str) -> None:
        self.heard: dict[str, Callable[[Any], None]] = {}
        self.said: list[tuple[str, Any]] = []

    def create_publisher(self, kind: type, topic: str, depth: int) -> Any:
        return SimpleNamespace(publish=lambda message: self.said.append((topic, list(message.data))))

    def create_subscription(self, kind: type, topic: str, heard: Callable[[Any], None], profile: object) -> None:
        self.heard[topic] = heard

    def destroy_node(self) -> None: ...


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    def module(name: str, **names: Any) -> None:
        made = ModuleType(name)
        made.__dict__.update(names)
        monkeypatch.setitem(sys.modules, name, made)

    module("rclpy", init=lambda: None, spin=lambda node: None, shutdown=lambda: None)
    module("rclpy.node", Node=Node)
    module("rclpy.qos", qos_profile_sensor_data=object())
    module("sensor_msgs")
    module("sensor_msgs.msg", Image=SimpleNamespace, JointState=SimpleNamespace)
    module("std_msgs")
    module("std_msgs.msg", Float64MultiArray=SimpleNamespace)
    spec = importlib.util.spec_from_file_location("ros2_robot", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_joints_and_pictures_become_readings_and_actions_are_published(example: Any) -> None:
    robot = example.Ros2Robot(["a", "b"], rate_hz=20, picture=(2, 3))
    check_twin(robot, robot.observation_signals, robot.action_signals, 20)
    robot.connect()
    node = robot._node
    joints = SimpleNamespace(name=["b", "x", "a"], position=[2.0, 9.0, 1.0], velocity=[0.2, 0.9, 0.1])
    node.heard["/joint_states"](joints)
    assert robot.get_observation(0.01) is None  # no picture yet
    rows = np.arange(2 * 10, dtype=np.uint8).reshape(2, 10)  # a row is a byte longer than its pixels
    node.heard["/camera/image_raw"](SimpleNamespace(height=2, width=3, step=10, data=rows.tobytes()))
    node.heard["/joint_states"](joints)
    reading = robot.get_observation(1)
    np.testing.assert_array_equal(reading.values["joint_angles"], [1, 2])
    np.testing.assert_allclose(reading.values["joint_velocities"], [0.1, 0.2], rtol=1e-6)
    np.testing.assert_array_equal(reading.values["camera"], rows[:, :9].reshape(2, 3, 3))
    assert robot.get_observation(0.01) is None  # each reading once
    np.testing.assert_allclose(robot.send_action(np.asarray([0.5, -0.5])), [0.5, -0.5])
    robot.disconnect()
    topic = "/forward_velocity_controller/commands"
    assert node.said == [(topic, [0.5, -0.5]), (topic, [0.0, 0.0])]
