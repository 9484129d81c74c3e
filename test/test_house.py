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

"""The house: a file imports only from rooms before its own, and only nodes/ knows rclpy."""

import ast
from pathlib import Path
import re
from xml.etree import ElementTree

import pytest

import trimodal_ros

PACKAGE = Path(trimodal_ros.__file__).parent
ROOMS = ('spec', 'observe', 'embed', 'plan', 'command', 'record', 'sim', 'train', 'evaluate',
         'export', 'nodes')
LEAVES = ('command_line', 'paths', 'progress', 'stopwatch', 'workers')  # use no room
ROS = {'rclpy', 'rcl_interfaces', 'builtin_interfaces', 'sensor_msgs', 'std_msgs', 'std_srvs',
       'trajectory_msgs', 'diagnostic_msgs', 'lifecycle_msgs', 'rosgraph_msgs',
       'ament_index_python'}
FILES = sorted(PACKAGE.rglob('*.py'))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix('.py')


def imports_of(path: Path, source: str) -> list[tuple[str, bool]]:
    """Return (room, leaf or outside package; is it lazy) of every name imported in a file."""
    tree = ast.parse(source)
    eager = set(map(id, ast.walk(ast.Module([node for node in tree.body if not isinstance(
        node, (ast.FunctionDef, ast.ClassDef))], []))))
    return [(target, id(node) not in eager) for node in ast.walk(tree)
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for target in targets_of(node, path)]


def targets_of(node: ast.Import | ast.ImportFrom, path: Path) -> set[str]:
    """Return what is imported, each as a room, a leaf or an outside package."""
    names = [name.name for name in node.names]
    if isinstance(node, ast.ImportFrom):
        module = [node.module] if node.module else []
        if node.level:
            folders = [PACKAGE.name, *path.relative_to(PACKAGE).parts[:-1]]
            module = folders[:len(folders) + 1 - node.level] + module
        names = ['.'.join([*module, name]) for name in names]
    return {inside(name.split('.')) for name in names}


def inside(parts: list[str]) -> str:
    return parts[1] if parts[0] == PACKAGE.name and len(parts) > 1 else parts[0]


def complaints(path: Path, source: str) -> list[str]:
    """Say which imports of a file the house does not allow."""
    room, is_command_line = room_of(path), path.name == '__main__.py'
    return [f'{path}: {room} imports {target}' for target, lazy in imports_of(path, source)
            if not is_allowed(room, target, lazy, is_command_line)]


def is_allowed(room: str, target: str, lazy: bool, is_command_line: bool) -> bool:
    if target in ROS or target == 'cv_bridge':
        return room == 'nodes' or (target == 'cv_bridge' and lazy)
    if target in (PACKAGE.name, '*'):  # as a whole it may stand for any room
        return False
    if target not in ROOMS or room not in ROOMS:
        return target not in ROOMS  # leaves use nothing of the package
    return ROOMS.index(target) <= ROOMS.index(room) or (is_command_line and lazy)


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_order_of_rooms(path):
    """Catches a room that reaches to one after its own, which would make a circle."""
    assert complaints(path, path.read_text()) == []


@pytest.mark.parametrize('source, found', [
    ('from trimodal_ros.nodes import policy', ['nodes']),
    ('from trimodal_ros import nodes', ['nodes']),
    ('import trimodal_ros.sim.world', ['sim']),
    ('import numpy, trimodal_ros.nodes.policy as p', ['nodes']),
    ('from .. import paths, nodes', ['nodes']),
    ('from ..plan import policy\nfrom ..sim.world import World', ['plan', 'sim']),
    ('import trimodal_ros', ['trimodal_ros']),
    ('from trimodal_ros import *', ['*']),
    ('def f():\n    from ..train import loop', ['train']),
    ('import rclpy.node', ['rclpy']), ('from std_msgs.msg import Bool', ['std_msgs']),
    ('import cv_bridge', ['cv_bridge']),
    ('def f():\n    import cv_bridge', []),
    ('from ..spec import RobotSpec\nfrom . import stamp\nfrom .stamp import stamp_ns', []),
    ('from .. import paths, progress, spec', []), ('import mujoco.sim', []),
])
def test_the_checker_sees_every_way_to_import(source, found):
    """Catches a checker that lets the forms pass which nobody has used so far."""
    path = PACKAGE / 'observe' / 'image.py'
    assert [text.rpartition(' ')[2] for text in complaints(path, source)] == found


def test_the_checker_knows_leaves_and_command_lines():
    """Catches a leaf that grows into a room, and an exception for main made one for all."""
    lazy = 'def f():\n    from ..nodes import policy'
    assert complaints(PACKAGE / 'paths.py', 'from .spec import NS_PER_S')
    assert complaints(PACKAGE / 'sim' / 'world.py', lazy)
    assert not complaints(PACKAGE / 'sim' / '__main__.py', lazy)
    assert complaints(PACKAGE / 'sim' / '__main__.py', 'from ..nodes import policy')


def test_every_folder_is_a_room():
    """Catches a folder or a file beside the rooms nobody agreed on."""
    folders = {path.name for path in PACKAGE.iterdir() if (path / '__init__.py').exists()}
    assert folders == set(ROOMS)
    assert {path.stem for path in PACKAGE.glob('*.py')} == {'__init__', *LEAVES}


def test_no_python_file_names_a_robot():
    """Catches an arm that is known to the code: another one is another YAML, never an if."""
    top = PACKAGE.parent
    names = {path.stem for path in (top / 'config' / 'robots').glob('*.yaml')}
    named = re.compile('|'.join([*names, 'so-101', 'ur5', 'franka', 'viperx', 'robotiq']), re.I)
    found = {str(path.relative_to(top)): named.findall(path.read_text())
             for path in [*FILES, *(top / 'launch').glob('*.py')]}
    # pandas and pip's example-robot-data are not robots.
    assert {path: words for path, words in found.items() if set(words) - {'panda'}} == {}
    assert not [path for path in FILES if re.search(r'panda(?!s)', path.read_text(), re.I)]


def test_manifest_names_the_ros_packages_in_use():
    """Catches a package that is there by chance here, and missing on a robot."""
    manifest = ElementTree.parse(PACKAGE.parent / 'package.xml')
    declared = {depend.text for depend in manifest.iter('exec_depend')}
    launch_files = (PACKAGE.parent / 'launch').glob('*.py')
    sources = [(path, path.read_text()) for path in FILES]
    sources += [(PACKAGE / 'launch.py', path.read_text()) for path in launch_files]
    used = {target for path, source in sources for target, _ in imports_of(path, source)}
    assert used & (ROS | {'cv_bridge', 'launch', 'launch_ros'}) <= declared
    assert 'ros2launch' in declared  # the command the README starts everything with
