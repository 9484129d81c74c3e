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

"""Parameters of the policy node: one row each, with range and description; their rules."""

from __future__ import annotations

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter
import torch

from ..command.pilot import MAX_COMMAND_AGE_S, MAX_TRACKING_ERROR_RAD
from ..observe.observer import MaxAge
from ..spec import RobotSpec

TEXTS = {
    'checkpoint': ('', 'Checkpoint folder'),
    'robot': ('', 'Robot YAML: joints, cameras, rate and horizon'),
    'device': ('auto', "Where the model runs: 'auto', 'cuda' or 'cpu'"),
}
NUMBERS = {  # default, least, most, description
    'replan_period_s': (0.6, 0.05, 5.0, 'Time between plans; shorter than the chunk'),
    'max_command_age_s': (MAX_COMMAND_AGE_S, 0.01, 2.0, 'Oldest image a command may be based on'),
    'max_camera_age_s': (MaxAge.camera_s, 0.01, 2.0, 'A camera older than this holds the robot'),
    'max_joints_age_s': (MaxAge.joints_s, 0.01, 2.0,
                         'Joint states older than this hold the robot'),
    'max_camera_skew_s': (MaxAge.camera_skew_s, 0.0, 1.0,
                          "Largest difference between the cameras' stamps"),
    'max_tracking_error_rad': (MAX_TRACKING_ERROR_RAD, 0.05, 3.2,
                               'An arm joint further than this from its command holds the robot'),
}
THREADS = (1, 1, 64, 'CPU threads of the model')


def declare_parameters(node: Node) -> None:
    """Declare all of them: they are taken over on configure."""
    for name, (default, description) in TEXTS.items():
        node.declare_parameter(name, default, ParameterDescriptor(description=description))
    for name, (default, least, most, description) in NUMBERS.items():
        limits = FloatingPointRange(from_value=least, to_value=most)
        node.declare_parameter(name, default, ParameterDescriptor(
            description=description, floating_point_range=[limits]))
    default, least, most, description = THREADS
    node.declare_parameter('threads', default, ParameterDescriptor(
        description=description,
        integer_range=[IntegerRange(from_value=least, to_value=most, step=1)]))


def judge_change(parameters: list[Parameter], configured: bool) -> SetParametersResult:
    """Refuse a change that would go unnoticed, as the node is configured already."""
    taken_over = {*TEXTS, *NUMBERS, 'threads'}
    late = [parameter.name for parameter in parameters if parameter.name in taken_over]
    if not configured or not late:
        return SetParametersResult(successful=True)
    return SetParametersResult(successful=False, reason=(
        f'{", ".join(late)}: taken over on configure, and the node is configured; '
        'deactivate it and clean it up first'))


def choose_device(name: str) -> str:
    """Return 'cuda' or 'cpu'. Raises ValueError for another name or a GPU that isn't there."""
    if name not in ('auto', 'cuda', 'cpu'):
        raise ValueError(f"device {name!r} is not 'auto', 'cuda' or 'cpu'")
    if name == 'cuda' and not torch.cuda.is_available():
        raise ValueError("device 'cuda' was asked for and no GPU is visible; use 'auto'")
    return 'cpu' if name == 'cpu' or not torch.cuda.is_available() else 'cuda'


def check_replan_period(replan_period_s: float, robot: RobotSpec) -> None:
    """Raise ValueError where a chunk would end before the next plan."""
    chunk_s = robot.horizon / robot.rate_hz
    if replan_period_s >= chunk_s:
        raise ValueError(f'replan_period_s is {replan_period_s} s; it must be shorter than the '
                         f'chunk of {robot.name!r}, {chunk_s:g} s')
