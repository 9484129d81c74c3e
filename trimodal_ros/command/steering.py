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

"""From what a person asks for to joint velocities, in the mode that was chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .cartesian import CartesianJog
from .jog import Pace
from .leader import Leader
from .playback import JointReference
from .stick import Stick
from ..spec import RobotSpec

JOINT, CARTESIAN, LEADER = MODES = ('joint', 'cartesian', 'leader')
SHARE = 0.9     # of a joint's velocity limit, where that is all there is to go by


@dataclass(frozen=True)
class Speeds:
    """At full stick: of a joint and of a gripper in rad/s, of the tool in m/s and rad/s."""

    joint_rad_s: float = 0.8
    gripper_rad_s: float = 1.5
    tool_m_s: float = 0.12
    tool_rad_s: float = 0.8


class Steering:
    """
    Joint mode always; cartesian mode with a ``cartesian``, leader mode with a ``leader``, which
    needs a stick with a dead-man button.

    Raises ValueError for a first ``mode`` that isn't there.
    """

    def __init__(self, robot: RobotSpec, speeds: Speeds | None = None, pace: Pace | None = None,
                 mode: str = JOINT, cartesian: CartesianJog | None = None,
                 leader: Leader | None = None):
        self.robot, self.speeds, self.pace = robot, speeds or Speeds(), pace or Pace()
        self.cartesian, self.leader = cartesian, leader
        there = {JOINT: True, CARTESIAN: cartesian, LEADER: leader}
        self.modes = tuple(name for name in MODES if there[name] is not None)
        if mode not in self.modes:
            raise ValueError(f'mode {mode!r} is not one of {", ".join(self.modes)}: cartesian '
                             'needs tool_frame and urdf, leader needs leader')
        self.mode = mode

    def next_mode(self) -> None:
        """Go on to the next mode."""
        self.mode = self.modes[(self.modes.index(self.mode) + 1) % len(self.modes)]

    def begin(self, position_J: np.ndarray) -> None:
        """Begin to steer where the joints are commanded (rad)."""
        if self.cartesian is not None:
            self.cartesian.begin(position_J)
        if self.leader is not None:
            self.leader.is_followed = False

    def is_asked(self, stick: Stick) -> bool:
        """Tell whether the person commands: holds the button, or where there is none, moves."""
        if stick.deadman is not None:
            return stick.deadman
        moved = stick.joint_J if self.mode == JOINT else stick.twist_6
        return bool(moved.any() or stick.gripper_J.any())

    def velocity_J(self, stick: Stick, lead: list[JointReference], now_ns: int) -> np.ndarray:
        """
        Return the velocity (rad/s) that is asked for at the end of ``lead``.

        Raises NotReady where a leader can't be followed.
        """
        if self.mode == LEADER:
            return self.leader.velocity_J(lead, now_ns, self.pace)
        full_J = self._full_J()
        gripper_J = full_J * stick.gripper_J
        if self.mode == JOINT:
            return full_J * stick.joint_J + gripper_J
        scale_6 = np.repeat([self.speeds.tool_m_s, self.speeds.tool_rad_s], 3)
        twist_6 = scale_6 * stick.twist_6
        if not twist_6.any():
            return gripper_J
        arm_J = self.cartesian.velocity_J(lead[-1].position_J, twist_6)
        return self._slowed(arm_J) + gripper_J

    def _full_J(self) -> np.ndarray:
        """
        Return the velocity of each joint at full stick, in its unit.

        One in m is as fast as the tool; a gripper that isn't in rad has no speed of its own among
        the parameters and takes what its limit leaves.
        """
        speeds, joints = self.speeds, self.robot.joints
        full_J = np.array([
            speeds.gripper_rad_s if joint.gripper and joint.unit == 'rad' else
            np.inf if joint.gripper or joint.unit == 'percent' else
            speeds.tool_m_s if joint.unit == 'm' else speeds.joint_rad_s for joint in joints])
        return np.where(np.isinf(full_J), SHARE * self.robot.velocity_J, full_J)

    def _slowed(self, arm_J: np.ndarray) -> np.ndarray:
        """Return the tool's motion slowed down, not bent, where a joint would be too fast."""
        most_J = np.minimum(2 * self.speeds.joint_rad_s, SHARE * self.robot.velocity_J)
        return arm_J / max(1.0, (np.abs(arm_J) / most_J).max())

    @property
    def together_J(self) -> np.ndarray | None:
        """Joints that slow down alike at a limit, so that the tool keeps its direction."""
        return ~self.robot.is_gripper_J if self.mode == CARTESIAN else None
