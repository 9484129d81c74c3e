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

"""Parameters of the policy node: one row each, with range and description."""

from __future__ import annotations

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

TEXTS = {
    'checkpoint': ('', 'Checkpoint folder'),
    'robot': ('', 'Robot YAML: joints, cameras, rate and horizon'),
    'device': ('auto', "Where the model runs: 'auto', 'cuda' or 'cpu'"),
}
NUMBERS = {  # default, least, most, description
    'replan_period_s': (0.6, 0.05, 5.0, 'Time between plans; shorter than the chunk'),
    'max_command_age_s': (0.25, 0.01, 2.0, 'Oldest image a command may be based on'),
    'max_camera_age_s': (0.3, 0.01, 2.0, 'A camera older than this holds the robot'),
    'max_joints_age_s': (0.2, 0.01, 2.0, 'Joint states older than this hold the robot'),
    'max_camera_skew_s': (0.05, 0.0, 1.0, "Largest difference between the cameras' stamps"),
}
THREADS = (1, 1, 64, 'CPU threads of the model')


def declare_parameters(node: Node) -> None:
    """Declare all of them, read-only: they are taken over on configure."""
    for name, (default, description) in TEXTS.items():
        node.declare_parameter(name, default, ParameterDescriptor(
            description=description, read_only=True))
    for name, (default, least, most, description) in NUMBERS.items():
        limits = FloatingPointRange(from_value=least, to_value=most)
        node.declare_parameter(name, default, ParameterDescriptor(
            description=description, floating_point_range=[limits], read_only=True))
    default, least, most, description = THREADS
    node.declare_parameter('threads', default, ParameterDescriptor(
        description=description, read_only=True,
        integer_range=[IntegerRange(from_value=least, to_value=most, step=1)]))
