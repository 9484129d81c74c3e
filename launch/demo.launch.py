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
The main job on a machine with ROS 2 Jazzy: ``ros2 launch trimodal_ros demo.launch.py``.

Simulated robot, policy and recorder; the demo gives the instructions and ends the launch, which
fails where the demo does.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
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
DOMAIN = '101'  # of those Linux leaves free the one that the private graphs never take


def generate_launch_description():
    arguments = [
        DeclareLaunchArgument(
            'checkpoint', default_value=str(SHARE / 'models' / 'so101_tabletop'),
            description='Checkpoint folder'),
        DeclareLaunchArgument(
            'robot', default_value=str(SHARE / 'config' / 'robots' / 'so101.yaml'),
            description='Robot YAML: joints, cameras, rate and horizon'),
        DeclareLaunchArgument(
            'out', default_value='out/demo', description='Folder for page, films and episodes'),
        DeclareLaunchArgument(
            'instruction', default_value='',
            description='One sentence of your own instead of the six shown'),
        DeclareLaunchArgument(
            'device', default_value='auto', choices=['auto', 'cuda', 'cpu'],
            description='Where the model runs'),
        DeclareLaunchArgument(
            'viewer', default_value='true', choices=['true', 'false'],
            description='Open a window when there is a display'),
        DeclareLaunchArgument(
            'domain', default_value=DOMAIN,
            description='ROS_DOMAIN_ID of all of it: one that no other robot uses, 0 to 101'),
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
    """Start everything once the arguments are known."""
    def value(name):
        return LaunchConfiguration(name).perform(context)
    out = Path(value('out')).resolve()
    simulated_robot = Node(
        package='trimodal_ros', executable='simulated_robot', name='simulated_robot',
        namespace='', output='screen', parameters=[{'viewer': value('viewer') == 'true'}])
    policy = Node(
        package='trimodal_ros', executable='policy', name='policy', namespace='',
        output='screen', parameters=[{
            'checkpoint': value('checkpoint'), 'robot': value('robot'),
            'device': value('device'), 'dry_run': False}])
    recorder = Node(
        package='trimodal_ros', executable='recorder', name='recorder', namespace='',
        output='screen', parameters=[{'out': str(out / 'episodes'), 'robot': value('robot')}])
    demo = Node(
        package='trimodal_ros', executable='demo', name='demo', namespace='', output='screen',
        arguments=['--attach', '--out', str(out), '--checkpoint', value('checkpoint'),
                   '--robot', value('robot'), '--instruction', value('instruction')])
    ended = RegisterEventHandler(OnProcessExit(target_action=demo, on_exit=end))
    return [simulated_robot, policy, recorder, demo, ended]


def end(event, context):
    """Shut everything down; a failed demo raises: launch logs that and exits with 1."""
    if event.returncode != 0 and not context.is_shutdown:
        raise RuntimeError(f'the demo failed with exit code {event.returncode}')
    return [EmitEvent(event=Shutdown(reason='the demo has ended'))]
