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

from launch.actions import (
    DeclareLaunchArgument,
    OpaqueFunction,
)

from launch import LaunchDescription
from trimodal_ros.nodes.launching import (
    common_arguments,
    end_after,
    environment,
    graph_of_its_own,
    make_node,
    Settings,
    share,
    shared_argument,
    switch,
)
from trimodal_ros.paths import shipped


def generate_launch_description():
    arguments = [
        shared_argument('checkpoint', default_value=str(shipped().checkpoint)),
        shared_argument('robot', default_value=str(shipped().robot)),
        shared_argument('out', default_value='out/demo'),
        DeclareLaunchArgument(
            'instruction', default_value='',
            description='One sentence of your own instead of the six shown'),
        shared_argument('device'),
        switch('viewer', True, 'Open a window when there is a display'),
        *graph_of_its_own(),
        *common_arguments((), dds_profile=share('config', 'fastdds.xml'), respawn=False),
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start_nodes)])


def start_nodes(context):
    """Start everything once the arguments are known."""
    settings = Settings(context)
    out = Path(settings['out']).resolve()
    simulated_robot = make_node(settings, 'simulated_robot', parameters={
        'viewer': settings.is_on('viewer')})
    policy = make_node(settings, 'policy', parameters={
        'dry_run': False, **settings.texts('checkpoint', 'robot', 'device')})
    recorder = make_node(settings, 'recorder', parameters={
        'out': str(out / 'episodes'), **settings.texts('robot')})
    demo = make_node(settings, 'demo', respawn=False, arguments=[
        '--attach', '--out', str(out), '--checkpoint', settings['checkpoint'],
        '--robot', settings['robot'], '--instruction', settings['instruction']])
    return [*environment(settings), simulated_robot, policy, recorder, demo, end_after(demo)]
