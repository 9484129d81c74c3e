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


"""Which topics of a recording are whose images."""

from __future__ import annotations

from collections.abc import Collection

from ..spec import RobotSpec
from ..spec.camera import COMPRESSED_SUFFIX


def image_topics(robot: RobotSpec, recorded: Collection[str]) -> dict[str, str]:
    """
    Return the camera of each topic that images are read from: its own topic.

    Where only the compressed images of a raw camera are among ``recorded``, it is their topic.
    """
    topics = {}
    for camera in robot.cameras:
        compressed = camera.topic + COMPRESSED_SUFFIX
        only = camera.topic not in recorded and compressed in recorded
        topics[compressed if only else camera.topic] = camera.name
    return topics
