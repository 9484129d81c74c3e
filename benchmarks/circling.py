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

"""A robot to measure with, and a policy of no skill: it moves the arm round in circles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.bare_loop import SEEN_PX
from benchmarks.cameras import camera_topic
from trimodal_ros.paths import shipped
from trimodal_ros.plan.checkpoint import save_checkpoint
from trimodal_ros.plan.encoders import open_encoders
from trimodal_ros.plan.normalize import JointStatistics
from trimodal_ros.plan.policy import Policy, PolicyConfig
from trimodal_ros.spec import CameraSpec, RobotSpec

ROBOT = shipped().robot
SMALL = PolicyConfig(embed_dim=16, vision_width=32, motion_width=16)
START_J = (0.1, 0.0, 0.1, 0.0, 0.0, 0.4)
RADIUS_RAD, TURN_RAD_S = 0.2, 1.5  # of the circles that pairs of joints go in
CIRCLING = ((0, 1), (2, 3))


def make_robot(cameras: int) -> RobotSpec:
    """Return the shipped robot with so many cameras of one size."""
    return replace(RobotSpec.from_yaml(ROBOT), cameras=tuple(
        CameraSpec(f'camera_{index}', camera_topic(index), *SEEN_PX) for index in range(cameras)))


def write_checkpoint(robot: RobotSpec, path: Path, config: PolicyConfig = SMALL) -> None:
    """Write a policy with random encoders that moves the arm in circles."""
    torch.manual_seed(0)
    statistics = JointStatistics(
        state_offset=(0.0,) * 5 + (START_J[5],), state_scale=(RADIUS_RAD,) * 6,
        chunk_offset=(0.0,) * 5 + (START_J[5],), chunk_scale=(1.0,) * 6)
    policy = Policy(config, robot, statistics, *open_encoders(config))
    _circle(policy)
    save_checkpoint(path, policy.eval(), {'made by': 'benchmarks.rig'}, 'Moves in circles.\n')


@torch.no_grad()
def _circle(policy: Policy) -> None:
    """
    Set the last layers so that pairs of joints have a limit cycle.

    With s the scaled command of a joint and r that of its partner, its velocity is
    turn (+-r + s / 2 - 2 relu(s - 1) + 2 relu(-s - 1)) in radii a second.
    """
    first, second, last = (policy.decoder.head[index] for index in (0, 2, 4))
    for layer in (first, second, last):
        layer.weight.mul_(1e-3)
        layer.bias.zero_()
    joints, state = len(START_J), first.in_features - 2 * len(START_J)
    for joint in range(joints):
        for unit, (sign, beyond) in enumerate(((1, 0), (-1, 0), (1, 1), (-1, 1))):
            first.weight[4 * joint + unit, state + joint] = sign
            first.bias[4 * joint + unit] = -beyond
    second.weight[range(4 * joints), range(4 * joints)] = 1.0
    ahead_s_T = (1 + torch.arange(policy.robot.horizon)) / policy.robot.rate_hz
    weight_TJU = last.weight.view(policy.robot.horizon, joints, -1)
    for one, other in CIRCLING:
        for joint, partner, sign in ((one, other, -1.0), (other, one, 1.0)):
            for unit, gain in ((4 * joint, 0.5), (4 * joint + 1, -0.5), (4 * joint + 2, -2.0),
                               (4 * joint + 3, 2.0), (4 * partner, sign),
                               (4 * partner + 1, -sign)):
                weight_TJU[:, joint, unit] = gain * TURN_RAD_S * RADIUS_RAD * ahead_s_T
