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
The parameters of a joint_trajectory_controller, on a node that stands in for it.

They are read-only and below the controller's name, since one node may stand in for several.
"""

from __future__ import annotations

from collections.abc import Mapping

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

from ..spec import ControllerSpec, RobotSpec
from ..spec.controller import CONTROLLER_RULES

AS_SHIPPED = {   # joint_trajectory_controller_parameters.yaml of ros2_controllers (Jazzy)
    'cmd_timeout': 0.0,
    'constraints.goal_time': 0.0,
    'constraints.stopped_velocity_tolerance': 0.01,
}
SIMULATED = {**CONTROLLER_RULES, 'command_interfaces': ['position'],
             'state_interfaces': ['position', 'velocity']}
DESCRIPTION = ParameterDescriptor(
    description='As of a joint_trajectory_controller, which this node stands in for',
    read_only=True)


def declare_controller(node: Node, robot: RobotSpec, group: ControllerSpec,
                       rules: Mapping | None = None) -> None:
    """Declare what one of the robot's controllers is set to; ``rules`` are what it goes by."""
    joints = list(robot.parts[group.topic].commanded_names)
    for name, value in {'joints': joints, **AS_SHIPPED, **SIMULATED, **(rules or {})}.items():
        node.declare_parameter(f'{group.name}.{name}', value, DESCRIPTION)
