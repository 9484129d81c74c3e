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
One decision: observe, plan, and what of it may be commanded now.

The live node and the lockstep simulator decide with this same class. Safe to feed from one
thread while another decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import threading
import time

import numpy as np

from .chunk import ExpiredError, hold_trajectory, join_chunk, reference_ahead
from .limits import check_limits, LimitError
from .playback import CommandedMotion
from ..observe.observer import MaxAge, NotReady, Observer
from ..spec import NS_PER_S, Observation, RobotSpec, SpecError, Trajectory

MAX_COMMAND_AGE_S = 0.25
# The simulated arm lags by up to 0.19 rad in demonstrations and 0.22 rad under a trained policy.
MAX_TRACKING_ERROR_RAD = 0.5
Planner = Callable[[Observation], 'Trajectory | None']


class TrackingError(Exception):
    """An arm that is not where it was commanded to be; the message names joint and values."""


@dataclass(frozen=True)
class Decision:
    """
    What came of one observation.

    ``trajectory`` may be sent (None: go on as before); ``refusal`` says why the plan may not be.
    ``stages_ms`` are 'observe', 'model' and 'command'.
    """

    observation: Observation
    trajectory: Trajectory | None
    refusal: str
    stages_ms: Mapping[str, float]


class Pilot:
    """
    Holds what was observed and commanded; ``clock`` returns nanoseconds.

    An arm further than ``max_tracking_error_rad`` from its command doesn't follow it: it was
    stopped, moved or commanded by somebody else. What goes out then is a hold where the arm is.
    """

    def __init__(self, robot: RobotSpec, planner: Planner, clock: Callable[[], int],
                 max_age: MaxAge | None = None, max_command_age_s: float = MAX_COMMAND_AGE_S,
                 max_tracking_error_rad: float = MAX_TRACKING_ERROR_RAD):
        self.robot, self.planner, self.clock = robot, planner, clock
        self.max_command_age_s = max_command_age_s
        self.max_tracking_error_rad = max_tracking_error_rad
        self.observer, self.commanded = Observer(robot, max_age), CommandedMotion()
        self.lock = threading.RLock()

    def decide(self) -> Decision:
        """
        Observe, plan and check.

        Raises NotReady or ImageError when there is nothing to decide on, or no instruction;
        whatever the planner raises goes through. A plan that is late is dropped; one that is
        outside the limits, not finite or for an arm that has left its command becomes a hold.
        """
        started = time.perf_counter()
        with self.lock:
            if not self.observer.instruction:
                raise NotReady('no instruction')
            observation = self.observer.observe(self.clock(), self.commanded.position_at)
        observed = time.perf_counter()
        trajectory, refusal = None, ''
        try:
            planned = self.planner(observation)
        except SpecError as error:  # not finite, or of another shape
            planned, refusal = None, str(error)
            trajectory = self.hold()
        thought = time.perf_counter()
        if planned is not None:
            trajectory, refusal = self._command(planned, observation)
        ended = time.perf_counter()
        stages_ms = {'observe': 1e3 * (observed - started), 'model': 1e3 * (thought - observed),
                     'command': 1e3 * (ended - thought)}
        return Decision(observation, trajectory, refusal, stages_ms)

    def _command(self, planned: Trajectory, observation: Observation):
        now_ns = self.clock()
        age_s = (now_ns - observation.stamp_ns) / NS_PER_S
        if age_s > self.max_command_age_s:
            return None, (f'late: the image is {age_s:.3f} s old, '
                          f'at most {self.max_command_age_s} s is allowed')
        try:
            with self.lock:
                self._check_tracking(now_ns)
                before = reference_ahead(self.commanded, now_ns, observation.position_J)
            trajectory = join_chunk(planned, before, now_ns)
            check_limits(trajectory)
        except ExpiredError as error:
            return None, str(error)
        except (LimitError, TrackingError) as error:
            return self.hold(), str(error)
        return trajectory, ''

    def _check_tracking(self, now_ns: int) -> None:
        """
        Raise TrackingError where the arm isn't where it was commanded to be.

        A gripper is left out: what it holds keeps it open.
        """
        measured = self.observer.newest_joints(now_ns)
        commanded_J = None if measured is None else self.commanded.position_at(measured[0])
        if commanded_J is None:
            return
        error_J = np.abs(measured[1] - commanded_J) * ~self.robot.is_gripper_J
        worst = error_J.argmax()
        if error_J[worst] > self.max_tracking_error_rad:
            raise TrackingError(
                f'joint {self.robot.joint_names[worst]!r}: measured {measured[1][worst]:.3f} rad, '
                f'commanded {commanded_J[worst]:.3f} rad, at most {self.max_tracking_error_rad} '
                'rad apart is allowed; starting again from where the arm is')

    def _follows(self, now_ns: int) -> bool:
        try:
            self._check_tracking(now_ns)
        except TrackingError:
            return False
        return True

    def sent(self, trajectory: Trajectory) -> None:
        """Note that a trajectory was published now."""
        now_ns = self.clock()
        with self.lock:
            if not self._follows(now_ns):
                self.commanded.clear()
            measured_J = self.observer.newest_position_J(now_ns)
            if measured_J is None:
                measured_J = trajectory.position_TJ[0]
            self.commanded.send(trajectory, now_ns, measured_J)

    def hold(self) -> Trajectory | None:
        """
        Return the trajectory that brakes now, or None when no joint position is known.

        It brakes from what is commanded, or keeps an arm that has left that where it is.
        """
        now_ns = self.clock()
        with self.lock:
            measured_J = self.observer.newest_position_J(now_ns)
            if measured_J is None and self.commanded.reference(now_ns) is None:
                return None
            commanded = self.commanded if self._follows(now_ns) else CommandedMotion()
            return hold_trajectory(self.robot, reference_ahead(commanded, now_ns, measured_J))

    def forget(self) -> Trajectory | None:
        """
        Forget all that bears a stamp, the instruction not; return a hold where the arm is.

        None when nothing was commanded, or no joint position is known.
        """
        with self.lock:
            was_commanded = self.commanded.newest_length > 0
            self.commanded.clear()
            hold = self.hold() if was_commanded else None
            self.observer.clear()
            return hold

    @property
    def is_moving(self) -> bool:
        """Tell whether what was sent last still has points to come, even if it rests just now."""
        with self.lock:
            return self.commanded.end_ns > self.clock()

    @property
    def is_braking(self) -> bool:
        """Tell whether the newest trajectory sent is a hold."""
        with self.lock:
            return self.commanded.newest_length == 1
