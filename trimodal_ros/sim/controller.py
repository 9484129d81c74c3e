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
The acceptance rules of Jazzy's joint_trajectory_controller (ros2_controllers 4.42).

Read in ``validate_trajectory_msg`` and ``trajectory.cpp``, under any CONTROLLER_RULES. A refused
message changes nothing but the log. As there, names are not checked for duplicates nor values for
being finite. Accelerations, which this package never sends, are checked for length and not played.
"""

from __future__ import annotations

import numpy as np

from ..command.playback import JointReference, Played
from ..observe.stamp import stamp_ns
from ..spec import NS_PER_S
from ..spec.controller import CONTROLLER_RULES


class Refused(ValueError):
    """A message the controller does not accept."""


class TrajectoryController:
    """Plays the newest accepted JointTrajectory by CONTROLLER_RULES, those in ``rules`` apart."""

    def __init__(self, joint_names, **rules: bool):
        self.joint_names, self.rules = tuple(joint_names), {**CONTROLLER_RULES, **rules}
        self._played = None
        self._rest = None

    def start(self, position_J: np.ndarray, now_ns: int) -> None:
        """Hold ``position_J`` (rad), as on activation."""
        self._played, self._rest = None, JointReference.at_rest(now_ns, position_J)

    def reference(self, now_ns: int) -> JointReference:
        """Return what the servos are told now; not limited, and NaN if NaN was accepted."""
        if self._played is None:
            return JointReference.at_rest(now_ns, self._rest.position_J)
        return self._played.sample(now_ns)

    def accept(self, message, now_ns: int, measured: JointReference) -> None:
        """Replace what is played by ``message``. Raises Refused with the controller's reason."""
        self._validate(message, now_ns)
        desired = self.reference(now_ns)
        before = desired if self.rules['interpolate_from_desired_state'] else measured
        still_J = np.zeros(len(self.joint_names))  # as joints left out of a partial goal are
        points = message.points
        self._played = Played(
            stamp_ns(message.header.stamp) or now_ns,
            np.array([stamp_ns(point.time_from_start) / NS_PER_S for point in points]),
            np.array([self._ordered(message.joint_names, point.positions, desired.position_J)
                      for point in points]),
            [self._ordered(message.joint_names, point.velocities, still_J)
             if len(point.velocities) else None for point in points], before)

    def _ordered(self, names, values, missing_J) -> np.ndarray:
        """Return values in the controller's order; joints left out keep ``missing_J``."""
        ordered_J = np.array(missing_J)
        ordered_J[[self.joint_names.index(name) for name in names]] = values
        return ordered_J

    def _validate(self, message, now_ns: int) -> None:
        names = list(message.joint_names)
        if not names:
            raise Refused('empty joint names on incoming trajectory')
        for name in names:
            if name not in self.joint_names:
                raise Refused(f"incoming joint {name!r} does not match the controller's joints")
        if len(names) != len(self.joint_names) and not self.rules['allow_partial_joints_goal']:
            missing = [name for name in self.joint_names if name not in names]
            raise Refused(f'joints on incoming trajectory do not match: {missing} missing')
        if not message.points:
            raise Refused('empty trajectory received')
        self._validate_times(message, now_ns)
        for index, point in enumerate(message.points):
            self._validate_point(point, index, len(names))
        last = np.asarray(message.points[-1].velocities)
        if np.any(np.abs(last) > np.finfo(np.float32).eps) and not self.rules[
                'allow_nonzero_velocity_at_trajectory_end']:
            raise Refused('velocity of last trajectory point is not zero')

    @staticmethod
    def _validate_times(message, now_ns: int) -> None:
        stamp = stamp_ns(message.header.stamp)
        times_ns = [stamp_ns(point.time_from_start) for point in message.points]
        if stamp and stamp + times_ns[-1] < now_ns:
            late_s = (now_ns - stamp - times_ns[-1]) / NS_PER_S
            raise Refused(f'received trajectory with end time {late_s:.3f} s in the past')
        for index in range(1, len(times_ns)):
            if times_ns[index] <= times_ns[index - 1]:
                raise Refused(f'time between points {index - 1} and {index} is not '
                              'strictly increasing')

    @staticmethod
    def _validate_point(point, index: int, joints: int) -> None:
        if len(point.positions) != joints:
            raise Refused(f'point {index}: mismatch between joint names ({joints}) and '
                          f'positions ({len(point.positions)})')
        for field in ('velocities', 'accelerations'):
            if len(getattr(point, field)) not in (0, joints):
                raise Refused(f'point {index}: mismatch between joint names ({joints}) and '
                              f'{field} ({len(getattr(point, field))})')
        if len(point.effort):
            raise Refused(f'point {index}: trajectories with effort fields are not supported')
