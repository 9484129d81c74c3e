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

"""What replay measures: the name, the unit and which way is better."""

from __future__ import annotations

from typing import Literal, NamedTuple

Better = Literal['lower', 'higher', '']


class Measure(NamedTuple):
    """
    One measure. ``better`` is '' where neither way is, as of cosines: each checkpoint has a space
    of its own, they tell of its moments and not of it beside another; and as of recordings alone.

    ``unit`` is 'rad', 'm', 'ms', 'Hz', 'rad/s^3', 'share' (0 to 1) or 'cosine'.
    """

    title: str
    unit: str
    better: Better
    tells: str


MEASURES = {
    'action_error': Measure(
        'Action error', 'rad', 'lower',
        'Mean distance of planned from recorded positions.'),
    'still_error': Measure(
        'Standing still', 'rad', '',
        'Mean distance of recorded positions from the first step: what a plan that never moves '
        'would be off, where the policy made a plan.'),
    'within_tolerance': Measure(
        'Within tolerance', 'share', 'higher',
        'Steps at which every joint is planned within the tolerance of what was recorded.'),
    'gripper_accuracy': Measure(
        'Gripper as recorded', 'share', 'higher',
        'Steps at which the gripper is planned open, or not, as it was recorded.'),
    'tool_error': Measure(
        'Tool error', 'm', 'lower', 'Mean distance of the planned from the recorded tool.'),
    'boundary_jump': Measure(
        'Jump between chunks', 'rad', 'lower',
        'How far a plan goes on from where the one before it was to be then.'),
    'jerk': Measure(
        'Jerk', 'rad/s^3', 'lower', 'Mean absolute jerk of the plans, put together.'),
    'plan_disagreement': Measure(
        'Consecutive plans apart', 'rad', 'lower',
        'Mean distance of two plans in a row, where they plan for the same time.'),
    'refused': Measure(
        'Plans refused', 'share', 'lower', 'Decisions whose plan may not be sent.'),
    'limit_refused': Measure(
        'Outside the limits', 'share', 'lower', "Decisions refused for a joint's limits."),
    'late': Measure('Late', 'share', 'lower', 'Decisions that came too late to be sent.'),
    'missed': Measure(
        'Missed', 'share', 'lower', 'Decisions that were due, and were not made.'),
    'decision_rate': Measure('Decision rate', 'Hz', 'higher', 'Decisions a second.'),
    'input_age_p50': Measure(
        'Input age, median', 'ms', 'lower',
        'From the stamp of the oldest image until it could be decided on.'),
    'input_age_p99': Measure('Input age, p99', 'ms', 'lower', 'The same, 99th percentile.'),
    'command_age_p50': Measure(
        'Command age, median', 'ms', 'lower',
        'From the stamp of the oldest image until the command went out. Only a live node has it.'),
    'command_age_p99': Measure(
        'Command age, p99', 'ms', 'lower',
        'From the stamp of the oldest image until the command went out, 99th percentile.'),
    'image_sentence': Measure(
        'Image and sentence', 'cosine', '', 'How well what is seen lies with what is said.'),
    'scene_motion': Measure(
        'Scene and planned motion', 'cosine', '',
        'How well image and sentence together lie with the planned chunk.'),
    'scene_recorded': Measure(
        'Scene and recorded motion', 'cosine', '',
        'How well image and sentence together lie with the recorded chunk.'),
    'swap_sensitivity': Measure(
        'Told something else', 'rad', 'higher',
        'Mean distance of the plan from the one for another sentence of the recordings: near 0 '
        'the policy does not listen.'),
}
# Of all decisions at once: no interval is made of them.
PERCENTILES = ('input_age_p50', 'input_age_p99', 'command_age_p50', 'command_age_p99')
# What a comparison of two checkpoints is decided by.
PRIMARY = 'action_error'
# What it is held against: the error of a plan that never moves.
STILL = 'still_error'
