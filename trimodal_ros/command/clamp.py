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

"""A plan that leaves the limits, followed as closely as they allow: an alternative to refusing."""

from __future__ import annotations

import math

import numpy as np

from .chunk import after_lead, ExpiredError, SHORTEST_BRIDGE_S
from .limits import check_limits, LimitError, TOLERANCE
from .playback import JointReference
from ..spec import NS_PER_S, RobotSpec, Trajectory

STEP_S = 0.02
# A cubic that spans a step of acceleration a(t), |a| <= 1, begins with the acceleration
# integral (4 - 6 u) a(u) du over the step, at most 5/3. Its velocity hardly exceeds its ends'.
ACCELERATION_SHARE, VELOCITY_SHARE = 0.6, 0.95
MARGIN_RAD = 5e-4  # a cubic may overshoot a point by so much
SETTLE_S = 5.0


def clamp_chunk(planned: Trajectory, lead: list[JointReference],
                ) -> tuple[Trajectory, list[LimitError]]:
    """
    Return a trajectory that follows the plan within the limits, and what had to give.

    Positions are cut off at the joints' limits, and the way there is the fastest within velocity
    and acceleration (Ruckig: Berscheid and Kroeger 2021), a point every 20 ms. Raises
    ExpiredError when fewer than two points are left, LimitError where even that isn't possible.
    """
    robot, start = planned.robot, lead[-1]
    start_s = (start.time_ns - planned.stamp_ns) / NS_PER_S
    if np.count_nonzero(planned.time_s_T >= start_s + SHORTEST_BRIDGE_S) < 2:
        raise ExpiredError(f'the chunk ends {planned.time_s_T[-1]:.2f} s after its image, which '
                           f'is {start_s:.2f} s old')
    target_TJ = np.clip(planned.position_TJ, robot.lower_J + MARGIN_RAD,
                        robot.upper_J - MARGIN_RAD)
    time_s_T, position_TJ, velocity_TJ = follow(
        robot, start, start_s, planned.time_s_T, target_TJ)
    stamp_ns = min(planned.stamp_ns, lead[0].time_ns)  # a camera's clock may be ahead
    trajectory = after_lead(robot, stamp_ns, lead,
                            time_s_T + (planned.stamp_ns - stamp_ns) / NS_PER_S, position_TJ,
                            velocity_TJ, planned.alignment)
    check_limits(trajectory, lead[0])
    return trajectory, _events(planned, start, start_s)


def follow(robot: RobotSpec, start: JointReference, start_s: float, planned_s_T, target_TJ):
    """Return times [S], positions and velocities [S, J] on the way after the targets, to rest."""
    from ruckig import InputParameter, OutputParameter, Result, Ruckig, RuckigError
    joints = len(robot.joints)
    follower, state, output = Ruckig(joints, STEP_S), InputParameter(joints), \
        OutputParameter(joints)
    state.current_position, state.current_velocity = start.position_J, start.velocity_J
    state.current_acceleration = [0.0] * joints
    state.max_velocity = VELOCITY_SHARE * robot.velocity_J
    state.max_acceleration = ACCELERATION_SHARE * robot.acceleration_J
    state.max_jerk = [math.inf] * joints
    at_s_S = start_s + STEP_S * np.arange(
        1, 1 + math.ceil((planned_s_T[-1] + SETTLE_S - start_s) / STEP_S))
    target_SJ = np.column_stack([np.interp(at_s_S, planned_s_T, target_T)
                                 for target_T in target_TJ.T])
    last = int(np.searchsorted(at_s_S, planned_s_T[-1]))
    positions, velocities = [], []
    for step, target_J in enumerate(target_SJ.tolist()):
        state.target_position = target_J
        try:
            result = follower.update(state, output)
        except RuckigError as error:  # of rare states, a rounding error away from a limit
            raise _no_way(error) from error
        if result not in (Result.Working, Result.Finished):
            raise _no_way(result)
        positions.append(output.new_position)
        velocities.append(output.new_velocity)
        output.pass_to_input(state)
        if step >= last and result == Result.Finished and \
                max(map(abs, velocities[-1])) < TOLERANCE:
            break
    velocities[-1] = [0.0] * joints
    return at_s_S[:len(positions)], np.array(positions), np.array(velocities)


def _no_way(why) -> LimitError:
    return LimitError('no way', '', f'no way within limits: {why}')


def _events(planned: Trajectory, start: JointReference, start_s: float) -> list[LimitError]:
    """Return one LimitError a joint and kind that the plan itself leaves."""
    robot, coming = planned.robot, planned.time_s_T > start_s + SHORTEST_BRIDGE_S
    way_TJ = np.vstack([start.position_J, planned.position_TJ[coming]])
    time_s_T = np.concatenate([[start_s], planned.time_s_T[coming]])
    slope_TJ = np.diff(way_TJ, axis=0) / np.diff(time_s_T)[:, None]
    outside_J = ((way_TJ[1:] < robot.lower_J) | (way_TJ[1:] > robot.upper_J)).any(axis=0)
    fast_J = (np.abs(slope_TJ) > robot.velocity_J).any(axis=0)
    events = [LimitError('position', name, f'joint {name!r}: position cut off')
              for name, outside in zip(robot.joint_names, outside_J) if outside]
    events += [LimitError('velocity', name, f'joint {name!r}: slowed down')
               for name, fast in zip(robot.joint_names, fast_J) if fast]
    return events
