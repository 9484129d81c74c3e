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
What a joint_trajectory_controller makes of a trajectory, and so what is commanded when.

Follows ``trajectory.cpp::sample`` of ros2_controllers (Jazzy): cubic between two points that
both have velocities, else linear; from the state before the message to the first point; the last
point for ever after.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..spec import NS_PER_S, Trajectory

HISTORY = 16
CLOSEST_S = 1e-5  # two points of one trajectory


@dataclass(frozen=True)
class JointReference:
    """A position (rad) and velocity (rad/s) commanded at one time."""

    time_ns: int
    position_J: np.ndarray
    velocity_J: np.ndarray

    @classmethod
    def at_rest(cls, time_ns: int, position_J) -> JointReference:
        position_J = np.array(position_J, dtype=np.float64)
        return cls(time_ns, position_J, np.zeros_like(position_J))


@dataclass(frozen=True, eq=False)
class Played:
    """
    One accepted trajectory and the reference it took over from; values are not checked.

    ``velocity_T`` has an array [J] in rad/s for each point, or None for a point without.
    """

    start_ns: int
    time_s_T: np.ndarray
    position_TJ: np.ndarray
    velocity_T: Sequence[np.ndarray | None]
    before: JointReference

    def sample(self, time_ns: int) -> JointReference:
        """Return the reference the controller follows at ``time_ns``."""
        time_s = (time_ns - self.start_ns) / NS_PER_S
        end = int(np.searchsorted(self.time_s_T, time_s, side='right'))
        if end == len(self.time_s_T):
            return self._last(time_ns)
        t0, p0, v0 = self._segment_start(end)
        t1, p1, v1 = self.time_s_T[end], self.position_TJ[end], self.velocity_T[end]
        position_J, velocity_J = interpolate(time_s - t0, t1 - t0, p0, v0, p1, v1)
        return JointReference(time_ns, position_J, velocity_J)

    def _last(self, time_ns: int) -> JointReference:
        position_J, velocity_J = self.position_TJ[-1], self.velocity_T[-1]
        return JointReference(
            time_ns, position_J, np.zeros_like(position_J) if velocity_J is None else velocity_J)

    def _segment_start(self, end: int):
        if end > 0:
            return self.time_s_T[end - 1], self.position_TJ[end - 1], self.velocity_T[end - 1]
        before_s = (self.before.time_ns - self.start_ns) / NS_PER_S
        return before_s, self.before.position_J, self.before.velocity_J


def interpolate(time_s, duration_s, p0, v0, p1, v1):
    """Return position and velocity on a segment: cubic Hermite, linear if a velocity is None."""
    if duration_s <= 0:
        return p1, np.zeros_like(p1) if v1 is None else v1
    u = min(max(time_s / duration_s, 0.0), 1.0)
    slope = (p1 - p0) / duration_s
    if v0 is None or v1 is None:
        return p0 + u * (p1 - p0), slope
    c2 = 3 * slope - 2 * v0 - v1
    c3 = v0 + v1 - 2 * slope
    position_J = p0 + duration_s * (v0 * u + c2 * u**2 + c3 * u**3)
    return position_J, v0 + 2 * c2 * u + 3 * c3 * u**2


class CommandedMotion:
    """
    What has been commanded, newest last: trajectories as the controller plays them.

    Assumes ``interpolate_from_desired_state: true``, as the package's set-up asks for.
    """

    def __init__(self):
        self._played = deque(maxlen=HISTORY)

    def __bool__(self) -> bool:
        return bool(self._played)

    def clear(self) -> None:
        """Forget everything, as when another commander has had the robot."""
        self._played.clear()

    def copy(self) -> CommandedMotion:
        """Return what has been commanded until now."""
        other = CommandedMotion()
        other._played.extend(self._played)
        return other

    def send(self, trajectory: Trajectory, now_ns: int, measured_J: np.ndarray) -> None:
        """Note a trajectory sent now; it takes over from what is commanded, or from measured."""
        before = self.reference(now_ns) or JointReference.at_rest(now_ns, measured_J)
        velocity_T = trajectory.velocity_TJ
        self._played.append(Played(
            trajectory.stamp_ns, trajectory.time_s_T, trajectory.position_TJ,
            [None] * len(trajectory.time_s_T) if velocity_T is None else velocity_T, before))

    @property
    def end_ns(self) -> int:
        """Time of the last point of the newest trajectory; 0 before anything was sent."""
        if not self._played:
            return 0
        newest = self._played[-1]
        return newest.start_ns + round(newest.time_s_T[-1] * NS_PER_S)

    def points_between(self, from_ns: int, to_ns: int) -> list[int]:
        """Return the times of the newest trajectory's points in between, both ends left out."""
        if not self._played:
            return []
        newest = self._played[-1]
        times_ns = newest.start_ns + np.round(newest.time_s_T * NS_PER_S).astype(np.int64)
        apart_ns = round(CLOSEST_S * NS_PER_S)
        inside = (times_ns > from_ns + apart_ns) & (times_ns < to_ns - apart_ns)
        return [int(time_ns) for time_ns in times_ns[inside]]

    def reference(self, time_ns: int) -> JointReference | None:
        """Return what is or was commanded at a time; None before anything was."""
        for played in reversed(self._played):
            if played.before.time_ns <= time_ns:
                return played.sample(time_ns)
        return None

    def position_at(self, time_ns: int) -> np.ndarray | None:
        reference = self.reference(time_ns)
        return None if reference is None else reference.position_J
