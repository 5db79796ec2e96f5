"""A robot behind ROS 2 as one of ours. Needs a sourced ROS 2 (rclpy, sensor_msgs, std_msgs); no index has it.

It listens to `joint_states` and a camera, and commands a `forward_command_controller` of ros2_control, the plainest
that takes velocities. Change topics, joints and shapes to yours, then drive it as any robot:

    RobotEnv(Ros2Robot(["shoulder", "elbow"], rate_hz=20), my_simulated_arm())
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64MultiArray

from opengato.envs.real.robot import Reading, Signal


class Ros2Robot:
    """See `opengato.envs.real.robot.Robot`.

    Args:
        joints: their names, in the order of the simulated body's.
        rate_hz: of the joint states.
        picture: height and width of the camera's pictures, `rgb8`.
        commands, states, camera: topics.
    """

    def __init__(
        self, joints: Sequence[str], rate_hz: float, picture: tuple[int, int] = (64, 64),
        commands: str = "/forward_velocity_controller/commands", states: str = "/joint_states",
        camera: str = "/camera/image_raw",
    ) -> None:  # fmt: skip
        self.joints, self.rate_hz = list(joints), rate_hz
        self._topics = commands, states, camera
        self.observation_signals = {
            "joint_angles": Signal((len(self.joints),), "float32", "rad", "joint"),
            "joint_velocities": Signal((len(self.joints),), "float32", "rad/s", "joint"),
            "camera": Signal((*picture, 3), "uint8"),
        }
        self.action_signals = {"action": Signal((len(self.joints),), "float32")}
        self._fresh = threading.Condition()
        self._picture: np.ndarray | None = None
        self._reading: Reading | None = None
        self._number = 0

    def connect(self) -> None:
        """Join the graph, and listen in a thread of its own."""
        rclpy.init()
        self._node = Node("opengato")
        commands, states, camera = self._topics
        self._out = self._node.create_publisher(Float64MultiArray, commands, 1)
        self._node.create_subscription(JointState, states, self._on_joints, qos_profile_sensor_data)
        self._node.create_subscription(Image, camera, self._on_picture, qos_profile_sensor_data)
        self._thread = threading.Thread(target=rclpy.spin, args=(self._node,), daemon=True)
        self._thread.start()

    def get_observation(self, timeout_s: float = 1.0) -> Reading | None:
        """The newest joint states with the newest picture, once."""
        with self._fresh:
            self._fresh.wait_for(lambda: self._reading is not None, timeout_s)
            reading, self._reading = self._reading, None
            return reading

    def send_action(self, action: np.ndarray) -> np.ndarray:
        """Publish velocities; ros2_control's own limits come after ours."""
        sent = np.asarray(action, np.float32)
        message = Float64MultiArray()
        message.data = [float(value) for value in sent]
        self._out.publish(message)
        return sent

    def disconnect(self) -> None:
        """Rest, and leave the graph."""
        self.send_action(np.zeros(len(self.joints), np.float32))
        self._node.destroy_node()
        rclpy.shutdown()
        self._thread.join(2.0)

    def _on_joints(self, message: JointState) -> None:
        at = [message.name.index(joint) for joint in self.joints]
        with self._fresh:
            if self._picture is None:
                return  # nothing is acted on before the camera is there
            values = {
                "joint_angles": np.asarray(message.position, np.float32)[at],
                "joint_velocities": np.asarray(message.velocity, np.float32)[at],
                "camera": self._picture,
            }
            self._reading = Reading(values, self._number, time.monotonic())
            self._number += 1
            self._fresh.notify_all()

    def _on_picture(self, message: Image) -> None:
        rows = np.frombuffer(bytes(message.data), np.uint8).reshape(message.height, message.step)
        with self._fresh:
            self._picture = rows[:, : 3 * message.width].reshape(message.height, message.width, 3)
