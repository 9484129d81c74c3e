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

import pytest

import trimodal_ros

PACKAGE = Path(trimodal_ros.__file__).parent
ROOMS = ('spec', 'observe', 'embed', 'plan', 'command', 'record', 'sim', 'train', 'evaluate',
         'nodes')
LEAVES = ('paths', 'progress')  # used anywhere, use nothing of the package
ROS = {'rclpy', 'rcl_interfaces', 'builtin_interfaces', 'sensor_msgs', 'std_msgs', 'std_srvs',
       'trajectory_msgs', 'diagnostic_msgs', 'lifecycle_msgs'}
FILES = sorted(PACKAGE.rglob('*.py'))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix('.py')


def top_level_imports(path: Path) -> list[tuple[str, bool]]:
    """Return (room or package, is it lazy) of every import in a file."""
    tree = ast.parse(path.read_text())
    eager = set(map(id, ast.walk(ast.Module([node for node in tree.body if not isinstance(
        node, (ast.FunctionDef, ast.ClassDef))], [])))) if tree.body else set()
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(name.name.split('.')[0], id(node) not in eager) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            depth = len(path.relative_to(PACKAGE).parts)
            if node.level == 0:
                target = node.module.split('.')[0]
            elif node.level == depth:
                target = (node.module or node.names[0].name).split('.')[0]
            else:
                target = room_of(path)
            found.append((target, id(node) not in eager))
    return found


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_order_of_rooms(path):
    """Catches a room that reaches to one after its own, which would make a circle."""
    room = room_of(path)
    is_command_line = path.name == '__main__.py'
    for target, lazy in top_level_imports(path):
        if target in ROS | {'cv_bridge'} and room != 'nodes':
            assert lazy and target == 'cv_bridge', f'{path}: imports {target}'
        if room in LEAVES:
            assert target not in ROOMS, f'{path}: a leaf imports {target}'
        elif target in ROOMS and room in ROOMS:
            reach_right = ROOMS.index(target) > ROOMS.index(room)
            assert not reach_right or (is_command_line and lazy), f'{path}: imports {target}'


def test_every_folder_is_a_room():
    """Catches a folder nobody agreed on."""
    folders = {path.name for path in PACKAGE.iterdir() if (path / '__init__.py').exists()}
    assert folders == set(ROOMS) - {'spec'}
