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

"""What colcon and ros2 launch make of the package."""

import ast
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from trimodal_ros.record.bag_metadata import message_counts

TOP = Path(__file__).resolve().parents[1]
NODES = ('policy', 'recorder', 'simulated_robot', 'demo', 'player', 'bring_up')
LAUNCH_FILES = sorted((TOP / 'launch').glob('*.launch.py'))


def test_colcon_build_installs_everything(tmp_path):
    """Catches files that work in a clone and are missing on the robot, and an installed
    executable that doesn't start.
    """
    listed = subprocess.run(['git', 'ls-files', '-zco', '--exclude-standard'], cwd=TOP,
                            capture_output=True, text=True, check=True).stdout.split('\0')
    source = tmp_path / 'src' / 'trimodal_ros'
    for name in filter(None, listed):
        if (TOP / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, source / name)
    colcon = Path(sys.executable).with_name('colcon')
    built = subprocess.run([colcon, 'build'], cwd=tmp_path, capture_output=True, text=True,
                           check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    prefix = tmp_path / 'install' / 'trimodal_ros'
    for node in NODES:
        script = prefix / 'lib' / 'trimodal_ros' / node
        assert script.read_text().startswith('#!/usr/bin/env python3')
    share = prefix / 'share' / 'trimodal_ros'
    for path in ('launch/demo.launch.py', 'launch/replay.launch.py', 'config/robots/so101.yaml',
                 'config/fastdds.xml', 'config/instructions/train.txt',
                 'models/so101_tabletop/model.safetensors', 'package.xml'):
        assert (share / path).is_file(), path
    site = str(next(prefix.glob('lib/python*/site-packages')))
    found = subprocess.run(
        [sys.executable, '-c', 'from trimodal_ros.paths import share_dir; print(share_dir())'],
        env={'PYTHONPATH': site}, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()) == share
    assert list(prefix.rglob('demo_page.html.jinja'))
    path = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'
    asked = subprocess.run(
        [prefix / 'lib' / 'trimodal_ros' / 'demo', '--help'], cwd=tmp_path, check=False,
        env={'PATH': path, 'PYTHONPATH': site}, capture_output=True, text=True)
    assert asked.returncode == 0 and '--instruction' in asked.stdout, asked.stderr


def test_manifest_and_setup_agree():
    """Catches a version or a license that differs between the two."""
    manifest = ElementTree.parse(TOP / 'package.xml').getroot()
    setup = (TOP / 'setup.py').read_text()
    assert manifest.get('format') == '3'
    assert f"version='{manifest.findtext('version')}'" in setup
    assert manifest.findtext('license') == 'Apache-2.0'
    assert manifest.find('buildtool_depend') is None
    assert manifest.findtext('export/build_type') == 'ament_python'


@pytest.mark.parametrize('path', LAUNCH_FILES, ids=lambda path: path.name)
def test_launch_file_names_nodes_that_exist(path):
    """Catches a misspelt executable, and a node whose parameters would leak to others."""
    calls = [node for node in ast.walk(ast.parse(path.read_text()))
             if isinstance(node, ast.Call) and getattr(node.func, 'id', '') == 'Node']
    assert calls
    for call in calls:
        given = {word.arg: word.value for word in call.keywords}
        assert {'package', 'executable', 'name', 'namespace'} <= set(given)
        assert given['executable'].value in NODES


def load_launch_file(monkeypatch, name='demo'):
    pytest.importorskip('launch')
    pytest.importorskip('launch_ros')
    import importlib.util

    import ament_index_python.packages as packages
    monkeypatch.setattr(packages, 'get_package_share_directory', lambda name: str(TOP))
    spec = importlib.util.spec_from_file_location(
        f'{name}_launch', TOP / 'launch' / f'{name}.launch.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('name, started', [('demo', 5), ('replay', 6)])
def test_launch_description_with_real_launch(monkeypatch, name, started):
    """Catches an argument or action that Jazzy's launch does not know, and a launch that joins
    the robots of everybody's domain 0.
    """
    module = load_launch_file(monkeypatch, name)
    from launch import LaunchContext
    for variable in ('ROS_DOMAIN_ID', 'ROS_AUTOMATIC_DISCOVERY_RANGE',
                 'FASTRTPS_DEFAULT_PROFILES_FILE'):
        monkeypatch.setenv(variable, 'to be replaced')
    context = LaunchContext()
    context.launch_configurations['bag'] = '/some/bag'   # which has no default
    for entity in module.generate_launch_description().entities:
        entity.visit(context)
    assert len(module.start_nodes(context)) == started
    assert os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'
    assert 0 < int(os.environ['ROS_DOMAIN_ID']) <= 101
    from trimodal_ros.nodes.private_graph import DOMAINS
    assert int(os.environ['ROS_DOMAIN_ID']) not in DOMAINS


def launch_arguments(path: Path) -> dict[str, list[str]]:
    """Return what each declared argument of a launch file is given besides its name."""
    calls = [node for node in ast.walk(ast.parse(path.read_text()))
             if isinstance(node, ast.Call)
             and getattr(node.func, 'id', '') == 'DeclareLaunchArgument']
    return {call.args[0].value: [word.arg for word in call.keywords] for call in calls}


@pytest.mark.parametrize('path', LAUNCH_FILES, ids=lambda path: path.name)
def test_launch_arguments_are_described(path):
    """Catches an argument that --show-args says nothing about."""
    arguments = launch_arguments(path)
    assert {'checkpoint', 'robot', 'domain'} <= set(arguments)
    assert all('description' in given for given in arguments.values()), arguments


def test_replay_is_a_dry_run_in_recorded_time():
    """Catches a recording that is launched into a node which commands, or goes by the clock."""
    tree = ast.parse((TOP / 'launch' / 'replay.launch.py').read_text())
    given = {key.value: getattr(value, 'value', None) for node in ast.walk(tree)
             if isinstance(node, ast.Dict) for key, value in zip(node.keys, node.values)}
    assert given['dry_run'] is given['use_sim_time'] is given['follow_commands'] is True


def test_replayed_topics_are_those_of_any_recording(episodes):
    """Catches a pattern that misses topics, or plays what somebody else may obey."""
    tree = ast.parse((TOP / 'launch' / 'replay.launch.py').read_text())
    [pattern] = [node.value.value for node in tree.body if isinstance(node, ast.Assign)
                 and node.targets[0].id == 'TOPICS']
    played = {'front/image_raw', 'wrist/image_raw', 'joint_states', 'instruction',
              'joint_trajectory'}
    recorded = message_counts(episodes / 'seed_0')
    assert {name for name in recorded if re.fullmatch(pattern, name)} == played
    assert all(re.fullmatch(pattern, f'/{name}') for name in played)
    assert not any(re.fullmatch(pattern, name) for name in (
        'takeover', 'joy', 'leader/joint_states', 'policy/debug/joint_trajectory', '/clock'))


@pytest.mark.parametrize('ending', ['pass', 'raise SystemExit(1)'])
def test_launch_fails_where_its_demo_does(monkeypatch, ending):
    """Catches a failed demo that a script takes for a good one, and nodes left running."""
    module = load_launch_file(monkeypatch)
    from launch.actions import ExecuteProcess, RegisterEventHandler
    from launch.event_handlers import OnProcessExit

    from launch import LaunchDescription, LaunchService
    forever = ExecuteProcess(cmd=[sys.executable, '-c', 'import signal; signal.pause()'])
    demo = ExecuteProcess(cmd=[sys.executable, '-c', ending])
    service = LaunchService(noninteractive=True)
    service.include_launch_description(LaunchDescription([
        RegisterEventHandler(OnProcessExit(target_action=demo, on_exit=module.end)), forever,
        demo]))
    assert service.run() == (0 if ending == 'pass' else 1)
