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
Teleoperation of a robot that runs already: ``ros2 launch trimodal_ros teleop.launch.py``.

Starts the driver of a gamepad, too. For keys: ``gamepad:=false mapping:=keyboard.yaml``, and
``ros2 run trimodal_ros teleop_keyboard`` in a terminal beside it.
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction

from launch import LaunchDescription
from trimodal_ros.nodes.launching import (
    common_arguments,
    environment,
    make_node,
    Settings,
    shared_argument,
    switch,
)

TOPICS = ('joy', 'joint_states', 'leader/joint_states', 'robot_description', 'joint_trajectory',
          'takeover', 'stopped', '/diagnostics')
JOY_TOPICS = ('joy',)


def generate_launch_description():
    return LaunchDescription([
        shared_argument('robot'),
        DeclareLaunchArgument(
            'mapping', default_value='teleop.yaml',
            description='Axes and buttons: a file, or one of config/ in this package'),
        switch('gamepad', True, "Start joy_node of the package 'joy'"),
        shared_argument('urdf'),
        DeclareLaunchArgument(
            'tool_frame', default_value='',
            description='Link of the URDF that cartesian mode moves; empty for no such mode'),
        switch('leader', False, 'Follow leader/joint_states in leader mode'),
        shared_argument('stop_topic'),
        *common_arguments(TOPICS),
        OpaqueFunction(function=start_nodes),
    ])


def start_nodes(context):
    """Start teleop and the gamepad once the arguments are known."""
    settings = Settings(context)
    teleop = make_node(settings, 'teleop', TOPICS, {
        'leader': settings.is_on('leader'),
        **settings.texts('robot', 'mapping', 'urdf', 'tool_frame', 'stop_topic')})
    # Before teleop: launch ends at a package that isn't there, and leaves running what it started.
    gamepad = [make_node(settings, 'joy_node', JOY_TOPICS, package='joy')] if settings.is_on(
        'gamepad') else []
    return [*environment(settings), *gamepad, teleop]
