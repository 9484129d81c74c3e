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

"""ROS 2 Jazzy messages without ROS: classes and CDR serialization of ``rosbags``."""

from __future__ import annotations

import numpy as np
from rosbags.typesys import get_typestore, Stores

from ..command.message import MessageTypes

TYPESTORE = get_typestore(Stores.ROS2_JAZZY)
_TYPES = TYPESTORE.types


def message_class(name: str) -> type:
    """Return a message class by its ROS name, such as ``sensor_msgs/msg/Image``."""
    return _TYPES[name]


BAG_TYPES = MessageTypes(
    Time=_TYPES['builtin_interfaces/msg/Time'],
    Duration=_TYPES['builtin_interfaces/msg/Duration'],
    Header=_TYPES['std_msgs/msg/Header'],
    String=_TYPES['std_msgs/msg/String'],
    Image=_TYPES['sensor_msgs/msg/Image'],
    JointState=_TYPES['sensor_msgs/msg/JointState'],
    JointTrajectory=_TYPES['trajectory_msgs/msg/JointTrajectory'],
    JointTrajectoryPoint=_TYPES['trajectory_msgs/msg/JointTrajectoryPoint'],
    floats=lambda values: np.asarray(values, dtype=np.float64),
    octets=lambda values: np.frombuffer(values, dtype=np.uint8))


def serialize(message) -> bytes:
    """Return the CDR bytes of a message made with BAG_TYPES."""
    return bytes(TYPESTORE.serialize_cdr(message, message.__msgtype__))
