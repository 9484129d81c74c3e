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

"""Values of a robot's joints, checked once and then read-only."""

from __future__ import annotations

import numpy as np

from .errors import SpecError
from .robot import RobotSpec


def check_joints(robot: RobotSpec, what: str, value_J: np.ndarray) -> None:
    if value_J.shape != (len(robot.joints),):
        raise SpecError(f'{what} has shape {value_J.shape}, expected ({len(robot.joints)},)')
    for joint, value in zip(robot.joints, value_J):
        if not np.isfinite(value):
            raise SpecError(f'{what}: joint {joint.name!r} is {value}, not a finite number')
