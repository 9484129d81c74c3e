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
    ExecuteProcess,
    OpaqueFunction,
)

from launch import LaunchDescription
from trimodal_ros.nodes.launching import (
    common_arguments,
    end_after,
    environment,
    go_on_after,
    graph_of_its_own,
    make_node,
    Settings,
    share,
    shared_argument,
    switch,
)
from trimodal_ros.paths import shipped
from trimodal_ros.spec import RobotSpec
from trimodal_ros.spec.topics import inputs_pattern

TOPICS = ('joint_states', 'instruction', 'joint_trajectory', '/diagnostics')
CLOCK_HZ = '100'


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
            'played', default_value='',
            description='Regular expression of the topics that are played; empty for those that '
                        'the robot YAML makes a policy listen to, what was commanded among them'),
        *graph_of_its_own(),
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
    played = settings['played'] or inputs_pattern(RobotSpec.from_yaml(settings['robot']))
    play = ExecuteProcess(
        cmd=['ros2', 'bag', 'play', settings['bag'], '--clock', CLOCK_HZ,
             '--rate', settings['rate'], '--regex', played,
             '--disable-keyboard-controls', *(['--loop'] if settings.is_on('loop') else [])],
        output='screen')
    return [*environment(settings), go_on_after(configure, [play, activate]),
            go_on_after(activate, []), end_after(play), end_after(policy), policy, configure]
