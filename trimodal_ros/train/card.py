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

"""The model card written beside a checkpoint's weights."""

from __future__ import annotations

from collections.abc import Mapping

from ..plan.policy import Policy, PolicyConfig


def model_card(policy: Policy, training: Mapping) -> str:
    """Return Markdown: what the checkpoint is for, what it was trained on, what it got."""
    robot = policy.robot
    parameters = sum(value.numel() for value in policy.parameters())
    cameras = ', '.join(f'{c.name} {c.width}x{c.height}' for c in robot.cameras)
    result = '\n'.join(f'| {key} | {value} |' for key, value in training['result'].items()
                       if not key.startswith('cosine_'))
    weights = ', '.join(f'{task} {weight}' for task, weight in training['weights'].items()
                        if weight)
    return f"""---
license: apache-2.0
library_name: trimodal_ros
pipeline_tag: robotics
---
# Tri-modal policy for {robot.name}

{parameters / 1e6:.2f} M trained parameters. Images are seen by
{_encoder(policy.config, 'vision')}. Sentences are read by
{_encoder(policy.config, 'language')}.

| | |
|---|---|
| joints | {', '.join(robot.joint_names)} |
| cameras (RGB, px) | {cameras} |
| chunk | {robot.horizon} steps at {robot.rate_hz:g} Hz, positions in rad |
| decoder | {policy.config.decoder} |
| trained on | {training['episode_count']} episodes, {training['frames']} frames |
| episodes left out | {_episodes(training['data'])} |
| task weights | {weights} |
| frames by kind | {_frames(training['data'])} |
| began as | {training['initial'] or 'random weights'} |
| steps, batch, seed | {training['steps']}, {training['windows']}, {training['seed']} |

Last row of the training log (`held_out_error_rad`: mean absolute error of whole chunks on
{_held_out(training['held_out_count'])}):

| | |
|---|---|
{result}

Use: only on the robot, cameras and scene it was trained for. It is no safety function.
"""


def _held_out(count: int) -> str:
    return f'{count} episodes left out of training' if count else (
        'frames that were trained on: so few episodes leave none to be held out')


def _episodes(account: Mapping) -> str:
    return ', '.join(f'{count} {why}' for why, count in account['episodes_left_out'].items()
                     ) or 'none'


def _frames(account: Mapping) -> str:
    used = [f'{each["frames"]} {kind} ({100 * each["share"]:.0f} % of what was drawn)'
            for kind, each in account['used'].items()]
    left_out = sum(account['left_out'].values())
    return ', '.join([*used, *([f'{left_out} left out'] if left_out else [])])


def _encoder(config: PolicyConfig, which: str) -> str:
    name, frozen, rank = (getattr(config, f'{which}_{what}')
                          for what in ('encoder', 'frozen', 'adapter_rank'))
    if not name:
        return 'a small convolutional encoder trained from scratch'
    if rank:
        return (f'the frozen `{name}`, which is not part of this folder, with adapters of rank '
                f'{rank}, which are')
    if frozen:
        return f'the frozen `{name}`, which is not part of this folder'
    return f'`{name}`, trained further and part of this folder'
