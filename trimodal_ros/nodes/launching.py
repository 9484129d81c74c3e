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
What the launch files share: the arguments every node has, the node they make, its way up.

Imports nothing but ``launch``, ``launch_ros`` and lifecycle_msgs: what runs ``ros2 launch`` may be
a Python that has never heard of torch.
"""

from __future__ import annotations

from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    TimerAction,
)
from launch.event_handlers import OnProcessExit, OnProcessStart
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.parameter_descriptions import ParameterValue
from lifecycle_msgs.msg import Transition

from launch import LaunchContext, logging

from ..paths import share_dir

PACKAGE = 'trimodal_ros'
NONE, CONFIGURE, ACTIVATE = 'none', 'configure', 'activate'
DOMAIN = '101'  # of those Linux leaves free the one that the private graphs never take
RESPAWN_DELAY_S, MOST_RESPAWNS = 2.0, 5
RETRY_S, CONFIGURE_TRIES = 2.0, 5
STOP_S = '15'  # for the last hold, or the end of an episode, to be written
SHARED = {
    'robot': {'description': 'Robot YAML: joints, limits, cameras, rate and horizon'},
    'checkpoint': {'description': 'Checkpoint folder'},
    'out': {'description': 'Folder for what is recorded'},
    'device': {'default_value': 'auto', 'choices': ['auto', 'cuda', 'cpu'],
               'description': 'Where the model runs'},
    'urdf': {'default_value': '', 'description': "URDF whose limits count where they are tighter: "
                                                 "a file, 'topic' for robot_description, or ''"},
    'stop_topic': {'default_value': '', 'description': 'std_msgs/Bool topic that stops the robot, '
                                                       'by silence too; empty for none'},
}


def share(*parts: str) -> str:
    """Return a path under the share folder of the package."""
    return str(share_dir().joinpath(*parts))


def switch(name: str, default: bool, description: str) -> DeclareLaunchArgument:
    """Declare an argument that is 'true' or 'false'."""
    return DeclareLaunchArgument(name, default_value=str(default).lower(),
                                 choices=['true', 'false'], description=description)


def shared_argument(name: str, **default: str) -> DeclareLaunchArgument:
    """Declare one of SHARED; where neither that nor ``default`` has a default, it is required."""
    return DeclareLaunchArgument(name, **{**SHARED[name], **default})


def common_arguments(topics: tuple[str, ...], params_file: str = '', dds_profile: str = '',
                     respawn: bool = True) -> list:
    """
    Declare what every launch file takes; the rest are defaults.

    ``topics``, as the nodes name them, become one argument each; what is left, such as the
    cameras that the robot YAML names, is renamed by ``remap``.
    """
    return [
        DeclareLaunchArgument(
            'namespace', default_value='', description='ROS namespace: one a robot'),
        switch('use_sim_time', False, 'Take the time from /clock'),
        DeclareLaunchArgument(
            'log_level', default_value='info',
            choices=['debug', 'info', 'warn', 'error', 'fatal'], description='What is logged'),
        switch('respawn', respawn, 'Start a process that ended by itself again, '
                                f'after {RESPAWN_DELAY_S:g} s, {MOST_RESPAWNS} times at most'),
        DeclareLaunchArgument(
            'params_file', default_value=params_file,
            description='YAML of further parameters; the arguments here count more'),
        DeclareLaunchArgument(
            'enclave', default_value='',
            description='Security enclave of the nodes; empty where security is off'),
        DeclareLaunchArgument(
            'dds_profile', default_value=dds_profile,
            description='Profile of Fast DDS: fastdds.xml of this package for images larger than '
                        '512 kB on one computer; empty for none'),
        *(DeclareLaunchArgument(
            argument_of(topic), default_value=topic,
            description=f'Topic used for {topic}') for topic in topics),
        DeclareLaunchArgument(
            'remap', default_value='',
            description="Further names: 'FROM:=TO FROM:=TO', as of the robot YAML's cameras"),
    ]


def argument_of(topic: str) -> str:
    """
    Return the name of the argument that renames a topic.

    >>> argument_of('leader/joint_states')
    'leader_joint_states'
    """
    return topic.strip('/').replace('/', '_')


class Settings:
    """The arguments of a launch, once they are known."""

    def __init__(self, context: LaunchContext):
        self._values = context.launch_configurations

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def is_on(self, name: str) -> bool:
        return self[name] == 'true'

    def texts(self, *names: str) -> dict:
        """Return parameters that are named as the arguments; empty ones are left to the node."""
        return {name: ParameterValue(self[name], value_type=str) for name in names if self[name]}


def environment(settings: Settings) -> list:
    """Return the actions that set what all processes share."""
    profile = settings['dds_profile']
    name = 'FASTRTPS_DEFAULT_PROFILES_FILE'
    return [SetEnvironmentVariable(name, profile)] if profile else []


def graph_of_its_own() -> list:
    """Return the argument and actions that keep all processes to one domain of this machine."""
    return [
        DeclareLaunchArgument(
            'domain', default_value=DOMAIN,
            description='ROS_DOMAIN_ID of all of it: one that no robot uses, 0 to 101'),
        SetEnvironmentVariable('ROS_DOMAIN_ID', LaunchConfiguration('domain')),
        SetEnvironmentVariable('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')]


def go_on_after(process, actions: list) -> RegisterEventHandler:
    """Start actions when a process has ended; one that failed raises, and launch exits with 1."""
    def on_exit(event, context):
        if event.returncode != 0 and not context.is_shutdown:
            raise RuntimeError(f'{event.process_name} failed with exit code {event.returncode}')
        return actions
    return RegisterEventHandler(OnProcessExit(target_action=process, on_exit=on_exit))


def end_after(process) -> RegisterEventHandler:
    """Shut everything down when a process has ended."""
    return go_on_after(process, [EmitEvent(event=Shutdown(reason='what was started is done'))])


def make_node(settings: Settings, executable: str, topics: tuple[str, ...] = (),
              parameters: dict | None = None, package: str = PACKAGE, node_class=Node,
              **options) -> Node:
    """
    Return a node named as its executable, with all that the common arguments say.

    ``params_file`` comes first, so that ``parameters`` count. Raises ValueError for a ``remap``
    that can't be read.
    """
    given = {'use_sim_time': settings.is_on('use_sim_time'), **(parameters or {})}
    files = [settings['params_file']] if settings['params_file'] else []
    ours = package == PACKAGE   # another's node is to have no rights of ours
    enclave = ['--enclave', settings['enclave']] if ours and settings['enclave'] else []
    renamed = [(topic, settings[argument_of(topic)]) for topic in topics]
    return node_class(**{
        'package': package, 'executable': executable, 'name': executable,
        'namespace': settings['namespace'], 'output': 'screen', 'parameters': [*files, given],
        'remappings': [*renamed, *read_remap(settings['remap'])],
        'ros_arguments': ['--log-level', settings['log_level'], *enclave],
        'respawn': settings.is_on('respawn'), 'respawn_delay': RESPAWN_DELAY_S,
        'respawn_max_retries': MOST_RESPAWNS, 'sigterm_timeout': STOP_S,
        'sigkill_timeout': STOP_S, **options})


def read_remap(text: str) -> list[tuple[str, str]]:
    """
    Return the pairs of 'FROM:=TO FROM:=TO'; raises ValueError for anything else.

    >>> read_remap('front/image_raw:=/cam/image wrist/image_raw:=/wrist/image')
    [('front/image_raw', '/cam/image'), ('wrist/image_raw', '/wrist/image')]
    """
    pairs = [tuple(part.split(':=')) for part in text.split()]
    for pair in pairs:
        if len(pair) != 2 or not all(pair):
            raise ValueError(f'remap: {":=".join(pair)!r} is not FROM:=TO')
    return pairs


class BringUp:
    """
    Takes a lifecycle node up, once, by launch's own events.

    Inputs may come later than the node, so what is refused is asked for again. It ends where the
    goal is reached or a person changes the state: a node that is started again after its process
    has ended stays unconfigured, for somebody to see why.
    """

    def __init__(self, node: LifecycleNode, goal: str):
        self._node, self._goal, self._tries = node, goal, 0
        self._is_over = goal == NONE

    def actions(self) -> list:
        """Return the handlers to register before the node starts."""
        if self._is_over:
            return []
        configure = OnProcessStart(target_action=self._node, handle_once=True,
                                   on_start=[self._ask(Transition.TRANSITION_CONFIGURE)])
        follow = OnStateTransition(target_lifecycle_node=self._node,
                                   entities=[OpaqueFunction(function=self._follow)])
        return [RegisterEventHandler(configure), RegisterEventHandler(follow)]

    def _ask(self, transition: int) -> EmitEvent:
        return EmitEvent(event=ChangeState(
            lifecycle_node_matcher=lambda node: node is self._node, transition_id=transition))

    def _follow(self, context: LaunchContext) -> list:
        if self._is_over:
            return []
        event = context.locals.event
        step = event.start_state, event.goal_state
        if step == ('configuring', 'unconfigured'):
            return self._try_again_to_configure()
        if step == ('configuring', 'inactive') and self._goal == ACTIVATE:
            return [self._ask(Transition.TRANSITION_ACTIVATE)]
        if step == ('activating', 'inactive'):
            return self._later(Transition.TRANSITION_ACTIVATE)
        self._is_over = event.goal_state not in ('configuring', 'activating')
        return []

    def _try_again_to_configure(self) -> list:
        self._tries += 1
        if self._tries < CONFIGURE_TRIES:
            return self._later(Transition.TRANSITION_CONFIGURE)
        self._is_over = True
        logging.get_logger('bring_up').error(
            f'{self._node.node_name} could not be configured in {CONFIGURE_TRIES} tries; its log '
            f'says why. When that is mended: ros2 lifecycle set {self._node.node_name} configure')
        return []

    def _later(self, transition: int) -> list:
        def ask(context):
            return [] if self._is_over else [self._ask(transition)]
        return [TimerAction(period=RETRY_S, actions=[OpaqueFunction(function=ask)])]
