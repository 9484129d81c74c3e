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
What was commanded in an episode from some stamps on: the labels of a recording.

Shapes: T steps of a chunk, J joints.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
import heapq

import numpy as np

from ..command.playback import CommandedMotion
from ..spec import NS_PER_S, RobotSpec

KEPT_NS = NS_PER_S        # of joint states: images come late, never as late
REST_S, REST_RAD = 0.5, 0.01
FOREVER_NS = 2**63 - 1


class CommandedChunks:
    """
    What was commanded at stamp + k / rate, k = 1..horizon: [T, J] in rad, as time goes on.

    A trajectory replaces the one before it from its receipt on; its last point holds. Where
    nothing is commanded, as all through an episode that was guided by hand, it is the measured
    position: linear between joint states by stamp. Remembers a horizon, whatever the length of
    the episode.
    """

    def __init__(self, robot: RobotSpec, commanded: CommandedMotion):
        self.robot, self.commanded = robot, commanded
        self._asked: deque[int] = deque()               # stamps, in order
        self._times: list[int] = []                     # a heap: still to be sampled
        self._unmeasured: list[int] = []                # nothing commanded, not yet measured
        self._position_J: dict[int, np.ndarray | None] = {}
        self._joints: deque[tuple[int, np.ndarray]] = deque()

    def ask(self, stamp: int) -> None:
        """Want the chunk from a stamp on, none of which was asked for before."""
        self._asked.append(stamp)
        for time_ns in self._steps(stamp):
            if time_ns not in self._position_J:
                self._position_J[time_ns] = None
                heapq.heappush(self._times, time_ns)

    def _steps(self, stamp: int) -> list[int]:
        return [stamp + k * self.robot.step_ns for k in range(1, self.robot.horizon + 1)]

    def measured(self, stamp: int, position_J: np.ndarray) -> None:
        """Note a joint state; those stamped before the newest one are left out."""
        if self._joints and stamp <= self._joints[-1][0]:
            return
        self._joints.append((stamp, position_J))
        needed_ns = min([stamp - KEPT_NS, *self._unmeasured[:1], *self._times[:1]])
        while len(self._joints) > 2 and self._joints[1][0] <= needed_ns:
            self._joints.popleft()

    def advance(self, time_ns: int) -> None:
        """Sample what was commanded before ``time_ns``; call it before anything changes then."""
        while self._times and self._times[0] < time_ns:
            self._sample(heapq.heappop(self._times))
        newest_ns = self._joints[-1][0] if self._joints else 0
        while self._unmeasured and self._unmeasured[0] <= newest_ns:
            self._measure(self._unmeasured.pop(0))

    def _sample(self, time_ns: int) -> None:
        position_J = self.commanded.position_at(time_ns)
        self._position_J[time_ns] = position_J
        if position_J is None:
            self._unmeasured.append(time_ns)

    def _measure(self, time_ns: int) -> None:
        stamps = [stamp for stamp, _ in self._joints]
        after = int(np.searchsorted(stamps, time_ns))
        near = list(self._joints)[max(0, after - 1):after + 1]
        since = [stamp - time_ns for stamp, _ in near]  # ns in float64, exactly
        columns = np.stack([position_J for _, position_J in near], axis=1)
        self._position_J[time_ns] = np.array([np.interp(0, since, column) for column in columns])

    def finished(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield, in order, the stamps whose chunks are known by now, with the chunks [T, J]."""
        while self._asked:
            steps = self._steps(self._asked[0])
            position_TJ = [self._position_J[time_ns] for time_ns in steps]
            if any(position_J is None for position_J in position_TJ):
                return
            for time_ns in [time_ns for time_ns in self._position_J if time_ns <= steps[0]]:
                del self._position_J[time_ns]
            yield self._asked.popleft(), np.stack(position_TJ)

    def end(self, time_ns: int, goes_on: bool = False) -> int:
        """
        Sample the rest as if nothing came after ``time_ns``, the end of the recording.

        Returns until when that is what really happened. A trajectory under way is carried out;
        a robot that rests goes on resting; of any other nobody knows. Of a part, whose recording
        ``goes_on``, nothing is known past its end: something else was commanded there.
        """
        under_way_ns = self.commanded.end_ns
        rests = self._rests(time_ns) and under_way_ns <= time_ns
        while self._times:
            self._sample(heapq.heappop(self._times))
        while self._unmeasured:
            self._measure(self._unmeasured.pop(0))
        if goes_on:
            return time_ns
        return FOREVER_NS if rests else max(time_ns, under_way_ns)

    def rest(self, time_ns: int, goes_on: bool = False) -> Iterator[tuple[int, np.ndarray]]:
        """Yield, at the ``end``, what ``finished`` does; NaN are steps of which nobody knows."""
        known_ns = self.end(time_ns, goes_on)
        for stamp, chunk_TJ in self.finished():
            chunk_TJ[np.array(self._steps(stamp)) > known_ns] = np.nan
            yield stamp, chunk_TJ

    def _rests(self, time_ns: int) -> bool:
        before_ns = time_ns - round(REST_S * NS_PER_S)
        past = [self.commanded.position_at(each) for each in (before_ns, time_ns)]
        if past[1] is None:
            past = [position_J for stamp, position_J in self._joints if stamp >= before_ns]
        return (len(past) > 1 and past[0] is not None
                and np.ptp(np.stack(past), axis=0).max() < REST_RAD)
