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

"""sensor_msgs/JointState messages as positions in spec order, from one driver or several."""

from __future__ import annotations

from collections import deque
import math
from typing import NamedTuple

import numpy as np

from .stamp import stamp_ns
from ..spec import RobotSpec

MAX_NAMES = 1000   # in a message: more would keep the node from everything else
HISTORY = 256  # values of a joint: half a second at 500 Hz


class JointStateError(ValueError):
    """A joint state with values that can't be; ``joints`` are the robot's that it names."""

    def __init__(self, message: str, joints: frozenset[str] = frozenset()):
        super().__init__(message)
        self.joints = joints


class JointSample(NamedTuple):
    """Positions [J] in rad; ``stamp_ns`` and ``oldest`` are of the joint that is oldest."""

    stamp_ns: int
    position_J: np.ndarray
    oldest: str = ''  # '' where all are equally old


def decode_joints(message, robot: RobotSpec) -> dict[str, float]:
    """
    Return measured positions, in their units, of the robot's joints that a message names.

    It may name others too, in any order. A gripper with fingers is the mean of what each of them
    tells. Raises JointStateError for a joint of the robot that is named twice or not finite, for
    fingers of which some are missing, and for more than MAX_NAMES.
    """
    if len(message.name) > MAX_NAMES:
        raise JointStateError(f'joint_states: {len(message.name)} names, at most {MAX_NAMES} are '
                              'taken')
    names = list(message.name)
    told = frozenset(names)
    ours = {joint.name: joint.driven for joint in robot.joints
            if any(finger.joint in told for finger in joint.driven)}
    if len(message.position) != len(names):
        raise JointStateError(f'joint_states: {len(names)} names but {len(message.position)} '
                              'positions', frozenset(ours))
    positions, twice = dict(zip(names, message.position)), len(told) != len(names)
    for finger in (finger for driven in ours.values() for finger in driven):
        wrong = _wrong(finger.joint, names, positions, twice)
        if wrong:
            raise JointStateError(f'joint_states: joint {finger.joint!r} {wrong}', frozenset(ours))
    return {name: sum(positions[finger.joint] / finger.factor for finger in driven) / len(driven)
            for name, driven in ours.items()}


def _wrong(joint: str, names: list[str], positions: dict[str, float], twice: bool) -> str:
    if joint not in positions:
        return f'is missing, a finger whose gripper has others here; got {names}'
    if twice and names.count(joint) != 1:
        return f'is named more than once; got {names}'
    return '' if math.isfinite(positions[joint]) else f'is {positions[joint]}'


class JointHistory:
    """
    What was measured lately of each joint.

    Arm and gripper may have drivers of their own that publish on one topic.
    """

    def __init__(self, robot: RobotSpec):
        self.robot = robot
        self._samples = {joint: deque(maxlen=HISTORY) for joint in robot.joint_names}
        self._wrong: dict[str, str] = {}

    def add(self, message) -> None:
        """Keep what a message tells of the joints. Raises JointStateError, and keeps nothing."""
        try:
            positions = decode_joints(message, self.robot)
        except JointStateError as error:
            self._wrong.update(dict.fromkeys(error.joints, str(error)))
            raise
        stamp = stamp_ns(message.header.stamp)
        for joint, position_rad in positions.items():
            self._samples[joint].append((stamp, position_rad))
            self._wrong.pop(joint, None)

    def clear(self) -> None:
        """Forget what was measured."""
        for samples in self._samples.values():
            samples.clear()

    @property
    def wrong(self) -> str:
        """What is wrong with the newest message of some joint; '' if nothing is."""
        return next(iter(self._wrong.values()), '')

    @property
    def missing(self) -> list[str]:
        """Joints of which nothing has come."""
        return [joint for joint, samples in self._samples.items() if not samples]

    def newest(self) -> JointSample | None:
        """Return the newest position of each joint, or None while one is missing."""
        return None if self.missing else _joined(
            {joint: samples[-1] for joint, samples in self._samples.items()})

    def as_of(self, stamp: int) -> JointSample | None:
        """Return the newest positions not newer than a stamp, or the first after it, or None."""
        return None if self.missing else _joined(
            {joint: next((sample for sample in reversed(samples) if sample[0] <= stamp),
                         samples[0]) for joint, samples in self._samples.items()})

    def moved_rad(self, since_ns: int) -> float:
        """Return how far from the newest a joint was measured since; infinite where unknown."""
        farthest = 0.0
        for samples in self._samples.values():
            since = [position for stamp, position in samples if stamp >= since_ns]
            if not samples or samples[0][0] > since_ns or not since:
                return float('inf')
            farthest = max(farthest, *(abs(position - since[-1]) for position in since))
        return farthest


def _joined(samples: dict[str, tuple[int, float]]) -> JointSample:
    stamps_ns = {joint: stamp for joint, (stamp, _) in samples.items()}
    oldest = min(stamps_ns, key=stamps_ns.get)
    alike = max(stamps_ns.values()) == stamps_ns[oldest]
    position_J = np.array([position_rad for _, position_rad in samples.values()])
    return JointSample(stamps_ns[oldest], position_J, '' if alike else oldest)
