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
The simulated robot: cameras, joint sensors and a trajectory controller on one clock.

The ROS node and the lockstep loop drive this same class; neither adds behaviour of its own.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .controller import TrajectoryController
from .demonstrator import JAW_YAW_RAD, OPEN_RAD, REST_M
from .kinematics import Kinematics
from .layout import Layout
from .world import PHYSICS_STEP_S, World
from ..command.message import MessageTypes
from ..command.playback import JointReference
from ..record.sensor_messages import image_message, joint_state_message
from ..spec import NS_PER_S

CAMERA_SIZE_PX = {'front': (256, 192), 'wrist': (128, 128)}  # width, height
PHYSICS_STEP_NS = round(PHYSICS_STEP_S * NS_PER_S)
START_SPREAD_M = 0.02


@lru_cache(maxsize=1)
def kinematics() -> Kinematics:
    """Return the arm's kinematics; compiled once, and for one thread only."""
    return Kinematics()


def start_position_J(seed: int) -> np.ndarray:
    """Return the joints (rad) an episode of this seed starts at: near rest, never the same."""
    rng = np.random.default_rng([seed, 1])
    offset_m = rng.uniform(-START_SPREAD_M, START_SPREAD_M, 3) * [1.0, 1.0, 0.0]
    yaw = JAW_YAW_RAD + rng.uniform(-0.3, 0.3)
    return kinematics().reach(np.array(REST_M) + offset_m, yaw, OPEN_RAD)


class SimulatedRobot:
    """Time only moves in ``advance``; stamps are ``now_ns`` in the caller's clock."""

    def __init__(self, types: MessageTypes):
        self.world = World()
        self.controller = TrajectoryController(self.world.joint_names)
        self.now_ns = 0
        self.layout, self._noise = None, np.random.default_rng(0)
        self._types = types

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self.world.joint_names

    def reset(self, layout: Layout, now_ns: int) -> None:
        """Lay the table for ``layout``, the arm at rest, the clock at ``now_ns``."""
        self.layout, self.now_ns = layout, now_ns
        self._noise = np.random.default_rng([layout.seed, 2])
        start_J = start_position_J(layout.seed)
        self.world.reset(layout, start_J)
        self.controller.start(start_J, now_ns)

    def advance(self, until_ns: int) -> None:
        """Step the physics until the clock reaches ``until_ns``."""
        while self.now_ns + PHYSICS_STEP_NS <= until_ns:
            self.now_ns += PHYSICS_STEP_NS
            command_J = self.command_J
            # The servo bus cannot carry a NaN: it keeps its last target.
            self.world.step(np.where(np.isfinite(command_J), command_J, self.world.data.ctrl))

    @property
    def command_J(self) -> np.ndarray:
        return self.controller.reference(self.now_ns).position_J

    def command(self, message) -> None:
        """Take a JointTrajectory as the controller would. Raises Refused with its reason."""
        measured = JointReference(self.now_ns, self.world.position_J, self.world.velocity_J)
        self.controller.accept(message, self.now_ns, measured)

    def image(self, camera: str):
        """Return a sensor_msgs/Image of what a camera sees now."""
        image = self.world.render(camera, *CAMERA_SIZE_PX[camera])
        # No two frames of a real sensor are equal: its noise is the lowest bit here.
        noise = np.frombuffer(self._noise.bytes(image.size), np.uint8) & 1
        return image_message(image ^ noise.reshape(image.shape), self.now_ns, camera, self._types)

    def joint_state(self, order=None):
        """Return a sensor_msgs/JointState; ``order`` permutes its joints, as drivers may."""
        order = range(len(self.joint_names)) if order is None else order
        names = [self.joint_names[index] for index in order]
        return joint_state_message(
            names, self.world.position_J[list(order)], self.world.velocity_J[list(order)],
            self.now_ns, self._types)

    def is_done(self) -> bool:
        """Tell whether the layout's task is done."""
        return self.world.is_done(self.layout.task)
