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
A recording played into the policy: ``ros2 launch trimodal_ros replay.launch.py bag:=FOLDER``.

``ros2 bag play --clock`` plays it, and the node decides in a dry run, in the recording's time:
nothing it plans is obeyed. Ends with the bag, and fails where playing it or the node does.
``~/decision`` and ``~/debug/*`` tell what was decided, and the node's log at the end how long that
took.
"""

from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown

from launch import LaunchDescription
from trimodal_ros.nodes.launching import (
    common_arguments,
    environment,
    make_node,
    Settings,
    share,
    shared_argument,
    switch,
)
from trimodal_ros.paths import shipped

TOPICS = ('joint_states', 'instruction', 'joint_trajectory', '/diagnostics')
DOMAIN = '101'   # of those Linux leaves free the one that the private graphs never take
CLOCK_HZ = '100'
# ros2 bag play --topics makes names absolute, and recordings have relative ones: a pattern.
PLAYED = '/?(.*/image_raw|joint_states|instruction|joint_trajectory)'


def generate_launch_description():
    return LaunchDescription([
        DeclareLaunchArgument('bag', description='Recording: a rosbag2 directory'),
        shared_argument('checkpoint', default_value=str(shipped().checkpoint)),
        DeclareLaunchArgument(
            'shadow_checkpoint', default_value='',
            description='Checkpoint folder that decides beside it, on ~/shadow/; empty for none'),
        shared_argument('robot', default_value=str(shipped().robot)),
        shared_argument('device'),
        DeclareLaunchArgument(
            'rate', default_value='1.0', description='Times as fast as it was recorded'),
        switch('loop', False, 'Begin again at the end; the node holds, and goes on, as the clock '
                              'jumps'),
        DeclareLaunchArgument(
            'played', default_value=PLAYED,
            description='Regular expression of the topics that are played. joint_trajectory is '
                        'what was commanded, and plans go on from it'),
        DeclareLaunchArgument(
            'domain', default_value=DOMAIN,
            description='ROS_DOMAIN_ID of all of it: one that no robot uses, 0 to 101'),
        *common_arguments(TOPICS, dds_profile=share('config', 'fastdds.xml'), respawn=False),
        OpaqueFunction(function=start_nodes),
    ])


def start_nodes(context):
    """Start the node, then the bag, and activate the node on what comes of it."""
    settings = Settings(context)
    policy = make_node(
        settings, 'policy', TOPICS, parameters={
            'dry_run': True, 'follow_commands': True, 'use_sim_time': True,
            **settings.texts('checkpoint', 'shadow_checkpoint', 'robot', 'device')})
    configure, activate = (make_node(settings, 'bring_up', name=f'{only}_policy', respawn=False,
                                     arguments=['--only', only])
                           for only in ('configure', 'activate'))
    play = ExecuteProcess(
        cmd=['ros2', 'bag', 'play', settings['bag'], '--clock', CLOCK_HZ,
             '--rate', settings['rate'], '--regex', settings['played'],
             '--disable-keyboard-controls', *(['--loop'] if settings.is_on('loop') else [])],
        output='screen')
    then = [(configure, follow('configuring', [play, activate])),
            (activate, follow('activating', [])), (play, end), (policy, end)]
    return [SetEnvironmentVariable('ROS_DOMAIN_ID', settings['domain']),
            SetEnvironmentVariable('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST'),
            *environment(settings),
            *(RegisterEventHandler(OnProcessExit(target_action=action, on_exit=on_exit))
              for action, on_exit in then), policy, configure]


def follow(what, actions):
    """Go on with further actions; where one has failed, so does the launch."""
    def on_exit(event, context):
        if event.returncode != 0 and not context.is_shutdown:
            raise RuntimeError(f'{what} the policy failed with exit code {event.returncode}')
        return actions
    return on_exit


def end(event, context):
    """Shut everything down; what failed raises: launch logs that and exits with 1."""
    if event.returncode != 0 and not context.is_shutdown:
        raise RuntimeError(f'{event.process_name} failed with exit code {event.returncode}')
    return [EmitEvent(event=Shutdown(reason=f'{event.process_name} has ended'))]
