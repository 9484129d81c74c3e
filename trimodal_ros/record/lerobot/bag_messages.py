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
Frames of a dataset as the messages a robot would have sent and been sent.

Shapes: N frames, J joints.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from .episode_numbers import Numbers
from .settings import ImageForm
from ..compress import jpeg_message
from ..messages import BAG_TYPES, serialize
from ..qos import LATCHED
from ..sample import COMPRESSED_IMAGE, IMAGE
from ..sensor_messages import image_message, joint_state_message
from ..writer import EpisodeWriter
from ...command.message import to_messages
from ...spec import CameraSpec, NS_PER_S, RobotSpec, Trajectory
from ...spec.camera import COMPRESSED_SUFFIX

JPEG_QUALITY = 95


class FrameMessages:
    """Writes frames to an episode, with the trajectories that command their actions."""

    def __init__(self, writer: EpisodeWriter, robot: RobotSpec, cameras: Sequence[CameraSpec],
                 images: ImageForm, step_ns: int):
        self._writer, self._robot, self._cameras = writer, robot, cameras
        self._images, self._step_ns, self._told = images, step_ns, None
        self._targets: deque[tuple[int, np.ndarray]] = deque()  # commanded, not yet reached
        for camera in cameras:
            writer.add_topic(self._topic(camera), IMAGE if self._is_raw(camera)
                             else COMPRESSED_IMAGE)
        writer.add_topic('joint_states', 'sensor_msgs/msg/JointState')
        writer.add_topic('instruction', 'std_msgs/msg/String', [LATCHED])
        for group in robot.groups:
            writer.add_topic(group.topic, 'trajectory_msgs/msg/JointTrajectory')

    def _topic(self, camera: CameraSpec) -> str:
        return camera.topic + (COMPRESSED_SUFFIX if self._images == 'jpeg'
                               and not camera.is_compressed else '')

    def _is_raw(self, camera: CameraSpec) -> bool:
        return self._images == 'raw' and not camera.is_compressed

    def write(self, numbers: Numbers, frame: int, images: Mapping[str, np.ndarray]) -> None:
        """Write a frame; ``images`` are RGB uint8 [H, W, 3], of the cameras that have one."""
        received = numbers.received_ns(frame)
        if numbers.sentences[frame] != self._told:
            self._told = numbers.sentences[frame]
            self._send('instruction', received, BAG_TYPES.String(data=self._told))
        stamp = int(numbers.stamps_ns['joints'][frame])
        measured = self._robot.on_topics(numbers.state_NJ[frame])
        self._send('joint_states', received, joint_state_message(
            list(measured), list(measured.values()), [], stamp, BAG_TYPES), stamp)
        for camera in self._cameras:
            if camera.name in images:
                stamp = int(numbers.stamps_ns[camera.name][frame])
                self._send(self._topic(camera), received, self._image(
                    images[camera.name], stamp, camera), stamp)
        self._command(int(numbers.stamps_ns['observation'][frame]), received,
                      numbers.action_NJ[frame])

    def _send(self, topic: str, received: int, message, stamp: int | None = None) -> None:
        self._writer.write(topic, received, serialize(message), stamp)

    def _image(self, image: np.ndarray, stamp: int, camera: CameraSpec):
        if self._is_raw(camera):
            return image_message(image, stamp, camera.name, BAG_TYPES)
        return jpeg_message(image, BAG_TYPES.header(stamp, camera.name), JPEG_QUALITY)

    def _command(self, stamp: int, received: int, action_J: np.ndarray) -> None:
        """
        Command the position one step after the frame.

        Targets that lie ahead still are kept as points: each is reached at its time exactly,
        however the stamps jitter.
        """
        reach = stamp + self._step_ns
        received = min(received, reach - 1)
        while self._targets and self._targets[0][0] <= received:
            self._targets.popleft()
        self._targets.append((reach, action_J))
        time_s_T = [(time_ns - stamp) / NS_PER_S for time_ns, _ in self._targets]
        trajectory = Trajectory(self._robot, stamp, time_s_T,
                                np.stack([position_J for _, position_J in self._targets]))
        for topic, message in to_messages(trajectory, BAG_TYPES).items():
            self._send(topic, received, message, stamp)


def runs_of(sentences: Sequence[str]) -> Iterator[tuple[int, int]]:
    """
    Yield first and end of each run of equal sentences.

    >>> list(runs_of(['pick', 'pick', 'place']))
    [(0, 2), (2, 3)]
    """
    first = 0
    for frame in range(1, len(sentences) + 1):
        if frame == len(sentences) or sentences[frame] != sentences[first]:
            yield first, frame
            first = frame
