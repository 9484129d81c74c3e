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

"""
A Trajectory as a trajectory_msgs/JointTrajectory for each controller, and back.

Messages name joints as topics do: the first finger of a gripper that has any, in its own unit.

``MessageTypes`` holds the classes: rclpy's on the robot, those of ``rosbags`` elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import functools
import itertools

import numpy as np

from ..observe.stamp import stamp_ns
from ..spec import NS_PER_S, RobotSpec, SpecError, Trajectory


@dataclass(frozen=True)
class MessageTypes:
    """Message classes of one ROS client library, and how it takes numbers and bytes."""

    Time: type
    Duration: type
    Header: type
    String: type
    Image: type
    JointState: type
    JointTrajectory: type
    JointTrajectoryPoint: type
    floats: Callable  # a float64 array as a field value
    octets: Callable  # bytes as a field value

    def header(self, stamp: int, frame_id: str = ''):
        """Return a std_msgs/Header with ``stamp`` in nanoseconds."""
        time = self.Time(sec=stamp // NS_PER_S, nanosec=stamp % NS_PER_S)
        return self.Header(stamp=time, frame_id=frame_id)


def to_messages(trajectory: Trajectory, types: MessageTypes) -> dict:
    """Return a JointTrajectory for each controller of the robot by topic, with one stamp."""
    return {topic: _to_message(trajectory, part, types)
            for topic, part in trajectory.robot.parts.items()}


def to_message(trajectory: Trajectory, types: MessageTypes):
    """Return all of it as one JointTrajectory, stamped with the trajectory's own time."""
    return _to_message(trajectory, trajectory.robot, types)


def _to_message(trajectory: Trajectory, part: RobotSpec, types: MessageTypes):
    """Return the joints of ``part`` as a JointTrajectory."""
    names = trajectory.robot.joint_names
    index = [names.index(name) for name in part.joint_names]
    factor_J = np.array([joint.driven[0].factor for joint in part.joints])
    time_ns_T = np.rint(trajectory.time_s_T * NS_PER_S).astype(np.int64).tolist()
    velocity_TJ = trajectory.velocity_TJ
    velocities = itertools.repeat([]) if velocity_TJ is None else (
        velocity_TJ.take(index, axis=1) * factor_J)
    return types.JointTrajectory(
        header=types.header(trajectory.stamp_ns), joint_names=list(part.commanded_names),
        points=list(map(functools.partial(_to_point, types), time_ns_T,
                        trajectory.position_TJ.take(index, axis=1) * factor_J, velocities)))


def _to_point(types: MessageTypes, time_ns: int, position_J, velocity_J):
    return types.JointTrajectoryPoint(
        positions=types.floats(position_J), velocities=types.floats(velocity_J),
        accelerations=types.floats([]), effort=types.floats([]),
        time_from_start=types.Duration(sec=time_ns // NS_PER_S, nanosec=time_ns % NS_PER_S))


def addressed(message, robot: RobotSpec) -> RobotSpec:
    """
    Return the robot as the controller knows it that a message is for, by its joints.

    Raises SpecError where that is none of the robot's.
    """
    names = sorted(message.joint_names)
    for part in robot.parts.values():
        if names == sorted(part.commanded_names):
            return part
    expected = ' or '.join(str(list(part.commanded_names)) for part in robot.parts.values())
    raise SpecError(f'the trajectory is for joints {list(message.joint_names)}, '
                    f'the robot has {expected}')


def from_message(message, robot: RobotSpec) -> Trajectory:
    """
    Return a message as a Trajectory in spec order.

    Raises SpecError when its joints are not those of the robot or a point is malformed.
    """
    names, driven = list(message.joint_names), [joint.driven[0] for joint in robot.joints]
    if sorted(names) != sorted(finger.joint for finger in driven):
        raise SpecError(f'the trajectory is for joints {names}, '
                        f'the robot has {[finger.joint for finger in driven]}')
    order = [names.index(finger.joint) for finger in driven]
    factor_J = np.array([finger.factor for finger in driven])
    for index, point in enumerate(message.points):
        if len(point.positions) != len(names) or len(point.velocities) not in (0, len(names)):
            raise SpecError(f'point {index}: {len(point.positions)} positions and '
                            f'{len(point.velocities)} velocities for {len(names)} joints')
    has_velocity = bool(message.points) and all(len(p.velocities) for p in message.points)
    return Trajectory(
        robot, stamp_ns(message.header.stamp),
        [stamp_ns(point.time_from_start) / NS_PER_S for point in message.points],
        np.array([point.positions for point in message.points]).reshape(
            -1, len(names))[:, order] / factor_J,
        np.array([point.velocities for point in message.points])[:, order] / factor_J
        if has_velocity else None)
