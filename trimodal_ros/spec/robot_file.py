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
A robot YAML, with the URDF it names, as a RobotSpec; what is wrong is told with its line.

doc/reference/robot.md has every key, its unit, its default and an example.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from .errors import SpecError
from .joint_file import read_joint
from .keys import at, CAMERA_KEYS, check_keys, CONTROLLER_KEYS, ROBOT_KEYS
from .located import Located, read_located
from .robot import RobotSpec
from .urdf import tightened, urdf_limits
from .urdf_file import find_urdf, joints_of, read_urdf


@dataclass(frozen=True)
class RobotFile:
    """A robot YAML that was read: the robot, and the text of the URDF it names, '' for none."""

    robot: RobotSpec
    urdf: str


def read_robot_file(path: str | Path) -> RobotFile:
    """Return what a robot YAML says. Raises SpecError with all that is wrong, a line each."""
    file = read_located(Path(path))
    known = check_keys(file, (), 'robot', ROBOT_KEYS)
    urdf, elements = _urdf(file, known)
    plain = {'name': known.get('robot'), 'rate_hz': known.get('rate_hz'),
             'horizon': known.get('horizon'),
             'joint_states_hz': known.get('joint_states_hz', 0.0),
             'joints': [read_joint(file, ('joints', index), elements)
                        for index in range(len(known.get('joints', ())))],
             'cameras': _cameras(file, known), 'controllers': _controllers(file, known)}
    _check_once(file, 'joints', 'name', 'a joint is named')
    file.raise_faults()
    try:
        robot = RobotSpec.from_dict(plain)
    except SpecError as error:
        raise SpecError(f'{path}: {error}') from error
    return RobotFile(_within_urdf(file, robot, elements), urdf)


def write_robot_file(robot: RobotSpec, path: str | Path) -> None:
    """Write the YAML that ``read_robot_file`` reads as this robot."""
    data = robot.to_dict()
    for joint in data['joints']:
        binary, unit = joint.pop('binary', None), robot.joints[data['joints'].index(joint)].unit
        kind = 'binary' if binary else 'parallel' if 'fingers' in joint else joint['gripper']
        joint['gripper'] = kind
        for key, value in (binary or {}).items():
            joint[f'{key}_{unit}' if key in ('open', 'closed') else key] = value
    named = {key: {part.pop('name'): part for part in data.pop(key, ())}
             for key in ('controllers', 'cameras')}
    text = yaml.safe_dump({'robot': data.pop('name'), **data,
                           **{key: parts for key, parts in named.items() if parts}},
                          sort_keys=False)
    Path(path).write_text(text)


def _urdf(file: Located, known: dict):
    """Return the text and the joints of the URDF, '' and None where there is none."""
    if 'urdf' not in known:
        return '', None
    try:
        text = find_urdf(known['urdf'], file.path.parent).read_text()
        return text, joints_of(read_urdf(text))
    except (OSError, UnicodeDecodeError, SpecError) as error:
        file.fault(('urdf',), f'urdf: {error}')
        return '', None


def _within_urdf(file: Located, robot: RobotSpec, elements) -> RobotSpec:
    if elements is None:
        return robot
    joints = []
    for index, joint in enumerate(robot.joints):
        try:
            joints.append(tightened(joint, urdf_limits(elements, joint.name, joint.driven)))
        except SpecError as error:
            file.fault(('joints', index), str(error))
    file.raise_faults()
    return replace(robot, joints=tuple(joints))


def _cameras(file: Located, known: dict) -> list[dict]:
    places = [('cameras', name) for name in known.get('cameras', ())]
    cameras = [{'name': place[1], **check_keys(file, place, f'camera {place[1]!r}', CAMERA_KEYS)}
               for place in places]
    _check_topics(file, places)
    return cameras


def _controllers(file: Located, known: dict) -> list[dict]:
    places = [('controllers', name) for name in known.get('controllers', ())]
    controllers = [{'name': place[1],
                    **check_keys(file, place, f'controller {place[1]!r}', CONTROLLER_KEYS)}
                   for place in places]
    _check_topics(file, places)
    if places and all('joints' in controller for controller in controllers):
        _check_played(file, places, controllers, known)
    return controllers


def _check_topics(file: Located, places) -> None:
    first = {}
    for place in places:
        value = at(file, place)
        topic = value.get('topic') if isinstance(value, dict) else None
        if not isinstance(topic, str):
            continue
        other = first.setdefault(topic.strip('/'), place)
        if other != place:
            file.fault((*place, 'topic'), f'{place[0][:-1]} {place[1]!r}: got topic {topic!r}, '
                       f'which {other[1]!r} has on line {file.line((*other, "topic"))}, expected '
                       'one topic each; name its own')


def _check_once(file: Located, of: str, key: str, what: str) -> None:
    first = {}
    for index, part in enumerate(file.data.get(of, ()) if isinstance(file.data, dict) else ()):
        name = part.get(key) if isinstance(part, dict) else None
        if not isinstance(name, str):
            continue
        other = first.setdefault(name, index)
        if other != index:
            file.fault((of, index, key), f'{what} twice: got {name!r}, which is on line '
                       f'{file.line((of, other, key))} already, expected each once; remove one')


def _check_played(file: Located, places, controllers: list[dict], known: dict) -> None:
    """Note joints that no controller has, more than one has, or that the robot has not."""
    joints = [joint.get('name') for joint in known.get('joints', ()) if isinstance(joint, dict)]
    owner = {}
    for place, controller in zip(places, controllers):
        for index, name in enumerate(controller['joints']):
            where = (*place, 'joints', index)
            if name not in joints:
                file.fault(where, f'controller {place[1]!r}: got joint {name!r}, expected one of '
                                  f'{", ".join(map(str, joints))}')
            elif owner.setdefault(name, where) != where:
                file.fault(where, f'controller {place[1]!r}: got joint {name!r}, which '
                           f'{owner[name][1]!r} has on line {file.line(owner[name])}, expected '
                           'each once; remove one')
    left = [str(name) for name in joints if name not in owner]
    if left:
        file.fault(('controllers',), f'controllers: got none for {", ".join(left)}, expected one '
                   'for each joint; add it to the joints of one')
