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

"""A second arm that a person moves, and the robot follows joint by joint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args, Literal

import numpy as np

from .jog import Pace, velocity_towards
from .playback import JointReference
from ..observe.freshness import Freshness
from ..observe.observer import NotReady, Observer
from ..spec import RobotSpec

FarLeader = Literal['approach', 'refuse']
STEADY_RAD, STEADY_RAD_S = 1e-3, 1e-3   # nearer and slower, a follower is where its leader is


@dataclass(frozen=True)
class LeaderRules:
    """
    How a leader is followed.

    Until every joint has been within ``near_rad`` of the leader's, the robot comes to it at
    ``approach_rad_s``, or with ``far`` 'refuse' waits for the leader to come to it; from then on
    it follows at up to ``speed_rad_s``, until it is further than ``lost_rad`` away.
    """

    near_rad: float = 0.1
    lost_rad: float = 0.6
    far: FarLeader = 'approach'
    approach_rad_s: float = 0.3
    speed_rad_s: float = 2.0
    max_age_s: float = 0.25

    def __post_init__(self):
        if self.far not in get_args(FarLeader):
            raise ValueError(f'leader_far {self.far!r} is not one of '
                             f'{", ".join(get_args(FarLeader))}')
        if not self.near_rad < self.lost_rad:
            raise ValueError(f'leader_near_rad {self.near_rad} must be below '
                             f'leader_lost_rad {self.lost_rad}')


class Leader:
    """A leader with the robot's joint names; ``is_followed`` once the robot has come to it."""

    def __init__(self, robot: RobotSpec, rules: LeaderRules):
        self.rules, self.is_followed = rules, False
        self._robot, self._observer = robot, Observer(robot, Freshness(rules.max_age_s))

    def on_joints(self, message) -> None:
        """Store joints of the leader. Raises JointStateError, and then keeps nothing."""
        self._observer.add_joints(message)

    def forget(self) -> None:
        """Forget all that bears a stamp, and approach it anew."""
        self._observer.clear()
        self.is_followed = False

    def velocity_J(self, lead: list[JointReference], now_ns: int, pace: Pace) -> np.ndarray:
        """
        Return the velocity (rad/s) towards the leader, 0 where the robot is there.

        Raises NotReady for a leader that is stale, unusable or too far away.
        """
        self._check(now_ns)
        start, target_J = lead[-1], self._observer.newest_position_J(now_ns)
        target_J = np.clip(target_J, self._robot.lower_J, self._robot.upper_J)
        away_J = np.abs(target_J - start.position_J)
        self._judge(away_J)
        if away_J.max() < STEADY_RAD and np.abs(start.velocity_J).max() < STEADY_RAD_S:
            return np.zeros_like(target_J)
        speed = self.rules.speed_rad_s if self.is_followed else self.rules.approach_rad_s
        return velocity_towards(lead, target_J, np.full_like(target_J, speed), pace)

    def _check(self, now_ns: int) -> None:
        try:
            self._observer.check_joints(now_ns)
        except NotReady as error:
            self.is_followed = False
            raise NotReady(f'leader: {error.what}', error.reason) from error

    def _judge(self, away_J: np.ndarray) -> None:
        worst, rules = int(away_J.argmax()), self.rules
        if away_J[worst] > (rules.lost_rad if self.is_followed else rules.near_rad):
            self.is_followed = False
            if rules.far == 'refuse':
                raise NotReady('leader is far away', (
                    f'joint {self._robot.joint_names[worst]!r} is {away_J[worst]:.2f} rad from '
                    f'the robot, at most {rules.near_rad} rad is allowed; bring it there'))
        else:
            self.is_followed = True
