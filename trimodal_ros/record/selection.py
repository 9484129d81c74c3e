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

"""Which topics are recorded, and what is asked of each: ``config/recorder.yaml``."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from .sample import COMPRESSED_IMAGE, IMAGE
from ..command.takeover import TAKEOVER_TOPIC
from ..spec import CameraSpec, RobotSpec
from ..spec.camera import COMPRESSED_SUFFIX
from ..spec.controller import TRAJECTORY_TOPIC

IMAGES = ('raw', 'compressed', 'jpeg')
INSTRUCTION, TAKEOVER = 'instruction', TAKEOVER_TOPIC
TRAJECTORY, DECISION = TRAJECTORY_TOPIC, 'policy/decision'
TYPES = {  # of the topics that the recorder itself understands
    INSTRUCTION: 'std_msgs/msg/String', TAKEOVER: 'std_msgs/msg/Bool',
    TRAJECTORY: 'trajectory_msgs/msg/JointTrajectory',
    DECISION: 'diagnostic_msgs/msg/DiagnosticArray',
    'joint_states': 'sensor_msgs/msg/JointState'}


class SelectionError(ValueError):
    """A file that does not say which topics to record; the message says where and why."""


@dataclass(frozen=True)
class Wanted:
    """
    A topic to record, or with ``*`` in its name all that match.

    A ``required`` one must be alive before an episode begins. ``max_gap_s`` (0: none) marks a
    stream: without a message for longer is a gap; fewer than ``min_rate_hz`` are too few.
    ``type_name`` is '' where any will do. ``jpeg``: its raw images are compressed on the way.
    """

    name: str
    required: bool = False
    max_gap_s: float = 0.0
    min_rate_hz: float = 0.0
    type_name: str = ''
    jpeg: bool = False

    @property
    def is_pattern(self) -> bool:
        return '*' in self.name

    @property
    def recorded_as(self) -> str:
        """Return the topic's name in the bag."""
        return self.name + COMPRESSED_SUFFIX if self.jpeg else self.name


OPTIONS = {field.name: field.type for field in fields(Wanted)
           if field.name in ('required', 'max_gap_s', 'min_rate_hz')}


def read_selection(path: Path, robot: RobotSpec, images: str = 'raw') -> tuple[Wanted, ...]:
    """
    Return the topics that a YAML names, with the robot's cameras in front.

    ``images``: 'raw', 'compressed' as image_transport publishes them beside, or 'jpeg', the raw
    ones compressed here; a camera that the robot has compressed is recorded as it comes. Raises
    SelectionError.
    """
    if images not in IMAGES:
        raise SelectionError(f'images: {images!r}, expected one of {", ".join(IMAGES)}')
    data = _read(Path(path))
    cameras = [_camera(camera, data['cameras'], images) for camera in robot.cameras]
    wanted = [*cameras, *(Wanted(topic, type_name=TYPES.get(name, ''), **options)
                          for name, options in data['topics'].items()
                          for topic in _topics(name, robot))]
    return tuple(wanted)


def _topics(name: str, robot: RobotSpec) -> list[str]:
    """Return what a name of the YAML stands for: of trajectories, those of each controller."""
    return [group.topic for group in robot.groups] if name == TRAJECTORY else [name]


def _camera(camera: CameraSpec, options: dict, images: str) -> Wanted:
    topic = camera.topic
    if camera.is_compressed:
        return Wanted(topic, type_name=COMPRESSED_IMAGE, **options)
    if images == 'compressed':
        return Wanted(topic + COMPRESSED_SUFFIX, type_name=COMPRESSED_IMAGE, **options)
    return Wanted(topic, type_name=IMAGE, jpeg=images == 'jpeg', **options)


def _read(path: Path) -> dict:
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SelectionError(f'{path} is not a readable YAML file: {error}') from error
    if not isinstance(data, dict) or set(data) != {'cameras', 'topics'}:
        raise SelectionError(f'{path}: expected the keys cameras and topics, got '
                             f'{sorted(data) if isinstance(data, dict) else type(data).__name__}')
    if not isinstance(data['topics'], dict):
        raise SelectionError(f'{path}: topics: expected names with their options, got '
                             f'{type(data["topics"]).__name__}')
    cameras = _options(path, 'cameras', data['cameras'])
    return {'cameras': cameras, 'topics': {
        _name(path, name): _options(path, name, options)
        for name, options in data['topics'].items()}}


def _name(path: Path, name) -> str:
    if not isinstance(name, str) or not name.strip('/') or name.endswith('/') or ' ' in name:
        raise SelectionError(f'{path}: {name!r} is not the name of a topic')
    return name


def _options(path: Path, name: str, options) -> dict:
    options = {} if options is None else options
    if not isinstance(options, dict) or set(options) - set(OPTIONS):
        raise SelectionError(f'{path}: {name}: expected some of {", ".join(OPTIONS)}, got '
                             f'{options if not isinstance(options, dict) else sorted(options)}')
    for key, value in options.items():
        is_right = (isinstance(value, bool) if key == 'required' else
                    isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0)
        if not is_right:
            expected = 'true or false' if key == 'required' else 'a number from 0 up'
            raise SelectionError(f'{path}: {name}: {key}: {value!r}, expected {expected}')
    if '*' in str(name) and options.get('required'):
        raise SelectionError(f"{path}: {name}: a pattern can't be required; name the topics")
    return options


def expand(wanted: tuple[Wanted, ...], found: list[str]) -> list[Wanted]:
    """
    Return what is wanted by name, and for each pattern the topics on the graph that match it.

    >>> [each.name for each in expand((Wanted('a'), Wanted('d/*')), ['a', 'c', 'd/e'])]
    ['a', 'd/e']
    """
    named = {each.name: each for each in wanted if not each.is_pattern}
    for pattern in (each for each in wanted if each.is_pattern):
        for name in found:
            if (name[0] == '/') == (pattern.name[0] == '/') and fnmatchcase(name, pattern.name):
                named.setdefault(name, replace(pattern, name=name))
    return list(named.values())
