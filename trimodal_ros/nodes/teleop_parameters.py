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

"""Parameters of the teleop node: one row each, with range and description; what they build."""

from __future__ import annotations

from dataclasses import replace

from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from .robot_parameters import (
    CORNERS,
    declare_numbers,
    declare_plain,
    optional,
    read_check,
    ROBOT_NUMBERS,
    ROBOT_TEXTS,
)
from ..command.arm import Arm
from ..command.cartesian import CartesianJog
from ..command.hand import HandRules
from ..command.jog import Pace
from ..command.leader import Leader, LeaderRules
from ..command.steering import JOINT, Speeds, Steering
from ..command.stick import Mapping, mapping_file
from ..observe.freshness import Freshness
from ..spec import RobotSpec
from ..spec.robot_file import RobotFile

DEFAULT_MAPPING = 'teleop.yaml'
TEXTS = {
    **ROBOT_TEXTS,
    'mapping': (DEFAULT_MAPPING, 'Axes and buttons: a file, or one in the share folder config/'),
    'mode': (JOINT, "Mode at first: 'joint', 'cartesian' or 'leader'; may be changed"),
    'tool_frame': ('', "Link of the URDF that cartesian mode moves; '' for no such mode"),
    'leader': (False, 'Follow leader/joint_states in leader mode'),
    'leader_far': (LeaderRules.far, "A leader far from the robot: 'approach' it slowly or "
                                    "'refuse' it until it comes near"),
}
SPEEDS = {  # default, least, most, description
    'joint_rad_s': (Speeds.joint_rad_s, 0.01, 6.3, 'A joint at full stick, joint mode'),
    'gripper_rad_s': (Speeds.gripper_rad_s, 0.01, 6.3, 'A gripper at full stick'),
    'tool_m_s': (Speeds.tool_m_s, 0.001, 2.0, 'The tool at full stick, cartesian mode'),
    'tool_rad_s': (Speeds.tool_rad_s, 0.01, 6.3, "The tool's turn at full stick"),
}
NUMBERS = {
    **ROBOT_NUMBERS,
    'max_age_s': (Freshness.max_age_s, 0.01, 2.0,
                  'Joint states older than this, by their stamp, hold the robot'),
    'max_joy_age_s': (HandRules.max_joy_age_s, 0.05, 2.0,
                      'A Joy older than this, by its stamp or since it came, holds the robot'),
    'release_s': (HandRules.release_s, 0.0, 10.0,
                  'Without a dead-man button: a stick at rest for so long gives the robot back'),
    'ramp_s': (Pace.ramp_s, 0.02, 1.0, 'Time in which the arm takes up a new velocity'),
    'cruise_s': (Pace.cruise_s, 0.05, 1.0,
                 'The arm goes on for so long where nothing newer is sent, and then brakes'),
    'brake_s': (Pace.brake_s, 0.05, 1.0, 'Time in which it brakes then'),
    'leader_near_rad': (LeaderRules.near_rad, 0.01, 1.0,
                        'A leader is followed once every joint is as near as this'),
    'leader_lost_rad': (LeaderRules.lost_rad, 0.02, 3.2,
                        'A leader that gets further away than this is approached anew'),
    'leader_approach_rad_s': (LeaderRules.approach_rad_s, 0.01, 2.0,
                              'Speed of the joints while they approach the leader'),
    'leader_rad_s': (LeaderRules.speed_rad_s, 0.01, 6.3, 'Most speed after a leader'),
}


def declare_parameters(node: Node) -> None:
    """Declare all of them: speeds and mode may be changed, the rest is taken over at start."""
    declare_plain(node, {**TEXTS, **CORNERS})
    declare_numbers(node, {**SPEEDS, **NUMBERS})


def change_parameters(parameters: list[Parameter], steering: Steering) -> SetParametersResult:
    """Take over speeds and mode; refuse what would go unnoticed."""
    changes = {parameter.name: parameter.value for parameter in parameters}
    late = sorted(set(changes) & ({*TEXTS, *NUMBERS, *CORNERS} - {'mode'}))
    if late:
        return SetParametersResult(successful=False, reason=(
            f'{", ".join(late)}: taken over at start; start the node anew'))
    mode = changes.get('mode', steering.mode)
    if mode not in steering.modes:
        return SetParametersResult(successful=False, reason=(
            f'mode {mode!r} is not one of {", ".join(steering.modes)}'))
    steering.mode = mode
    steering.speeds = replace(steering.speeds, **{
        name: value for name, value in changes.items() if name in SPEEDS})
    return SetParametersResult(successful=True)


def read_mapping(node: Node, robot: RobotSpec) -> Mapping:
    """Return the mapping. Raises ValueError, SpecError of a file that isn't one."""
    return Mapping.from_yaml(mapping_file(optional(node, 'mapping')), robot)


def read_arm(node: Node, here: RobotFile, clock) -> Arm:
    """Return the arm with the workspace that counts."""
    return Arm(here.robot, clock, Freshness(optional(node, 'max_age_s')),
               optional(node, 'max_tracking_error_rad'), read_check(node, here))


def read_steering(node: Node, here: RobotFile, mapping: Mapping) -> Steering:
    """Return the modes there are. Raises ValueError where one lacks what it needs."""
    robot, frame = here.robot, optional(node, 'tool_frame')
    if frame and not here.urdf:
        raise ValueError('tool_frame needs the parameter urdf: links are named there')
    leader = Leader(robot, _read_leader(node)) if optional(node, 'leader') else None
    if leader is not None and mapping.deadman is None:
        raise ValueError('leader mode needs a deadman button in the mapping')
    return Steering(
        robot, Speeds(*(optional(node, name) for name in SPEEDS)),
        Pace(*(optional(node, name) for name in ('ramp_s', 'cruise_s', 'brake_s'))),
        optional(node, 'mode'), CartesianJog(here.urdf, robot, frame) if frame else None, leader)


def _read_leader(node: Node) -> LeaderRules:
    return LeaderRules(
        far=optional(node, 'leader_far'), max_age_s=optional(node, 'max_age_s'),
        **{rule: optional(node, name) for rule, name in (
            ('near_rad', 'leader_near_rad'), ('lost_rad', 'leader_lost_rad'),
            ('approach_rad_s', 'leader_approach_rad_s'), ('speed_rad_s', 'leader_rad_s'))})


def read_hand(node: Node) -> HandRules:
    """Return when a stick counts."""
    return HandRules(*(optional(node, name) for name in ('max_joy_age_s', 'release_s')))
