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

"""A small robot's plans and messages, and a slow model of its controller to compare with."""

import numpy as np

from trimodal_ros.command.chunk import join_chunk, lead_in, LEAD_S
from trimodal_ros.command.message import to_message
from trimodal_ros.command.playback import CommandedMotion, JointReference
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.sim.controller import TrajectoryController
from trimodal_ros.spec import NS_PER_S, RobotSpec, Trajectory

ROBOT = RobotSpec.make_example()
START_NS = 100 * NS_PER_S
MS = NS_PER_S // 1000


def chunk(position_TJ, stamp=START_NS):
    time_s_T = (1 + np.arange(len(position_TJ))) / ROBOT.rate_hz
    return Trajectory(ROBOT, stamp, time_s_T, position_TJ)


def ramp(first, last, steps=8):
    return np.linspace(np.full(3, first), np.full(3, last), steps)


def rest(now_ns=START_NS, position=0.5):
    return JointReference.at_rest(now_ns + round(LEAD_S * NS_PER_S), np.full(3, position))


def controller(position=0.5, **options) -> TrajectoryController:
    played = TrajectoryController(ROBOT.joint_names, **options)
    played.start(np.full(3, position), START_NS)
    return played


def accept(played, message, now_ns=START_NS):
    played.accept(message, now_ns, JointReference.at_rest(now_ns, np.full(3, 0.5)))


def valid_message(**changes):
    message = to_message(join_chunk(chunk(ramp(0.5, 0.8)), [rest()]), BAG_TYPES)
    for name, value in changes.items():
        object.__setattr__(message, name, value)
    return message


# -- trajectory.cpp::sample once more, slow and plain; shares no code with the package


def knots_of(message, accepted_ns, before):
    """Return (ns, positions, velocities or None): the state before, then the message's points."""
    start_ns = message.header.stamp.sec * NS_PER_S + message.header.stamp.nanosec or accepted_ns
    knots = [(accepted_ns, *before)]
    for point in message.points:
        after_ns = point.time_from_start.sec * NS_PER_S + point.time_from_start.nanosec
        velocities = list(point.velocities) if len(point.velocities) else None
        knots.append((start_ns + after_ns, list(point.positions), velocities))
    return knots


def state_at(knots, time_ns):
    """Return positions and velocities on the first segment that has not ended, or at the end."""
    for (from_ns, p0, v0), (to_ns, p1, v1) in zip(knots, knots[1:]):
        if time_ns < to_ns:
            t, duration_s = (time_ns - from_ns) / NS_PER_S, (to_ns - from_ns) / NS_PER_S
            if v0 is None or v1 is None:
                return line(t, duration_s, np.array(p0), np.array(p1))
            return cubic(t, duration_s, [p0, v0, p1, v1])
    _, position, velocity = knots[-1]
    return np.array(position), np.zeros(len(position)) if velocity is None else np.array(velocity)


def line(t, duration_s, p0, p1):
    return p0 + t / duration_s * (p1 - p0), (p1 - p0) / duration_s


def cubic(t, d, ends_4J):
    """Solve for the c of each joint: c0 + c1 t + c2 t^2 + c3 t^3 fits both ends and slopes."""
    fits = [[1, 0, 0, 0], [0, 1, 0, 0], [1, d, d**2, d**3], [0, 1, 2 * d, 3 * d**2]]
    c_4J = np.linalg.solve(fits, np.array(ends_4J))
    return [1, t, t**2, t**3] @ c_4J, [0, 1, 2 * t, 3 * t**2] @ c_4J


def assert_same(reference, state):
    """Compare to a nanorad; times are floats of seconds, so the velocity is less exact."""
    position, velocity = state
    assert np.abs(reference.position_J - position).max() < 1e-9
    assert np.abs(reference.velocity_J - velocity).max() < 1e-6


def commanding(first=0.5, last=0.8) -> CommandedMotion:
    """Return what is commanded after a chunk was sent from rest at ``first``."""
    commanded, at_J = CommandedMotion(ROBOT), np.full(3, first)
    commanded.send(join_chunk(chunk(ramp(first, last)), lead_in(commanded, START_NS, at_J)),
                   START_NS, at_J)
    return commanded
