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
Binary grippers: of whatever is planned for them, open or closed is commanded.

They go from one to the other within their limits, as any joint, and stay there. Positions at a
limit are commanded a little inside.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .clamp import follow
from .limits import TOLERANCE
from .playback import JointReference
from ..spec import NS_PER_S, RobotSpec, Trajectory

# Of the limits on the way: the spline through a chunk's points swings beyond those between them.
VELOCITY_SHARE, ACCELERATION_SHARE = 0.6, 0.2
MARGIN_SHARE = 0.005   # of the range, kept from a position limit: it swings beyond its ends, too


class BinaryGrippers:
    """Remembers, for the hysteresis, what was decided of each; lock outside."""

    def __init__(self, robot: RobotSpec):
        names = tuple(joint.name for joint in robot.joints if joint.binary)
        self._index = [robot.joint_names.index(name) for name in names]
        self._decided: list[tuple[int, list[bool]]] = []   # when, and which are open from then on
        self._slow = None if not names else _slowed(robot.only(names))
        self._grippers = [joint.binary for joint in robot.joints if joint.binary]
        if names:
            room_G = MARGIN_SHARE * (self._slow.upper_J - self._slow.lower_J)
            lower_G, upper_G = self._slow.lower_J + room_G, self._slow.upper_J - room_G
            self._open_G, self._closed_G = (
                np.clip([getattr(gripper, end) for gripper in self._grippers], lower_G, upper_G)
                for end in ('open', 'closed'))

    def forget(self) -> None:
        """Take each for what its position is nearer to."""
        self._decided = []

    def snap(self, planned: Trajectory, lead: list[JointReference]) -> Trajectory:
        """
        Return a plan with binary grippers on their way to open or closed.

        They leave what is commanded at the end of ``lead``. Raises LimitError where there is no
        way within the limits.
        """
        if not self._index:
            return planned
        start = lead[-1]
        target_TG = self._targets(planned, start)
        start_s = (start.time_ns - planned.stamp_ns) / NS_PER_S
        own = JointReference(start.time_ns, start.position_J[self._index],
                             start.velocity_J[self._index])
        if _is_there(own, target_TG):
            return _with(planned, self._index, np.broadcast_to(own.position_J, target_TG.shape))
        time_s_S, position_SG, _ = follow(self._slow, own, start_s, planned.time_s_T, target_TG)
        time_s_S = np.concatenate([[start_s], time_s_S])
        position_SG = np.vstack([own.position_J, position_SG])
        return _with(planned, self._index, np.column_stack([
            np.interp(planned.time_s_T, time_s_S, position_S) for position_S in position_SG.T]))

    def _targets(self, planned: Trajectory, start: JointReference) -> np.ndarray:
        """Decide for each step, and note it; return the positions [T, G] to go to."""
        is_open = self._open_at(start)
        past = [entry for entry in self._decided if entry[0] <= start.time_ns][-1:]
        decided, steps = [], []
        for time_s, position_G in zip(planned.time_s_T.tolist(),
                                      planned.position_TJ[:, self._index].tolist()):
            time_ns = planned.stamp_ns + round(time_s * NS_PER_S)
            if time_ns > start.time_ns:   # what expired is not decided again
                is_open = [gripper.is_open(position, was_open) for gripper, position, was_open
                           in zip(self._grippers, position_G, is_open)]
                decided.append((time_ns, is_open))
            steps.append(is_open)
        self._decided = past + decided
        return np.where(steps, self._open_G, self._closed_G)

    def _open_at(self, start: JointReference) -> list[bool]:
        past = [is_open for time_ns, is_open in self._decided if time_ns <= start.time_ns]
        return past[-1] if past else [
            gripper.opening(start.position_J[index]) > 0.5
            for gripper, index in zip(self._grippers, self._index)]


def _is_there(state: JointReference, target_TG: np.ndarray) -> bool:
    """Tell whether joints rest where they are to be, all the time."""
    return not state.velocity_J.any() and bool(
        (np.abs(target_TG - state.position_J) < TOLERANCE).all())


def _with(planned: Trajectory, index: list[int], position_TG: np.ndarray) -> Trajectory:
    position_TJ = planned.position_TJ.copy()
    position_TJ[:, index] = position_TG
    return replace(planned, position_TJ=position_TJ)


def _slowed(robot: RobotSpec) -> RobotSpec:
    return replace(robot, joints=tuple(
        replace(joint, velocity=VELOCITY_SHARE * joint.velocity,
                acceleration=ACCELERATION_SHARE * joint.acceleration) for joint in robot.joints))
