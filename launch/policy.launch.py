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
A policy for a robot that runs already: ``ros2 launch trimodal_ros policy.launch.py``.

Nothing reaches the robot before ``dry_run:=false``. The node is configured, and activated as soon
as its inputs are alive; after its process has ended by itself it is started again and left
unconfigured. Two robots are two launches, each with its ``namespace``.
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import LifecycleNode, Node

from launch import LaunchDescription
from trimodal_ros.nodes.launching import (
    ACTIVATE,
    BringUp,
    common_arguments,
    CONFIGURE,
    environment,
    make_node,
    NONE,
    Settings,
    share,
    shared_argument,
    switch,
)

TOPICS = ('joint_states', 'instruction', 'robot_description', 'joint_trajectory', 'takeover',
          'stopped', '/diagnostics')


def generate_launch_description():
    return LaunchDescription([
        shared_argument('robot'),
        shared_argument('checkpoint'),
        switch('dry_run', True, 'Send plans to ~/debug/joint_trajectory, not to the robot'),
        DeclareLaunchArgument(
            'bring_up', default_value=ACTIVATE, choices=[NONE, CONFIGURE, ACTIVATE],
            description='How far the node is taken up by itself'),
        shared_argument('device'),
        shared_argument('urdf'),
        shared_argument('stop_topic'),
        *common_arguments(TOPICS, params_file=share('config', 'policy.yaml')),
        OpaqueFunction(function=start_nodes),
    ])


def start_nodes(context):
    """Start the policy once the arguments are known."""
    settings = Settings(context)
    node_class = Node if settings['bring_up'] == NONE else LifecycleNode
    policy = make_node(
        settings, 'policy', TOPICS, node_class=node_class,
        parameters={'dry_run': settings.is_on('dry_run'), **settings.texts(
            'robot', 'checkpoint', 'device', 'urdf', 'stop_topic')})
    return [*environment(settings), *BringUp(policy, settings['bring_up']).actions(), policy]
