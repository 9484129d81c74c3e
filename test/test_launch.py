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
The launch files: what is written in them, and where ROS's launch is installed, what they do.

No wheel brings launch and launch_ros; where they are missing their tests are skipped.
"""

import ast
from contextlib import contextmanager
import importlib.util
import os
from pathlib import Path
import re
import signal
import subprocess
import sys

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


# -- with the real launch


@pytest.fixture
def launch():
    """ROS's launch: the folder of that name in the repository is none."""
    pytest.importorskip('launch.actions')
    pytest.importorskip('launch_ros')
    import launch
    return launch


@pytest.fixture
def prefix(tmp_path, monkeypatch):
    """Install the package as launch looks for it: executables that start this source."""
    index = tmp_path / 'share' / 'ament_index' / 'resource_index' / 'packages'
    scripts = tmp_path / 'lib' / 'trimodal_ros'
    index.mkdir(parents=True)
    scripts.mkdir(parents=True)
    (index / 'trimodal_ros').touch()
    for name in EXECUTABLES:
        script = scripts / name
        script.write_text(f'#!/bin/sh\nexec {sys.executable} -m trimodal_ros.nodes.{name} "$@"\n')
        script.chmod(0o755)
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    path = os.environ.get('PYTHONPATH')
    monkeypatch.setenv('PYTHONPATH', f'{TOP}:{path}' if path else str(TOP))
    monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path / 'log'))


def load(path: Path):
    spec = importlib.util.spec_from_file_location(path.name.replace('.', '_'), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def nodes_of(launch, path: Path, **arguments: str) -> list:
    """Return the nodes that a launch file would start, with their names and commands known."""
    from launch_ros.actions import Node
    context = launch.LaunchContext()
    context.launch_configurations.update(arguments)
    module = load(path)
    for entity in module.generate_launch_description().entities:
        if not isinstance(entity, launch.actions.OpaqueFunction):
            entity.visit(context)
    nodes = [action for action in module.start_nodes(context) if isinstance(action, Node)]
    for node in nodes:
        node._perform_substitutions(context)
    return nodes


REQUIRED = {'policy': {'checkpoint': 'models/so101_tabletop'}, 'record': {'out': 'out'},
            'replay': {'bag': 'bag'}}


@pytest.mark.parametrize('path', [path for path in FILES if path.name != 'demo.launch.py'],
                         ids=lambda path: path.name)
def test_names_time_and_topics_reach_the_nodes(launch, path):
    """Catches an argument that is declared and changes nothing."""
    topics = topics_of(path)
    renamed = {topic.strip('/').replace('/', '_'): f'/other/{topic.strip("/")}'
               for topic in topics}
    node = nodes_of(launch, path, robot=str(so101_yaml()), namespace='left', use_sim_time='true',
                    remap='front/image_raw:=/cam', enclave='/left/it', gamepad='false', **renamed,
                    **REQUIRED.get(path.name.split('.')[0], {}))[0]
    assert node.node_name.startswith('/left/')
    rules = dict(node.expanded_remapping_rules)
    assert rules == {**{topic: f'/other/{topic.strip("/")}' for topic in topics},
                     'front/image_raw': '/cam'}
    files = [Path(value).read_text() for value, is_file in node._Node__expanded_parameter_arguments
             if is_file]
    assert any('use_sim_time: true' in text for text in files)
    assert [text for text in map(str, node._Node__ros_arguments)] == [
        '--log-level', 'info', '--enclave', '/left/it']


@pytest.mark.parametrize('text', ['front:=', ':=a', 'front', 'a:=b:=c'])
def test_what_renames_nothing_is_refused(launch, text):
    """Catches a misspelt remap: the policy would wait for a camera forever."""
    from trimodal_ros.nodes.launching import read_remap
    with pytest.raises(ValueError, match='FROM:=TO'):
        read_remap(text)


def test_demo_stays_on_this_machine(launch, monkeypatch):
    """Catches an action that Jazzy's launch does not know, and a launch that joins the robots of
    everybody's domain 0.
    """
    from trimodal_ros.nodes.private_graph import DOMAINS
    for name in ('ROS_DOMAIN_ID', 'ROS_AUTOMATIC_DISCOVERY_RANGE',
                 'FASTRTPS_DEFAULT_PROFILES_FILE'):
        monkeypatch.setenv(name, 'to be replaced')
    module, context = load(TOP / 'launch' / 'demo.launch.py'), launch.LaunchContext()
    for entity in module.generate_launch_description().entities:
        if not isinstance(entity, launch.actions.OpaqueFunction):
            entity.visit(context)
    actions = module.start_nodes(context)
    assert len(actions) == 6
    actions[0].visit(context)
    assert os.environ['FASTRTPS_DEFAULT_PROFILES_FILE'].endswith('fastdds.xml')
    assert os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'
    assert 0 < int(os.environ['ROS_DOMAIN_ID']) <= 101
    assert int(os.environ['ROS_DOMAIN_ID']) not in DOMAINS


@pytest.mark.parametrize('ending', ['pass', 'raise SystemExit(1)'])
def test_launch_fails_where_its_demo_does(launch, ending):
    """Catches a failed demo that a script takes for a good one, and nodes left running."""
    from trimodal_ros.nodes.launching import end_after
    forever = launch.actions.ExecuteProcess(
        cmd=[sys.executable, '-c', 'import signal; signal.pause()'])
    demo = launch.actions.ExecuteProcess(cmd=[sys.executable, '-c', ending])
    service = launch.LaunchService(noninteractive=True)
    service.include_launch_description(launch.LaunchDescription([
        end_after(demo), forever, demo]))
    assert service.run() == (0 if ending == 'pass' else 1)


RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
service = LaunchService(noninteractive=True)
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
    PythonLaunchDescriptionSource(sys.argv[1]),
    launch_arguments=[tuple(each.split(':=', 1)) for each in sys.argv[2:]])]))
raise SystemExit(service.run())
"""


@contextmanager
def launched(name: str, folder: Path, **arguments):
    """Launch a file in a process; yield the path of its log. It must end when it is told to."""
    command = [sys.executable, '-c', RUN, TOP / 'launch' / f'{name}.launch.py',
               *(f'{argument}:={value}' for argument, value in arguments.items())]
    log = folder / f'{name}.log'
    with log.open('w') as file:
        process = subprocess.Popen(command, cwd=folder, stdout=file, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        yield log
        process.send_signal(signal.SIGINT)
        process.wait(60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def driver(ros, so101):
    """Cameras, arm and controller of a robot in the namespace left, with its inputs silent."""
    from driver import Driver
    from graph import spinning
    driver = Driver(so101, namespace='left')
    driver.listen_to('policy')
    driver.silent.update(('front', 'joints'))
    with spinning(driver):
        yield driver


def state_of(driver) -> int:
    """Return the policy's state; asked again and again: one killed is on the graph a while."""
    from graph import wait_for
    from lifecycle_msgs.srv import GetState
    client, since, asked = driver.create_client(GetState, 'policy/get_state'), driver.rounds, []

    def answered():
        if client.service_is_ready() and driver.rounds - since >= 10 * len(asked):
            asked.append(client.call_async(GetState.Request()))
        return [future for future in asked if future.done()]
    return wait_for(answered, 'the state of the policy')[-1].result().current_state.id


def pids_in(log: Path) -> list[int]:
    return [int(pid) for pid in re.findall(r'policy-\d+\]: process started with pid \[(\d+)\]',
                                           log.read_text())]


def test_policy_comes_up_once_its_inputs_do_and_stays_down_after_a_crash(
        launch, prefix, driver, moving_checkpoint, tmp_path):
    """Catches a launch that gives up on a late camera, that commands unasked, and one that sets a
    robot in motion again whose policy has crashed.
    """
    from graph import wait_for
    from lifecycle_msgs.msg import State
    with launched('policy', tmp_path, robot=so101_yaml(), checkpoint=moving_checkpoint,
                  namespace='left') as log:
        wait_for(lambda: any('not activated' in line for line in driver.logged), 'a refusal')
        assert state_of(driver) == State.PRIMARY_STATE_INACTIVE
        driver.silent.clear()
        wait_for(lambda: state_of(driver) == State.PRIMARY_STATE_ACTIVE, 'activation')
        driver.say('put the red cube on the left plate')
        wait_for(lambda: driver.rehearsed, 'a plan in the dry run')
        assert not driver.trajectories
        os.kill(pids_in(log)[0], signal.SIGKILL)
        wait_for(lambda: len(pids_in(log)) == 2, 'a new process')
        assert state_of(driver) == State.PRIMARY_STATE_UNCONFIGURED
        since = driver.rounds   # time in which a launch would have configured it
        wait_for(lambda: driver.rounds > since + 150, 'the driver')
        assert state_of(driver) == State.PRIMARY_STATE_UNCONFIGURED
    assert log.read_text().count('warm-up inference') == 1


def test_policy_that_cannot_be_configured_is_given_up_on(
        launch, prefix, ros, moving_checkpoint, tmp_path):
    """Catches a launch that tries for ever, or ends what it was included in."""
    from graph import wait_for
    with launched('policy', tmp_path, robot=so101_yaml(), checkpoint=tmp_path / 'none') as log:
        wait_for(lambda: 'could not be configured in 5 tries' in log.read_text(), 'the end of it')
        assert log.read_text().count('not configured') == 5 and len(pids_in(log)) == 1


def test_no_teleop_is_left_running_without_its_gamepad(launch, prefix, ros, tmp_path):
    """Catches a node that nobody ends: launch leaves those running that it started before."""
    from graph import wait_for
    with launched('teleop', tmp_path, robot=so101_yaml()) as log:
        wait_for(lambda: "package 'joy' not found" in log.read_text(), 'the end of it')
    assert 'process started' not in log.read_text()
