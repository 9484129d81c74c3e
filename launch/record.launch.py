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
A recorder for a robot that runs already: ``ros2 launch trimodal_ros record.launch.py``.

``ros2 run trimodal_ros console`` in a terminal beside it records by keys; with a namespace add
``--ros-args -r __ns:=/NAMESPACE``.
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

TOPICS = ('joint_states', 'leader/joint_states', 'instruction', 'joint_trajectory', 'takeover',
          'stopped', 'joy', '/diagnostics')


def generate_launch_description():
    return LaunchDescription([
        shared_argument('robot'),
        shared_argument('out'),
        DeclareLaunchArgument(
            'topics', default_value='',
            description="YAML of what to record; empty for the package's config/recorder.yaml"),
        DeclareLaunchArgument(
            'images', default_value='raw', choices=['raw', 'compressed', 'jpeg'],
            description='How cameras are recorded'),
        DeclareLaunchArgument('operator', default_value='', description='Who operates'),
        switch('automatic', False, 'An instruction begins an episode, the next one ends it'),
        *common_arguments(TOPICS),
        OpaqueFunction(function=start_nodes),
    ])


def start_nodes(context):
    """Start the recorder once the arguments are known."""
    settings = Settings(context)
    recorder = make_node(settings, 'recorder', TOPICS, {
        'automatic': settings.is_on('automatic'),
        **settings.texts('robot', 'out', 'topics', 'images', 'operator')})
    return [*environment(settings), recorder]
