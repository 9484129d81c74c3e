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

"""What sensors send, in the message classes of either client library."""

from __future__ import annotations

import numpy as np

from ..command.message import MessageTypes


def image_message(image: np.ndarray, stamp: int, frame_id: str, types: MessageTypes):
    """Return a sensor_msgs/Image of RGB uint8 [H, W, 3]."""
    height, width, channels = image.shape
    return types.Image(
        header=types.header(stamp, frame_id), height=height, width=width, encoding='rgb8',
        is_bigendian=0, step=width * channels, data=types.octets(image.tobytes()))


def joint_state_message(names, position_J, velocity_J, stamp: int, types: MessageTypes):
    """Return a sensor_msgs/JointState; efforts stay empty."""
    return types.JointState(
        header=types.header(stamp), name=list(names), position=types.floats(position_J),
        velocity=types.floats(velocity_J), effort=types.floats([]))
