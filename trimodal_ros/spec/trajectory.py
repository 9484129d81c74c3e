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

"""The motion a robot is to make; T steps of a chunk, J joints in spec order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from .arrays import frozen
from .errors import SpecError
from .robot import NS_PER_S, RobotSpec
from .values import check_joints


@dataclass(frozen=True, eq=False)
class Trajectory:
    """
    A planned motion: positions at ``stamp_ns + time_s_T``, joints in spec order.

    Positions are in rad, or the unit of the joint. Times strictly increase; ``velocity_TJ`` (the
    same a second) may be None. Non-finite values are refused.
    ``alignment`` says how well the plan lies with what was seen and said: cosines by name.
    """

    robot: RobotSpec
    stamp_ns: int
    time_s_T: np.ndarray
    position_TJ: np.ndarray
    velocity_TJ: np.ndarray | None = None
    alignment: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self):
        time_s_T = np.asarray(self.time_s_T, dtype=np.float64)
        if time_s_T.ndim != 1 or len(time_s_T) == 0:
            raise SpecError(f'a trajectory needs at least one step, got times {time_s_T.shape}')
        if not np.all(np.diff(time_s_T) > 0) or not np.all(np.isfinite(time_s_T)):
            raise SpecError('trajectory times are not finite and strictly increasing')
        object.__setattr__(self, 'time_s_T', frozen(time_s_T))
        object.__setattr__(self, 'alignment', MappingProxyType(dict(self.alignment)))
        for name in ('position_TJ', 'velocity_TJ'):
            value = getattr(self, name)
            if value is None and name == 'velocity_TJ':
                continue
            value = np.asarray(value, dtype=np.float64)
            if value.shape != (len(time_s_T), len(self.robot.joints)):
                raise SpecError(f'{name} has shape {value.shape}, expected '
                                f'({len(time_s_T)}, {len(self.robot.joints)})')
            if not np.isfinite(value).all():
                for step in value:
                    check_joints(self.robot, name, step)
            object.__setattr__(self, name, frozen(value))

    @classmethod
    def of_chunk(cls, robot: RobotSpec, stamp_ns: int, position_TJ: np.ndarray,
                 alignment: Mapping[str, float] = MappingProxyType({})) -> Trajectory:
        """Return a chunk as a motion: step k at the stamp plus (k + 1) steps of the robot."""
        time_s_T = (1 + np.arange(len(position_TJ))) / robot.rate_hz
        return cls(robot, stamp_ns, time_s_T, position_TJ, alignment=alignment)

    @classmethod
    def make_example(cls, robot: RobotSpec | None = None) -> Trajectory:
        robot = robot or RobotSpec.make_example()
        middle_J = (robot.lower_J + robot.upper_J) / 2
        return cls.of_chunk(robot, NS_PER_S, np.tile(middle_J, (robot.horizon, 1)))
