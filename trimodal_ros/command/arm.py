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
One arm: where it is measured to be, what it is commanded, and the hold that stops it.

Whoever commands it, a policy or a person, goes on from what anybody commanded last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
import threading

import numpy as np

from .chunk import lead_in
from .hold import hold_trajectory
from .playback import CommandedMotion, JointReference
from ..observe.freshness import Freshness
from ..observe.observer import Observer
from ..spec import NS_PER_S, RobotSpec, Trajectory

SETTLED_S = 0.3      # after which an arm at rest is where it is commanded,
MAX_SAG_RAD = 0.1    # but for what its weight bends it
STILL_S, STILL_RAD = 0.2, 0.01  # an arm whose joints are measured so is at rest
Check = Callable[[Trajectory], None]


class Arm:
    """
    Holds what was measured and commanded; ``clock`` returns nanoseconds.

    An arm that left its command was stopped, moved, or commanded by somebody who isn't heard.
    What goes out then is a hold where the arm is. ``check`` may raise a LimitError of its own, as
    a workspace does; ``limit_events`` counts what was refused or clamped, by joint and kind. Safe
    to feed from one thread while another commands.
    """

    def __init__(self, robot: RobotSpec, clock: Callable[[], int], freshness: Freshness,
                 max_tracking_error_rad: float, check: Check = lambda trajectory: None):
        self.robot, self.clock, self.check = robot, clock, check
        self.max_tracking_error_rad = max_tracking_error_rad
        self.observer = Observer(robot, freshness)
        self.commanded = CommandedMotion(robot)
        self.limit_events: Counter[tuple[str, str]] = Counter()
        self.lock = threading.RLock()
        self._is_braking = False

    def _tracking_error_J(self) -> np.ndarray | None:
        """
        Return how far the arm was from its command when it was measured last, in rad, or None.

        A gripper is left out: what it holds keeps it open.
        """
        measured = self.observer.newest_joints(self.clock())
        commanded_J = None if measured is None else self.commanded.position_at(measured.stamp_ns)
        return None if commanded_J is None else (
            (measured.position_J - commanded_J) * ~self.robot.is_gripper_J)

    def stray(self) -> str:
        """Return how the arm is not where it is commanded to be, '' if it is."""
        with self.lock:
            error_J, most_rad = self._tracking_error_J(), self.max_tracking_error_rad
            if error_J is None or np.abs(error_J).max() <= most_rad:
                return ''
            worst = int(np.abs(error_J).argmax())
            measured = self.observer.newest_joints(self.clock()).position_J[worst]
            unit = self.robot.joints[worst].unit
            return (f'joint {self.robot.joint_names[worst]!r}: measured {measured:.3f} {unit}, '
                    f'commanded {measured - error_J[worst]:.3f} {unit}, at most {most_rad} {unit} '
                    'apart is allowed')

    def sent(self, trajectory: Trajectory, is_hold: bool = False) -> None:
        """Note that a trajectory was published now."""
        now_ns = self.clock()
        with self.lock:
            if self.stray():
                self.commanded.clear()
            measured_J = self.observer.newest_position_J(now_ns)
            if measured_J is None:
                if len(trajectory.robot.joints) < len(self.robot.joints) and not self.commanded:
                    return  # of the other joints nothing is known
                measured_J = self._as_if_measured(trajectory)
            self.commanded.send(trajectory, now_ns, measured_J)
            self._is_braking = is_hold

    def _as_if_measured(self, trajectory: Trajectory) -> np.ndarray:
        """Return where a trajectory begins, with what is commanded of joints it doesn't have."""
        first = dict(zip(trajectory.robot.joint_names, trajectory.position_TJ[0]))
        others_J = self.commanded.position_at(self.clock())
        return np.array([first[name] if name in first else others_J[index]
                         for index, name in enumerate(self.robot.joint_names)])

    def overheard(self, trajectory: Trajectory) -> None:
        """Note what somebody else published now: the arm is commanded that."""
        Arm.sent(self, trajectory)

    @property
    def is_known(self) -> bool:
        """Tell whether it is known what the arm is commanded: it was heard, or the arm rests."""
        now_ns = self.clock()
        with self.lock:
            return (self.commanded.reference(now_ns) is not None
                    or self.observer.rests(now_ns, STILL_S, STILL_RAD))

    def hold(self) -> Trajectory | None:
        """
        Return the trajectory that brakes now, or None when no joint position is known.

        It brakes from what is commanded, or keeps an arm that has left that where it is.
        """
        return self._hold()[0]

    def _hold(self) -> tuple[Trajectory | None, int]:
        """Return the hold, and when it leaves what is commanded."""
        now_ns = self.clock()
        with self.lock:
            measured_J = self.observer.newest_position_J(now_ns)
            reference = self.commanded.reference(now_ns)
            if measured_J is None and reference is None:
                return None, 0
            if self.stray():
                return self._hold_at(measured_J, now_ns, reference)
            lead = lead_in(self.commanded, now_ns, measured_J)
            return hold_trajectory(self.robot, lead), lead[-1].time_ns

    def begin_where_the_arm_rests(self, now_ns: int) -> None:
        """
        Forget the command of an arm that rests elsewhere, by more than its weight bends it.

        A controller that was started anew meanwhile is where the arm is, and would be thrown back.
        """
        rests = self.commanded and now_ns > self.commanded.end_ns + round(SETTLED_S * NS_PER_S)
        error_J = self._tracking_error_J() if rests else None
        if error_J is not None and np.abs(error_J).max() > MAX_SAG_RAD:
            self.commanded.clear()

    def forget_what_is_over(self) -> None:
        """Begin where the arm is, when nothing moves it any more and it was taken elsewhere."""
        if not self.is_moving and self.stray():
            self.commanded.clear()
        else:
            self.begin_where_the_arm_rests(self.clock())

    def _hold_at(self, measured_J: np.ndarray, now_ns: int,
                 left: JointReference | None) -> tuple[Trajectory, int]:
        lead = lead_in(CommandedMotion(self.robot), now_ns, measured_J)
        trajectory = hold_trajectory(self.robot, lead, left and replace(left, time_ns=now_ns))
        return trajectory, lead[-1].time_ns

    def forget(self, seen_ns: int) -> Trajectory | None:
        """
        Forget all that bears a stamp; return a hold where the arm is.

        ``seen_ns`` is what the clock showed last. None when nothing was commanded, or no joint
        position is known.
        """
        with self.lock:
            left = self.commanded.reference(seen_ns)
            measured = self.observer.newest_joints(seen_ns)
            self.commanded.clear()
            self.observer.clear()
            if left is None or measured is None:
                return None
            return self._hold_at(measured.position_J, self.clock(), left)[0]

    @property
    def limit_values(self) -> dict[str, str]:
        """Return ``limit_events`` as the values of a diagnostic message."""
        return {f'{joint} {kind}'.strip(): str(count)
                for (joint, kind), count in sorted(self.limit_events.items())}

    @property
    def is_moving(self) -> bool:
        """Tell whether what was sent last still has points to come, even if it rests just now."""
        with self.lock:
            return self.commanded.end_ns > self.clock()

    @property
    def is_braking(self) -> bool:
        """Tell whether the newest trajectory sent is a hold."""
        with self.lock:
            return bool(self.commanded) and self._is_braking
