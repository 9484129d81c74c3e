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

"""An episode as the live node would have seen it: observations with their labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .episode import EpisodeError, read_messages
from ..command.message import from_message
from ..command.playback import CommandedMotion
from ..observe.observer import NotReady, Observer
from ..spec import Observation, RobotSpec, Trajectory


def read_moments(path: Path, robot: RobotSpec,
                 label_topic: str) -> Iterator[tuple[Observation, Trajectory]]:
    """
    Yield one observation for each message on ``label_topic``, with that message.

    Feeds the recorded messages, in order of receipt, to the Observer and CommandedMotion the
    node uses. Raises EpisodeError where a label has no observation.
    """
    observer, commanded = Observer(robot), CommandedMotion()
    camera_of = {camera.topic: camera.name for camera in robot.cameras}
    for topic, time_ns, message in read_messages(path):
        if topic in camera_of:
            observer.add_image(camera_of[topic], message)
        elif topic == 'joint_states':
            observer.add_joints(message)
        elif topic == 'instruction':
            observer.set_instruction(message.data)
        elif topic == label_topic:
            yield _observe(path, observer, commanded, time_ns), from_message(message, robot)
        elif topic == 'joint_trajectory':
            measured_J = observer.newest_position_J(time_ns)
            commanded.send(from_message(message, robot), time_ns, measured_J)


def _observe(path, observer, commanded, time_ns: int) -> Observation:
    try:
        return observer.observe(time_ns, commanded.position_at)
    except NotReady as error:
        raise EpisodeError(f'{path}, {time_ns} ns: {error}') from error
