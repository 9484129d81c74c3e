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

"""Parameters that nodes share: rows with range and description, the robot and where it may be."""

from __future__ import annotations

from pathlib import Path

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from .ros import parameter
from ..command.arm import Check
from ..command.decision import Rules
from ..command.workspace import WorkspaceBox
from ..spec.robot_file import read_robot_file, RobotFile
from ..spec.urdf import apply_urdf_limits

TOPIC = 'topic'
ROBOT_TEXTS = {
    'robot': ('', 'Robot YAML: joints, limits, cameras, rate and horizon'),
    'urdf': ('', "URDF whose limits count where they are tighter than the YAML's: a file, "
                 "'topic' for robot_description, or '' for the one that the YAML names, if any"),
    'workspace_frame': ('', "Link of the URDF that stays in the workspace box; '' for none"),
    'stop_topic': ('', "std_msgs/Bool topic, true stops, silence too; '' for none"),
}
ROBOT_NUMBERS = {  # default, least, most, description
    'max_tracking_error_rad': (Rules.max_tracking_error_rad, 0.05, 3.2,
                               'An arm joint further than this from its command holds the robot'),
    'max_stop_topic_age_s': (1.0, 0.05, 10.0, 'A stop topic silent for longer stops the robot'),
}
CORNERS = {
    'workspace_lower_m': ([-1.0, -1.0, 0.0], "Lower corner of the box in the URDF's root, m"),
    'workspace_upper_m': ([1.0, 1.0, 1.0], "Upper corner of the box in the URDF's root, m"),
}


def declare_plain(node: Node, rows: dict, read_only: bool = False) -> None:
    """Declare parameters of rows (default, description)."""
    for name, (default, description) in rows.items():
        node.declare_parameter(name, default, ParameterDescriptor(
            description=description, read_only=read_only))


def declare_numbers(node: Node, rows: dict, read_only: bool = False) -> None:
    """Declare parameters of rows (default, least, most, description)."""
    for name, (default, least, most, description) in rows.items():
        limits = FloatingPointRange(from_value=least, to_value=most)
        node.declare_parameter(name, default, ParameterDescriptor(
            description=description, read_only=read_only, floating_point_range=[limits]))


def declare_whole_numbers(node: Node, rows: dict, read_only: bool = False) -> None:
    """Declare parameters of rows (default, least, most, description)."""
    for name, (default, least, most, description) in rows.items():
        limits = IntegerRange(from_value=least, to_value=most, step=1)
        node.declare_parameter(name, default, ParameterDescriptor(
            description=description, read_only=read_only, integer_range=[limits]))


def optional(node: Node, name: str):
    """Return a declared parameter's value, which may be empty."""
    return node.get_parameter(name).value


def read_robot(node: Node, description: str) -> RobotFile:
    """
    Return the robot with the limits that count, and the URDF they are of.

    That is the one that the parameter urdf asks for, or else the robot YAML. ``description`` is
    what came on robot_description, '' before anything did. Raises SpecError where YAML and URDF
    don't fit, ValueError where a URDF is missing.
    """
    file, where = read_robot_file(parameter(node, 'robot')), optional(node, 'urdf')
    if not where:
        return file
    if where == TOPIC and not description:
        raise ValueError("urdf is 'topic' and nothing has come on robot_description yet; "
                         'start robot_state_publisher, or name a file')
    urdf = description if where == TOPIC else Path(where).read_text()
    return RobotFile(apply_urdf_limits(file.robot, urdf), urdf)


def read_check(node: Node, here: RobotFile) -> Check:
    """Return the check of the workspace. Raises ValueError where the URDF for one is missing."""
    frame = optional(node, 'workspace_frame')
    if not frame:
        return lambda trajectory: None
    if not here.urdf:
        raise ValueError('workspace_frame needs the parameter urdf: links are named there')
    corners = (optional(node, name) for name in CORNERS)
    return WorkspaceBox(here.urdf, here.robot, frame, *corners).check
