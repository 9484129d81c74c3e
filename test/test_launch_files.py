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

"""What is written in the launch files; test_launch.py starts them."""

import ast
from pathlib import Path
import re

from conftest import so101_yaml
import pytest

from trimodal_ros.record.bag_metadata import message_counts
from trimodal_ros.spec import RobotSpec
from trimodal_ros.spec.topics import inputs_pattern

TOP = Path(__file__).resolve().parents[1]
FILES = sorted((TOP / 'launch').glob('*.launch.py'))
EXECUTABLES = set(re.findall(r"'(\w+)'", re.search(
    r'for node in \((.*?)\)', (TOP / 'setup.py').read_text(), re.DOTALL)[1]))
DECLARING = {'DeclareLaunchArgument': 'description', 'switch': 2, 'shared_argument': 0}
each_file = pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)


def calls(path: Path, *names: str) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
            and getattr(node.func, 'id', getattr(node.func, 'attr', '')) in names]


def texts(nodes) -> list[str]:
    return [node.value for node in nodes if isinstance(node, ast.Constant)]


def topics_of(path: Path) -> tuple[str, ...]:
    return next((ast.literal_eval(node.value) for node in ast.parse(path.read_text()).body
                 if isinstance(node, ast.Assign) and node.targets[0].id == 'TOPICS'), ())


@each_file
def test_launch_file_starts_what_exists(path):
    """Catches a misspelt executable, and a node made past the arguments that all have."""
    made = calls(path, 'make_node')
    assert made and not calls(path, 'Node', 'LifecycleNode')
    for call in made:
        given = {word.arg: word.value for word in call.keywords}
        assert 'package' in given or call.args[1].value in EXECUTABLES
    assert calls(path, 'common_arguments') and calls(path, 'environment')


@each_file
def test_launch_arguments_are_described_and_used(path):
    """Catches an argument that nobody explains, that nothing reads, or that isn't declared."""
    for call in calls(path, 'DeclareLaunchArgument'):
        assert {word.arg: word.value for word in call.keywords}['description'].value
    assert all(len(call.args) == 3 for call in calls(path, 'switch'))
    declared = {call.args[0].value for call in calls(path, *DECLARING)}
    reads = [node.slice for node in ast.walk(ast.parse(path.read_text()))
             if isinstance(node, ast.Subscript) and getattr(node.value, 'id', '') == 'settings']
    reads += [argument for call in calls(path, 'is_on', 'texts', 'LaunchConfiguration')
              for argument in call.args]
    assert set(texts(reads)) == declared


@each_file
def test_parameters_of_launch_files_are_parameters_of_nodes(path):
    """Catches a parameter that a node doesn't have: it would be set on nothing, unnoticed."""
    pytest.importorskip('rclpy')
    from trimodal_ros.nodes.help_text import DeclaredParameters
    from trimodal_ros.nodes.reference import NODES
    for call in calls(path, 'make_node'):
        executable = call.args[1].value
        if executable not in NODES:
            continue
        declared = DeclaredParameters()
        NODES[executable]._declare_parameters(declared)
        given = [node for node in ast.walk(call) if isinstance(node, ast.Dict)]
        names = texts(key for node in given for key in node.keys if key is not None)
        names += [name for read in ast.walk(call) if isinstance(read, ast.Call)
                  and getattr(read.func, 'attr', '') == 'texts' for name in texts(read.args)]
        assert names and set(names) <= {'use_sim_time', *(row[0] for row in declared.rows)}


def test_only_a_launch_that_says_so_commands_a_robot():
    """Catches a default that moves somebody's robot."""
    policy, demo, replay = (TOP / 'launch' / f'{name}.launch.py'
                            for name in ('policy', 'demo', 'replay'))
    defaults = {call.args[0].value: call.args[1].value for call in calls(policy, 'switch')}
    assert defaults['dry_run'] is True
    assert "'dry_run': False" in demo.read_text()  # its robot is simulated, its domain its own
    assert "'dry_run': True, 'follow_commands': True, 'use_sim_time': True" in replay.read_text()
    assert all('dry_run' not in path.read_text() for path in FILES
               if path not in (policy, demo, replay))


def test_replayed_topics_are_those_of_any_recording(episodes):
    """Catches a pattern that misses topics, or plays what somebody else may obey."""
    pattern = inputs_pattern(RobotSpec.from_yaml(so101_yaml()))
    played = {'front/image_raw', 'wrist/image_raw', 'joint_states', 'instruction',
              'joint_trajectory'}
    recorded = message_counts(episodes / 'seed_0')
    assert {name for name in recorded if re.fullmatch(pattern, name)} == played
    assert all(re.fullmatch(pattern, name) for name in (*(f'/{name}' for name in played),
                                                        'front/image_raw/compressed'))
    assert not any(re.fullmatch(pattern, name) for name in (
        'takeover', 'joy', 'leader/joint_states', 'policy/debug/joint_trajectory', '/clock'))


@pytest.mark.parametrize('path', sorted((TOP / 'config' / 'robots').glob('*.yaml')),
                         ids=lambda path: path.stem)
def test_replayed_topics_are_those_of_any_robot(path):
    """Catches a robot whose cameras or controllers a replay leaves out."""
    robot = RobotSpec.from_yaml(path)
    topics = [*(camera.topic for camera in robot.cameras), *(each.topic for each in robot.groups)]
    assert all(re.fullmatch(inputs_pattern(robot), topic) for topic in topics)
