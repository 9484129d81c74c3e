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
What others publish for a controller, on ``joint_trajectory`` say: it plays it.

rclpy 7.1 doesn't tell a callback which publisher a message came from, so one's own are known by
what they say: two that are equal to the last number mean the same to the controller.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from .message import addressed, from_message
from ..observe.stamp import stamp_ns
from ..spec import NS_PER_S, RobotSpec, SpecError, Trajectory

MAX_POINTS, MAX_NAMES = 10_000, 1000   # of a message of somebody else's
KEPT = 64            # messages of one's own that may still be on their way back
AT_REST_RAD_S = 1e-6


class Others:
    """Tells messages of others from those that were noted as one's own. Lock outside."""

    def __init__(self, robot: RobotSpec):
        self._robot = robot
        self._own = {}  # by joints: messages to two controllers may overtake each other

    def note_own(self, message) -> None:
        """Note a message before it is published."""
        self._own_for(message).append(_content(message))

    def _own_for(self, message) -> deque:
        return self._own.setdefault(tuple(message.joint_names), deque(maxlen=KEPT))

    def trajectory_of(self, message, now_ns: int) -> Trajectory | None:
        """
        Return what somebody else commands, None for a message of one's own.

        Raises SpecError for one that the controller refuses.
        """
        for what, got, most in (('points', len(message.points), MAX_POINTS),
                                ('joints', len(message.joint_names), MAX_NAMES)):
            if got > most:
                raise SpecError(f'{got} {what}, at most {most} are taken')
        own = self._own.get(tuple(message.joint_names), ())
        content = _content(message) if own else None
        if content in own:
            while own.popleft() != content:  # those before it were lost
                pass
            return None
        return accepted(message, self._robot, now_ns)


def accepted(message, robot: RobotSpec, now_ns: int) -> Trajectory:
    """
    Return what a controller that gets a message now plays; one without a stamp starts now.

    It is of the joints of that one of the robot's controllers.

    Raises SpecError for one that it refuses: for other joints, malformed, over already or not
    ending at rest.
    """
    trajectory = from_message(message, addressed(message, robot))
    if not trajectory.stamp_ns:
        trajectory = replace(trajectory, stamp_ns=now_ns)
    late_s = (now_ns - trajectory.stamp_ns) / NS_PER_S - trajectory.time_s_T[-1]
    if late_s > 0:
        raise SpecError(f'the trajectory was over {late_s:.3f} s ago')
    if trajectory.velocity_TJ is not None and np.abs(
            trajectory.velocity_TJ[-1]).max() > AT_REST_RAD_S:
        raise SpecError('the trajectory does not end at rest')
    return trajectory


def _content(message) -> tuple:
    """Return what the controller makes something of, to be compared."""
    numbers = [np.asarray(values, dtype=np.float64).tobytes() for point in message.points
               for values in (point.positions, point.velocities)]
    return (stamp_ns(message.header.stamp), tuple(message.joint_names),
            tuple(stamp_ns(point.time_from_start) for point in message.points), tuple(numbers))
