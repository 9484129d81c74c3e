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

"""A scene YAML, with the robot YAML it names, as a Scene; what is wrong is told with its line."""

from __future__ import annotations

from functools import cache
from pathlib import Path
import re

import numpy as np

from .controller_file import ControllerParameters, read_controllers
from .scene import Attached, Box, Contacts, Scene, SceneCamera, Servo, Tabletop
from ..paths import shipped
from ..spec import RobotSpec, SpecError
from ..spec.keys import check_keys, is_number, Key
from ..spec.located import Located, read_located
from ..spec.urdf_file import find_urdf


def _numbers(count: int) -> Key:
    return Key(lambda value: isinstance(value, list) and len(value) == count
               and all(map(is_number, value)), f'{count} numbers')


def _names(value) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_pattern(value) -> bool:
    try:
        return isinstance(value, str) and bool(re.compile(value))
    except re.error:
        return False


def _is_drive(value) -> bool:
    return isinstance(value, str) or (isinstance(value, dict) and bool(value) and all(
        isinstance(joint, str) and is_number(factor) and factor
        for joint, factor in value.items()))


TEXT = Key(lambda value: isinstance(value, str) and bool(value), 'a name')
FILE = Key(TEXT.takes, 'a file from the folder of this one on, or package://PACKAGE/FILE')
NAMES = Key(_names, 'a list of names')
ABOVE_0 = Key(lambda value: is_number(value) and value > 0, 'a number above 0')
FROM_0 = Key(lambda value: is_number(value) and value >= 0, 'a number from 0 on')
WHOLE = Key(lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
            'a whole number')
PART = Key(lambda value: isinstance(value, dict), 'keys with values')
PARTS = Key(lambda value: isinstance(value, list), 'a list')
YES_NO = Key(lambda value: isinstance(value, bool), 'true or false')
PATTERN = Key(_is_pattern, 'a regular expression')

RANGES = ('model', 'robot')

SCENE_KEYS = {
    'robot': FILE._replace(required=True), 'model': FILE._replace(required=True),
    'urdf': FILE, 'controllers': FILE, 'attach': PARTS, 'remove': NAMES, 'drop_geoms': PART,
    'colours': PART, 'mesh_cell_m': ABOVE_0, 'joints': PART,
    'servos': PARTS._replace(required=True), 'home': PART._replace(required=True),
    'ranges': Key(lambda value: value in RANGES, ' or '.join(RANGES)),
    'contacts': PART, 'table': YES_NO, 'boxes': PART,
    'cameras': PART._replace(required=True), 'tabletop': PART,
}
ATTACH_KEYS = {'model': FILE._replace(required=True), 'to': TEXT._replace(required=True),
               'prefix': TEXT._replace(required=True), 'position_m': _numbers(3),
               'quaternion': _numbers(4), 'degrees': YES_NO}
SERVO_KEYS = {'joints': PATTERN._replace(required=True),
              'stiffness': ABOVE_0._replace(required=True),
              'damping': FROM_0._replace(required=True), 'force': ABOVE_0._replace(required=True),
              'friction': FROM_0, 'armature': FROM_0}
CAMERA_KEYS = {'width': WHOLE._replace(required=True), 'height': WHOLE._replace(required=True),
               'fovy_deg': ABOVE_0, 'body': TEXT, 'from_m': _numbers(3), 'at_m': _numbers(3),
               'of_model': TEXT}
BOX_KEYS = {'position_m': _numbers(3)._replace(required=True),
            'edges_m': _numbers(3)._replace(required=True),
            'rgba': _numbers(4)._replace(required=True)}
CONTACT_KEYS = {'geoms': NAMES._replace(required=True), 'condim': WHOLE._replace(required=True),
                'friction': _numbers(3)._replace(required=True),
                'solref': _numbers(2)._replace(required=True)}
TABLETOP_KEYS = {'tool_body': TEXT._replace(required=True),
                 'tool_m': _numbers(3)._replace(required=True),
                 'jaws': NAMES._replace(required=True)}
DROP_KEYS = {'class': TEXT, 'group': WHOLE}
INSTALL = '`make robots` installs the packages that carry the shipped robots'


@cache
def shipped_scene() -> Scene:
    """Return the scene of the shipped policy; read once."""
    return read_scene(shipped().scene)


def read_scene(path: str | Path) -> Scene:
    """Return what a scene YAML says. Raises SpecError with all that is wrong, a line each."""
    file = read_located(Path(path))
    known = check_keys(file, (), 'scene', SCENE_KEYS)
    parts = _parts(file, known)
    file.raise_faults()
    robot = RobotSpec.from_yaml(file.path.parent / known['robot'])
    scene = Scene(file.path, robot, **parts, drives=_drives(file, known, robot),
                  home_J=_home(file, known, robot))
    _check_servos(file, scene)
    _check_cameras(file, scene)
    file.raise_faults()
    return scene


def read_tabletop(path: str | Path) -> Scene:
    """Return a scene that tasks can be done in. Raises SpecError as read_scene, or without."""
    scene = read_scene(path)
    if scene.tabletop is None:
        raise SpecError(f'{path}: no tabletop in this scene, so no task; '
                        f'{shipped().scene.name} has one')
    return scene


def _parts(file: Located, known: dict) -> dict:
    """Return what does not depend on the robot."""
    return {
        'model': _file(file, ('model',), known.get('model')),
        'urdf': _file(file, ('urdf',), known.get('urdf')),
        'controllers': _controllers(file, known),
        'attached': tuple(Attached(**{**part, 'model': _file(
            file, ('attach', index, 'model'), part.get('model'))})
            for index, part in _list(file, known, 'attach', ATTACH_KEYS)),
        'removed': tuple(known.get('remove', ())),
        'dropped': _one(file, known, 'drop_geoms', DROP_KEYS),
        'colours': _one(file, known, 'colours', {pattern: _numbers(4) for pattern in
                                                 known.get('colours', ())}),
        'mesh_cell_m': known.get('mesh_cell_m', Scene.mesh_cell_m),
        'servos': tuple(Servo(**part) for _, part in _list(file, known, 'servos', SERVO_KEYS)),
        'contacts': _one(file, known, 'contacts', CONTACT_KEYS, Contacts),
        'ranges_of_robot': known.get('ranges') == 'robot',
        'table': known.get('table', Scene.table),
        'cameras': _named(file, known, 'cameras', CAMERA_KEYS, SceneCamera),
        'boxes': _named(file, known, 'boxes', BOX_KEYS, Box),
        'tabletop': _one(file, known, 'tabletop', TABLETOP_KEYS, Tabletop)}


def _file(file: Located, place, where: str | None) -> Path | None:
    if where is None:
        return None
    try:
        return find_urdf(where, file.path.parent)
    except SpecError as error:
        file.fault(place, f'{place[-1]}: {error}; {INSTALL}')
        return None


def _controllers(file: Located, known: dict) -> tuple[ControllerParameters, ...]:
    path = _file(file, ('controllers',), known.get('controllers'))
    try:
        return read_controllers(path) if path else ()
    except SpecError as error:
        file.fault(('controllers',), f'controllers: {error}')
        return ()


def _frozen(part: dict) -> dict:
    return {key: tuple(value) if isinstance(value, list) else value
            for key, value in part.items()}


def _whole(file: Located, place, what: str, keys) -> dict | None:
    """Return the values at a place, None where there are faults there."""
    before = len(file.faults)
    part = check_keys(file, place, what, keys)
    return _frozen(part) if len(file.faults) == before else None


def _list(file: Located, known: dict, key: str, keys):
    for index in range(len(known.get(key, ()))):
        part = _whole(file, (key, index), f'{key}[{index}]', keys)
        if part is not None:
            yield index, part


def _named(file: Located, known: dict, key: str, keys, make) -> tuple:
    found = {name: _whole(file, (key, name), f'{key} {name!r}', keys)
             for name in known.get(key, ())}
    return tuple(make(name, **part) for name, part in found.items() if part is not None)


def _one(file: Located, known: dict, key: str, keys, make=dict):
    part = _whole(file, (key,), key, keys) if key in known else None
    return None if part is None else make(**part)


def _drives(file: Located, known: dict, robot: RobotSpec) -> dict[str, dict[str, float]]:
    names = [finger.joint for finger in robot.driven]
    keys = {name: Key(_is_drive, 'a joint of the model, or such joints with their factor')
            for name in names}
    given = _one(file, known, 'joints', keys) or {}
    return {name: given[name] if isinstance(given.get(name), dict)
            else {given.get(name, name): 1.0} for name in names}


def _home(file: Located, known: dict, robot: RobotSpec) -> np.ndarray:
    keys = {joint.name: Key(lambda value, joint=joint: is_number(value)
                            and joint.lower <= value <= joint.upper,
                            f'a position in [{joint.lower}, {joint.upper}] {joint.unit}', True)
            for joint in robot.joints}
    home = check_keys(file, ('home',), 'home', keys)
    return np.array([home.get(name, np.nan) for name in robot.joint_names], dtype=np.float64)


def _check_servos(file: Located, scene: Scene) -> None:
    for joint in scene.driver_joints:
        if not any(re.fullmatch(servo.joints, joint) for servo in scene.servos):
            file.fault(('servos',), f'servos: got none for joint {joint!r}, expected one whose '
                                    'pattern matches its name; add it')


def _check_cameras(file: Located, scene: Scene) -> None:
    there = [camera.name for camera in scene.cameras]
    for camera in scene.robot.cameras:
        if camera.name not in there:
            file.fault(('cameras',), f'cameras: got {there}, expected {camera.name!r} of the '
                                     'robot too; add it')
        if camera.is_compressed:
            file.fault(('robot',), f'camera {camera.name!r} of the robot is compressed, expected '
                                   'raw images, as the simulator sends them; give its topic '
                                   'another name')
