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

"""An episode as the live node would have seen it: observations with their labels, or by time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from .episode import EpisodeError
from .motion import commanded_chunks, Sent
from .reader import read_messages
from ..command.message import from_message
from ..command.playback import CommandedMotion
from ..observe.observer import NotReady, Observer
from ..observe.stamp import stamp_ns
from ..spec import NS_PER_S, Observation, RobotSpec, Trajectory


def read_moments(path: Path, robot: RobotSpec,
                 label_topic: str) -> Iterator[tuple[Observation, Trajectory]]:
    """
    Yield one observation for each message on ``label_topic``, with that message.

    Raises EpisodeError where a label has no observation, or is no whole chunk.
    """
    replay = Replay(path, robot)
    for topic, time_ns, message in read_messages(path):
        if topic == label_topic:
            label = from_message(message, robot)
            if len(label.time_s_T) != robot.horizon:
                raise EpisodeError(f'{path}, {time_ns} ns: {len(label.time_s_T)} steps on '
                                   f'{label_topic!r}, a chunk of {robot.name} has {robot.horizon}')
            try:
                yield replay.observe(time_ns), label
            except NotReady as error:
                raise EpisodeError(f'{path}, {time_ns} ns: {error}') from error
        else:
            replay.feed(topic, time_ns, message)


class Replay:
    """
    Feeds recorded messages, in order of receipt, to the Observer and CommandedMotion of the node.

    Remembers the motion, which is small; of the images only the newest.
    """

    def __init__(self, path: Path, robot: RobotSpec):
        self.path, self.robot = path, robot
        self.start_ns = 0     # receipt of the first message
        self.observer, self._commanded = Observer(robot), CommandedMotion()
        self._sent: list[Sent] = []
        self._measured: dict[int, np.ndarray] = {}
        self._camera_of = {camera.topic: camera.name for camera in robot.cameras}

    def feed(self, topic: str, time_ns: int, message) -> None:
        """Take one message; topics the node doesn't listen to are left out."""
        self.start_ns = self.start_ns or time_ns
        if topic in self._camera_of:
            self.observer.add_image(self._camera_of[topic], message)
        elif topic == 'joint_states':
            self.observer.add_joints(message)
            stamp = stamp_ns(message.header.stamp)
            self._measured[stamp] = self.observer.newest_position_J(stamp)
        elif topic == 'instruction':
            self.observer.set_instruction(message.data)
        elif topic == 'joint_trajectory':
            self._send(time_ns, from_message(message, self.robot))

    def _send(self, time_ns: int, trajectory: Trajectory) -> None:
        if trajectory.stamp_ns == 0:  # to a controller: now
            trajectory = replace(trajectory, stamp_ns=time_ns)
        measured_J = self.observer.newest_position_J(time_ns)
        if measured_J is None:        # as in Pilot.sent
            measured_J = trajectory.position_TJ[0]
        self._sent.append(Sent(time_ns, trajectory, measured_J))
        self._commanded.send(trajectory, time_ns, measured_J)

    def observe(self, time_ns: int) -> Observation:
        """Return what the node would observe now. Raises NotReady."""
        return self.observer.observe(time_ns, self._commanded.position_at)

    def observations(self, every_s: float) -> Iterator[Observation]:
        """
        Feed the whole episode; yield the first observation that can be made in each ``every_s``.

        A moment begins when the slowest camera has sent its image. One at which an input is
        missing or stale is passed over, as the node would; raises EpisodeError, with what was
        missing last, when there is no other.
        """
        every_ns, first_ns, due_ns, reason = round(every_s * NS_PER_S), None, 0, 'no camera image'
        for topic, time_ns, message in read_messages(self.path):
            self.feed(topic, time_ns, message)
            stamp = self.observer.image_stamp_ns
            if topic not in self._camera_of or stamp is None or stamp < due_ns:
                continue
            try:
                yield self.observe(time_ns)
            except NotReady as error:
                reason = str(error)
                continue
            first_ns = stamp if first_ns is None else first_ns
            due_ns = stamp + every_ns - (stamp - first_ns) % every_ns
        if first_ns is None:
            raise EpisodeError(f'{self.path}: nothing can be observed: {reason}')

    def chunks(self, stamp_N: np.ndarray) -> np.ndarray:
        """Return the chunks [N, T, J] commanded from some stamps on, of what was fed so far."""
        return commanded_chunks(self.robot, stamp_N, self._sent, self._measured)
