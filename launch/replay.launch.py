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
A recording into the policy node, on a machine with ROS 2 Jazzy.

``ros2 launch trimodal_ros replay.launch.py bag:=FOLDER`` plays it by ``ros2 bag play --clock``,
and the node decides in a dry run, in the time of the recording: nothing it plans is obeyed. Ends
with the bag, and fails where playing it or the node does. ``~/decision`` and ``~/debug/*`` tell
what was decided, and the node's log at the end how long it took.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
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
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription

SHARE = Path(get_package_share_directory('trimodal_ros'))
DOMAIN = '101'   # of those Linux leaves free the one that the private graphs never take
CLOCK_HZ = '100'
# ros2 bag play --topics makes names absolute, and recordings have relative ones: a pattern.
TOPICS = '/?(.*/image_raw|joint_states|instruction|joint_trajectory)'


def generate_launch_description():
    arguments = [
        DeclareLaunchArgument('bag', description='Recording: a rosbag2 directory'),
        DeclareLaunchArgument(
            'checkpoint', default_value=str(SHARE / 'models' / 'so101_tabletop'),
            description='Checkpoint folder that decides'),
        DeclareLaunchArgument(
            'shadow_checkpoint', default_value='',
            description='Checkpoint folder that decides beside it, on ~/shadow/; empty for none'),
        DeclareLaunchArgument(
            'robot', default_value=str(SHARE / 'config' / 'robots' / 'so101.yaml'),
            description='Robot YAML: joints, cameras, rate and horizon'),
        DeclareLaunchArgument(
            'rate', default_value='1.0', description='Times as fast as it was recorded'),
        DeclareLaunchArgument(
            'loop', default_value='false', choices=['true', 'false'],
            description='Begin again at the end; the node holds, and goes on, as the clock jumps'),
        DeclareLaunchArgument(
            'topics', default_value=TOPICS,
            description='Regular expression of the topics that are played. joint_trajectory is '
                        'what was commanded, and plans go on from it'),
        DeclareLaunchArgument(
            'replan_period_s', default_value='0.6', description='Time between plans, in seconds'),
        DeclareLaunchArgument(
            'device', default_value='auto', choices=['auto', 'cuda', 'cpu'],
            description='Where the model runs'),
        DeclareLaunchArgument(
            'domain', default_value=DOMAIN,
            description='ROS_DOMAIN_ID of all of it: one that no robot uses, 0 to 101'),
    ]
    return LaunchDescription([
        *arguments,
        SetEnvironmentVariable('ROS_DOMAIN_ID', LaunchConfiguration('domain')),
        SetEnvironmentVariable('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST'),
        SetEnvironmentVariable(
            'FASTRTPS_DEFAULT_PROFILES_FILE', str(SHARE / 'config' / 'fastdds.xml')),
        OpaqueFunction(function=start_nodes),
    ])


def start_nodes(context):
    """Start the node, then the bag, and activate the node on what comes of it."""
    def value(name):
        return LaunchConfiguration(name).perform(context)
    policy = Node(
        package='trimodal_ros', executable='policy', name='policy', namespace='',
        output='screen', parameters=[{
            'checkpoint': value('checkpoint'), 'shadow_checkpoint': value('shadow_checkpoint'),
            'robot': value('robot'), 'device': value('device'),
            'replan_period_s': float(value('replan_period_s')), 'dry_run': True,
            'follow_commands': True, 'use_sim_time': True}])
    configure, activate = (Node(
        package='trimodal_ros', executable='bring_up', name=f'{only}_policy', namespace='',
        output='screen', arguments=['--only', only]) for only in ('configure', 'activate'))
    play = ExecuteProcess(
        cmd=['ros2', 'bag', 'play', value('bag'), '--clock', CLOCK_HZ, '--rate', value('rate'),
             '--regex', value('topics'), '--disable-keyboard-controls',
             *(['--loop'] if value('loop') == 'true' else [])], output='screen')
    then = [(configure, follow('configuring', [play, activate])),
            (activate, follow('activating', [])), (play, end), (policy, end)]
    return [policy, configure, *(RegisterEventHandler(OnProcessExit(
        target_action=action, on_exit=on_exit)) for action, on_exit in then)]


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
