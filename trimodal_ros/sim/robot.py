# Copyright 2026 the trimodal_ros authors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""
The simulated robot: cameras, joint sensors and trajectory controllers on one clock.

The ROS node and the lockstep loop drive this same class; neither adds behaviour of its own.
Suffix D: the joints as the robot's driver has them, in rad or m.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .controller import TrajectoryController
from .demonstrator import JAW_YAW_RAD, OPEN_RAD, REST_M
from .kinematics import Kinematics
from .layout import Layout
from .scene import Scene
from .scene_file import shipped_scene
from .world import PHYSICS_STEP_S, World
from ..command.message import MessageTypes
from ..command.playback import JointReference
from ..record.sensor_messages import image_message, joint_state_message
from ..spec import NS_PER_S

PHYSICS_STEP_NS = round(PHYSICS_STEP_S * NS_PER_S)
START_SPREAD_M = 0.02


@lru_cache(maxsize=1)
def kinematics(scene: Scene) -> Kinematics:
    """Return the arm's kinematics; compiled once, and for one thread only."""
    return Kinematics(scene)


def start_position_D(scene: Scene, layout: Layout | None) -> np.ndarray:
    """
    Return the joints that an episode starts at.

    On a laid table that is near rest, and never the same for two seeds.
    """
    if layout is None:
        return scene.home_D
    rng = np.random.default_rng([layout.seed, 1])
    offset_m = rng.uniform(-START_SPREAD_M, START_SPREAD_M, 3) * [1.0, 1.0, 0.0]
    yaw = JAW_YAW_RAD + rng.uniform(-0.3, 0.3)
    return kinematics(scene).reach(np.array(REST_M) + offset_m, yaw, OPEN_RAD)


class SimulatedRobot:
    """Time only moves in ``advance``; stamps are ``now_ns`` in the caller's clock."""

    def __init__(self, types: MessageTypes, scene: Scene | None = None):
        """Build a scene; without one, that of the shipped policy."""
        self.scene = scene or shipped_scene()
        self.world = World(self.scene)
        self.controllers = {
            group.topic: TrajectoryController(
                list(self.scene.robot.parts[group.topic].commanded_names),
                **self.scene.controller_rules(group.topic))
            for group in self.scene.robot.groups}
        self.now_ns = 0
        self.layout, self._noise = None, np.random.default_rng(0)
        self._types = types
        names = self.joint_names
        self._index = {topic: [names.index(name) for name in controller.joint_names]
                       for topic, controller in self.controllers.items()}
        self._leader_D, self._ratio_D = self._leaders()

    def _leaders(self) -> tuple[list[int], np.ndarray]:
        """Return which joint each follows, itself or the first finger, and how far."""
        leader, ratio, names = [], [], self.joint_names
        for joint in self.scene.robot.joints:
            first = joint.driven[0]
            leader += [names.index(first.joint)] * len(joint.driven)
            ratio += [finger.factor / first.factor for finger in joint.driven]
        return leader, np.array(ratio)

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self.world.joint_names

    def reset(self, layout: Layout | None, now_ns: int) -> None:
        """Lay the table if the scene has one, the robot at rest, the clock at ``now_ns``."""
        self.layout, self.now_ns = layout, now_ns
        self._noise = np.random.default_rng([layout.seed if layout else 0, 2])
        start_D = start_position_D(self.scene, layout)
        self.world.reset(start_D, layout)
        for topic, controller in self.controllers.items():
            controller.start(start_D[self._index[topic]], now_ns)

    def advance(self, until_ns: int) -> None:
        """Step the physics until the clock reaches ``until_ns``."""
        while self.now_ns + PHYSICS_STEP_NS <= until_ns:
            self.now_ns += PHYSICS_STEP_NS
            self.world.step(self.command_D)

    @property
    def command_D(self) -> np.ndarray:
        """What the servos are told: fingers follow the one that is commanded."""
        command_D = np.empty(len(self.joint_names))
        for topic, controller in self.controllers.items():
            command_D[self._index[topic]] = controller.reference(self.now_ns).position_J
        return command_D[self._leader_D] * self._ratio_D

    def command(self, topic: str, message) -> None:
        """Take a JointTrajectory as the controller would. Raises Refused with its reason."""
        index = self._index[topic]
        measured = JointReference(self.now_ns, self.world.position_D[index],
                                  self.world.velocity_D[index])
        self.controllers[topic].accept(message, self.now_ns, measured)

    def image(self, camera: str):
        """Return a sensor_msgs/Image of what a camera sees now."""
        image = self.world.render(camera)
        # No two frames of a real sensor are equal: its noise is the lowest bit here.
        noise = np.frombuffer(self._noise.bytes(image.size), np.uint8) & 1
        return image_message(image ^ noise.reshape(image.shape), self.now_ns, camera, self._types)

    def joint_state(self, order=None):
        """Return a sensor_msgs/JointState; ``order`` permutes its joints, as drivers may."""
        order = range(len(self.joint_names)) if order is None else order
        names = [self.joint_names[index] for index in order]
        return joint_state_message(
            names, self.world.position_D[list(order)], self.world.velocity_D[list(order)],
            self.now_ns, self._types)

    def is_done(self) -> bool:
        """Tell whether the layout's task is done; never without a table."""
        return self.layout is not None and self.world.table.is_done(self.layout.task)
