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

from dataclasses import fields

from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from .robot_parameters import (
    CORNERS,
    declare_numbers,
    declare_plain,
    declare_whole_numbers,
    optional,
    ROBOT_NUMBERS,
    ROBOT_TEXTS,
)
from .ros import parameter
from ..command.decision import Rules
from ..command.guard import Guard
from ..command.interlock import Interlock, Stop
from ..command.takeover import Takeover
from ..observe.freshness import Freshness
from ..plan.engine import Engine
from ..spec import RobotSpec

TEXTS = {
    **ROBOT_TEXTS,
    'checkpoint': ('', 'Checkpoint folder; changed while active, ~/load_checkpoint takes it over'),
    'shadow_checkpoint': ('', 'Checkpoint folder of a second policy that decides on the same and '
                              "commands nothing, on ~/shadow/; '' for none; changed while active, "
                              '~/load_shadow takes it over'),
    'device': ('auto', "Where a checkpoint's model runs: 'auto', 'cuda' or 'cpu'"),
    'precision': (Engine.precision, "Of a checkpoint's model: 'float32' or 'bfloat16'"),
    'compiling': (Engine.compiling, "Of a checkpoint's model, by torch.compile: 'off', 'on' or "
                                    "'cuda_graphs'; what can't be had is told in /diagnostics"),
    'provider': (Engine.provider, 'What runs an exported policy: an execution provider of '
                                  "onnxruntime, or 'openvino'"),
    'on_limit': (Rules.on_limit, "A plan outside the limits: 'refuse' it and hold, or 'clamp' "
                                 'it and follow as closely as they allow'),
    'blending': (Rules.blending, "How plans go together: 'none', 'ensemble' (temporal "
                                 "ensembling) or 'prefix' (the next steps stay)"),
    'resume': ('auto', "What ends a hold: 'auto', good observations; 'service', ~/resume"),
    'guard': ('', "Alignment that must not fall: 'image_sentence', 'scene_motion' or '' for none"),
    'give_back': ('release', "What ends a takeover by hand: 'release', letting go; 'service', "
                             '~/resume after that'),
}
NUMBERS = {  # default, least, most, description
    **ROBOT_NUMBERS,
    'replan_period_s': (0.6, 0.05, 5.0, 'Time between plans; shorter than the chunk'),
    'max_age_s': (Freshness.max_age_s, 0.01, 2.0,
                  'Age budget: the oldest camera image or joint state, by its header stamp, that '
                  'is planned from, and that a command may be based on when it goes out'),
    'max_camera_skew_s': (Freshness.camera_skew_s, 0.0, 1.0,
                          "Largest difference between the cameras' stamps"),
    'frozen_camera_s': (Freshness.frozen_s, 0.0, 60.0,
                        'A camera that sends the same pixels for longer holds the robot; 0: may'),
    'max_first_step_rad': (Rules.max_first_step_rad, 0.01, 3.2,
                           'A plan that goes on further than this from the measured arm is '
                           'refused'),
    'ramp_s': (1.0, 0.0, 10.0, 'Time to full speed, from activation or the end of a hold'),
    'guard_hold_below': (0.0, -1.0, 1.0, 'The guard holds after two plans in a row below'),
    'guard_release_above': (0.1, -1.0, 1.0, 'The guard lets go at a plan above'),
    'max_takeover_age_s': (Takeover.max_silence_s, 0.3, 10.0,
                           'Whoever has taken over by hand and is silent for longer is lost, and '
                           'the robot stopped'),
}
WHOLE_NUMBERS = {
    'threads': (1, 1, 64, 'CPU threads of the model'),
    'candidates': (1, 1, 256, 'Chunks to sample for each plan; the one that lies best with image '
                              'and sentence is taken; more than 1 needs a decoder that samples'),
    'resume_after': (3, 1, 100, 'Good observations in a row that end a hold'),
    'prefix_steps': (Rules.prefix_steps, 1, 16, "Steps that stay with blending 'prefix'"),
}
SWITCHES = {
    'dry_run': (True, 'Publish to ~/debug/joint_trajectory instead of joint_trajectory'),
    'follow_commands': (False, 'In a dry run plan on from what others command, as a recording of '
                               'them that is played does, instead of from where the arm is'),
}


def declare_parameters(node: Node) -> None:
    """Declare all of them: they are taken over on configure."""
    declare_plain(node, {**TEXTS, **CORNERS, **SWITCHES})
    declare_numbers(node, NUMBERS)
    declare_whole_numbers(node, WHOLE_NUMBERS)


def judge_change(parameters: list[Parameter], configured: bool) -> SetParametersResult:
    """Refuse a change that would go unnoticed, as the node is configured already."""
    taken_over = {*TEXTS, *CORNERS, *NUMBERS, *WHOLE_NUMBERS, *SWITCHES} - {
        'checkpoint', 'shadow_checkpoint'}
    late = [parameter.name for parameter in parameters if parameter.name in taken_over]
    if not configured or not late:
        return SetParametersResult(successful=True)
    return SetParametersResult(successful=False, reason=(
        f'{", ".join(late)}: taken over on configure, and the node is configured; '
        'deactivate it and clean it up first'))


def read_rules(node: Node) -> Rules:
    """Return the rules for plans. Raises ValueError for an unknown choice."""
    freshness = Freshness(*(optional(node, name) for name in
                            ('max_age_s', 'max_camera_skew_s', 'frozen_camera_s')))
    return Rules(freshness, **{name: optional(node, name) for name in (
        'max_tracking_error_rad', 'max_first_step_rad', 'on_limit', 'blending', 'prefix_steps',
        'ramp_s')})


def read_guard(node: Node) -> Guard:
    """Return the guard. Raises ValueError for an unknown score or thresholds that cross."""
    return Guard(*(optional(node, name)
                   for name in ('guard', 'guard_hold_below', 'guard_release_above')))


def read_interlock(node: Node, stopped: Stop) -> Interlock:
    """Return what ends a hold. Raises ValueError for an unknown choice."""
    return Interlock(optional(node, 'resume'), optional(node, 'resume_after'), stopped,
                     optional(node, 'give_back'))


def read_engine(node: Node) -> Engine:
    """Return what policies run on. Raises ValueError for an unknown choice."""
    return Engine(**{field.name: parameter(node, field.name) for field in fields(Engine)})


def check_replan_period(replan_period_s: float, robot: RobotSpec) -> None:
    """Raise ValueError where a chunk would end before the next plan."""
    chunk_s = robot.horizon / robot.rate_hz
    if replan_period_s >= chunk_s:
        raise ValueError(f'replan_period_s is {replan_period_s} s; it must be shorter than the '
                         f'chunk of {robot.name!r}, {chunk_s:g} s')
