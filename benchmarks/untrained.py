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

"""Plans of no skill, to drive any robot: random chunks, and a checkpoint that samples them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from trimodal_ros.plan.checkpoint import save_checkpoint
from trimodal_ros.plan.encoders import open_encoders
from trimodal_ros.plan.normalize import JointStatistics
from trimodal_ros.plan.policy import Policy, PolicyConfig
from trimodal_ros.spec import Observation, RobotSpec, Trajectory

SMALL = PolicyConfig(embed_dim=16, vision_width=32, motion_width=16, decoder='flow')
CHANGE_OF_RANGE = 0.1      # what a sampled chunk changes, as a share of a joint's range
CALM_OF_ACCELERATION = 0.01    # what a calm one's steps differ by, as a share of that limit
NOISE_OF_RANGE = 0.01


class RandomChunks:
    """
    A Planner: to somewhere in the limits within a chunk, with noise, anew every few steps.

    Grippers are to be there at once.

    That is faster than joints can move, mostly: what is sent is what ``on_limit: clamp`` makes
    of it.
    """

    def __init__(self, seed: int, replan_steps: int = 6):
        self._rng, self._replan_steps, self._step = np.random.default_rng(seed), replan_steps, 0

    def __call__(self, observation: Observation) -> Trajectory | None:
        self._step += 1
        if self._step % self._replan_steps != 1:
            return None
        robot = observation.robot
        goal_J = self._rng.uniform(robot.lower_J, robot.upper_J)
        share_T1 = (1 + np.arange(robot.horizon))[:, None] / robot.horizon
        share_TJ = np.where(robot.is_gripper_J, 1.0, share_T1)
        position_TJ = observation.command_J + share_TJ * (goal_J - observation.command_J)
        noise_TJ = self._rng.normal(size=position_TJ.shape) * (
            NOISE_OF_RANGE * (robot.upper_J - robot.lower_J))
        return Trajectory.of_chunk(observation.robot, observation.stamp_ns, np.clip(
            position_TJ + noise_TJ, robot.lower_J, robot.upper_J))


def save_untrained(folder: Path, robot: RobotSpec, calm: bool = False) -> Path:
    """
    Save a policy with random weights, whose chunks are sampled from noise.

    Its chunks are to be clamped, mostly; ``calm`` ones stay within all limits, as those of a
    trained policy do.
    """
    torch.manual_seed(0)
    middle_J, half_J = (robot.lower_J + robot.upper_J) / 2, (robot.upper_J - robot.lower_J) / 2
    scale_J = CALM_OF_ACCELERATION * robot.acceleration_J / robot.rate_hz**2 if calm else (
        half_J * np.where(robot.is_gripper_J, 1.0, 2 * CHANGE_OF_RANGE))
    statistics = JointStatistics(
        state_offset=tuple(middle_J.tolist()), state_scale=tuple(half_J.tolist()),
        chunk_offset=tuple(np.where(robot.is_gripper_J, middle_J, 0.0).tolist()),
        chunk_scale=tuple(scale_J.tolist()))
    policy = Policy(SMALL, robot, statistics, *open_encoders(SMALL))
    save_checkpoint(folder, policy.eval(), {'made by': 'benchmarks.untrained'},
                    'Random weights: for trying a robot out, never for a real one.\n')
    return folder
