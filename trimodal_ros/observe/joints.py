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

"""A sensor_msgs/JointState as positions in spec order."""

from __future__ import annotations

import numpy as np

from ..spec import RobotSpec


class JointStateError(ValueError):
    """
    A joint state the robot's joints cannot be read from.

    One that is ``partial`` leaves joints out: others may publish on the topic too.
    """

    def __init__(self, message: str, partial: bool = False):
        super().__init__(message)
        self.partial = partial


def decode_joints(message, robot: RobotSpec) -> np.ndarray:
    """
    Return measured positions [J] in rad; the message may name more joints, in any order.

    Raises JointStateError for a joint that is missing, named twice or not finite.
    """
    names = list(message.name)
    if len(message.position) != len(names):
        raise JointStateError(
            f'joint_states: {len(names)} names but {len(message.position)} positions')
    position_J = np.empty(len(robot.joints))
    for index, joint in enumerate(robot.joint_names):
        if joint not in names:
            raise JointStateError(f'joint_states: joint {joint!r} is missing; got {names}',
                                  partial=True)
        if names.count(joint) != 1:
            raise JointStateError(f'joint_states: joint {joint!r} is named more than once; '
                                  f'got {names}')
        position_J[index] = message.position[names.index(joint)]
        if not np.isfinite(position_J[index]):
            raise JointStateError(f'joint_states: joint {joint!r} is {position_J[index]}')
    return position_J
