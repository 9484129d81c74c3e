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

"""Demonstrations: episodes in which the scripted demonstrator knows what should be done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .demonstrator import observe_table, plan, Table
from .kinematics import ReachError
from .layout import make_layout
from .lockstep import run_episode
from .robot import kinematics, SimulatedRobot
from .sentences import draw_sentences
from ..command.message import to_message
from ..command.pilot import Planner
from ..record.episode import EpisodeInfo
from ..record.messages import BAG_TYPES, serialize
from ..record.qos import LATCHED
from ..record.selection import TRAJECTORY, TYPES
from ..record.writer import EpisodeWriter
from ..spec import Observation, RobotSpec, Trajectory
from ..spec.topics import LABEL_TOPIC

PARAPHRASES = 12
LINGER_STEPS = 8                # after success: leaving the cube and going back to rest
NOISE_RAD = 0.04
NOISE_SHARE = 0.15              # of steps at which the command is pushed off the plan


class Demonstrator:
    """Labels every observation with the scripted plan; a Planner that follows it."""

    def __init__(self, simulated: SimulatedRobot):
        self.simulated = simulated

    def plan(self, observation: Observation) -> Trajectory | None:
        """Return the next chunk, or None where the arm cannot reach what the plan needs."""
        try:
            position_TJ = plan(kinematics(self.simulated.scene), self.table(),
                               self.simulated.command_D, observation.robot.horizon)
        except ReachError:
            return None
        return Trajectory.of_chunk(observation.robot, observation.stamp_ns, position_TJ)

    def table(self) -> Table:
        """Return what lies on the table now, for the task at hand."""
        return observe_table(self.simulated.world, kinematics(self.simulated.scene),
                             self.simulated.layout.task, self.simulated.command_D)


def pushed(planned: Trajectory, rng: np.random.Generator) -> Trajectory:
    """Return a plan that is now and then off by some joint noise, to be recovered from."""
    if rng.random() >= NOISE_SHARE:
        return planned
    robot = planned.robot
    offset_J = rng.normal(0.0, NOISE_RAD, len(robot.joints)) * ~robot.is_gripper_J
    position_TJ = np.clip(planned.position_TJ + offset_J, robot.lower_J, robot.upper_J)
    return Trajectory(robot, planned.stamp_ns, planned.time_s_T, position_TJ)


def record_episode(path: Path, simulated: SimulatedRobot, robot: RobotSpec, seed: int,
                   templates: list[str], source: str, commander: Planner | None = None,
                   checkpoint: str = '', noise: bool = True, max_steps: int = 70) -> bool:
    """
    Record one labelled episode and return whether the task was done.

    Commands come from ``commander`` (a policy, for an on-policy round) or, without one, from
    the demonstrator with noise; labels always come from the demonstrator.
    """
    rng = np.random.default_rng([seed, 2])
    layout = make_layout(seed)
    instruction, *paraphrases = draw_sentences(layout.task, templates, PARAPHRASES + 1, rng)
    demonstrator = Demonstrator(simulated)
    with new_episode(path, robot) as writer:
        writer.add_topic(LABEL_TOPIC, 'trajectory_msgs/msg/JointTrajectory')

        def sink(topic, time_ns, message):
            writer.write(topic, time_ns, serialize(message))

        def planner(observation):
            label = demonstrator.plan(observation)
            if label is not None:
                sink(LABEL_TOPIC, observation.stamp_ns, to_message(label, BAG_TYPES))
            if commander is not None:
                return commander(observation)
            return pushed(label, rng) if noise and label is not None else label

        result = run_episode(simulated, robot, layout, instruction, planner, max_steps,
                             LINGER_STEPS, sink)
        writer.close(EpisodeInfo(
            instruction=instruction, robot=robot.content_hash, source=source,
            outcome='success' if result.success else 'failure', checkpoint=checkpoint,
            paraphrases=tuple(paraphrases), seed=seed, task=asdict(layout.task)))
    return result.success


@contextmanager
def new_episode(path: Path, robot: RobotSpec) -> Iterator[EpisodeWriter]:
    """Begin an episode with the topics every one has; dropped if it comes to an error."""
    writer = EpisodeWriter(path, compression='zstd')  # what is rendered has no noise
    try:
        for camera in robot.cameras:
            writer.add_topic(camera.topic, camera.message_type)
        writer.add_topic('joint_states', 'sensor_msgs/msg/JointState')
        writer.add_topic('instruction', 'std_msgs/msg/String', [LATCHED])
        for group in robot.groups:
            writer.add_topic(group.topic, TYPES[TRAJECTORY])
        yield writer
    except BaseException:
        writer.discard()
        raise
