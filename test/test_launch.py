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
What the launch files do, where ROS's launch is installed.

No wheel brings launch and launch_ros; where they are missing these tests are skipped.
"""

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
from test_launch_files import EXECUTABLES, FILES, TOP, topics_of


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
