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
A person's motion: to a velocity, on for a moment, and to rest where nothing newer comes.

In each of the three parts the velocity of every joint changes evenly, which the controller's
cubic plays exactly. Sent again and again with a new velocity, the motion goes over from one to
the next as a first-order lag of ``ramp_s`` does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chunk import after_lead
from .hold import braking_time_s, points_apart
from .playback import JointReference
from ..spec import NS_PER_S, RobotSpec, Trajectory

SHARE = 0.95           # of the velocity and acceleration limits;
BRAKE_SHARE = 0.8      # so that a motion that brakes can always be turned round
ROUNDING = 1e-9       # relative
MARGIN_RAD = 1e-3      # kept from a position limit


@dataclass(frozen=True)
class Pace:
    """
    How long the parts take, in s: to the new velocity, at it, and back to rest.

    ``cruise_s`` is how late the next command may come before the arm brakes. Raises ValueError
    for a time that is not above 0.
    """

    ramp_s: float = 0.1
    cruise_s: float = 0.15
    brake_s: float = 0.2

    def __post_init__(self):
        for name in ('ramp_s', 'cruise_s', 'brake_s'):
            if not getattr(self, name) > 0:
                raise ValueError(f'{name} is {getattr(self, name)} s, must be above 0')

    @property
    def travel_s(self) -> float:
        """Return the way in rad from rest, for each rad/s."""
        return self.ramp_s / 2 + self.cruise_s + self.brake_s / 2


def jog(robot: RobotSpec, lead: list[JointReference], velocity_J: np.ndarray, pace: Pace,
        together_J: np.ndarray | None = None) -> tuple[Trajectory, list[str]]:
    """
    Return the motion from the end of ``lead`` at ``velocity_J`` (rad/s) and to rest, and the
    joints that can't go on as fast because of their positions.

    The velocity changes by no more than the acceleration limits allow in ``ramp_s``, of all
    joints by the same share of what is asked for; braking lasts longer where they ask for it. A
    joint that would come to rest outside its positions is slowed down so that it rests
    ``MARGIN_RAD`` inside, and with it alike those that are ``together_J``; one that is too fast
    for that brakes at once, as in a hold.
    """
    start = lead[-1]
    most_J = SHARE * robot.acceleration_J * pace.ramp_s
    wanted_J = _within_limits(robot, start.velocity_J, velocity_J, most_J)
    brake_s = max(pace.brake_s, (np.abs(wanted_J) / (BRAKE_SHARE * robot.acceleration_J)).max())
    pace = Pace(pace.ramp_s, pace.cruise_s, brake_s)
    velocity_J = _within_positions(robot, start, wanted_J, pace)
    slowed_J = np.abs(velocity_J) < np.abs(wanted_J) - 1e-9
    if together_J is not None and (slowed_J & together_J).any():
        share = np.min((velocity_J / np.where(wanted_J, wanted_J, 1.0))[slowed_J & together_J])
        velocity_J = np.where(together_J, share * wanted_J, velocity_J)
    is_late_J = _overruns(robot, start, pace) | (np.abs(velocity_J - start.velocity_J) > most_J)
    return _play(robot, lead, velocity_J, pace, is_late_J), [
        name for name, slowed in zip(robot.joint_names, slowed_J | is_late_J) if slowed]


def velocity_towards(lead: list[JointReference], target_J: np.ndarray, speed_J: np.ndarray,
                     pace: Pace) -> np.ndarray:
    """
    Return the velocity (rad/s) at which ``jog`` comes to rest at a target (rad).

    All joints are slowed down alike where one would be faster than ``speed_J``.
    """
    start = lead[-1]
    velocity_J = (target_J - start.position_J - start.velocity_J * pace.ramp_s / 2) / pace.travel_s
    return velocity_J / max(1.0, (np.abs(velocity_J) / speed_J).max())


def _within_limits(robot: RobotSpec, start_J, velocity_J, most_J):
    """Return the wanted velocities, as far as speed and change of speed allow, in proportion."""
    velocity_J = velocity_J / max(1.0, (np.abs(velocity_J) / (SHARE * robot.velocity_J)).max())
    gain_J = velocity_J - start_J
    return start_J + gain_J / max(1.0, (np.abs(gain_J) / most_J).max() * (1 + ROUNDING))


def _within_positions(robot: RobotSpec, start: JointReference, wanted_J, pace: Pace):
    """Return the wanted velocities, as far as the joints come to rest within their positions."""
    rests_J = start.position_J + start.velocity_J * pace.ramp_s / 2
    fastest_J = np.maximum(robot.upper_J - MARGIN_RAD - rests_J, 0.0) / pace.travel_s
    lowest_J = np.minimum(robot.lower_J + MARGIN_RAD - rests_J, 0.0) / pace.travel_s
    return np.clip(wanted_J, lowest_J, fastest_J)


def _overruns(robot: RobotSpec, start: JointReference, pace: Pace) -> np.ndarray:
    """Return which joints [J] would get past their positions before the ramp is over."""
    rests_J = start.position_J + start.velocity_J * pace.ramp_s / 2
    return (((rests_J > robot.upper_J) & (start.velocity_J > 0))
            | ((rests_J < robot.lower_J) & (start.velocity_J < 0)))


def _play(robot: RobotSpec, lead: list[JointReference], velocity_J, pace: Pace, is_late_J):
    """Return the three parts, and of the joints that are late the way to rest alone."""
    start, stamp_ns = lead[-1], lead[0].time_ns
    stop_s_J = braking_time_s(robot, start)
    parts_s = np.cumsum([pace.ramp_s, pace.cruise_s, pace.brake_s])
    time_s_T = points_apart(np.concatenate([parts_s, stop_s_J[is_late_J]]))
    moving_TJ = np.stack([np.interp(time_s_T, [0.0, *parts_s], [v0, v, v, 0.0])
                          for v0, v in zip(start.velocity_J, velocity_J)], axis=1)
    rest_TJ = start.velocity_J * np.maximum(1 - time_s_T[:, None] / stop_s_J, 0.0)
    velocity_TJ = np.where(is_late_J, rest_TJ, moving_TJ)
    gone_TJ = np.diff(time_s_T, prepend=0.0)[:, None] * (
        velocity_TJ + np.vstack([start.velocity_J, velocity_TJ[:-1]])) / 2
    return after_lead(robot, stamp_ns, lead, (start.time_ns - stamp_ns) / NS_PER_S + time_s_T,
                      start.position_J + np.cumsum(gone_TJ, axis=0), velocity_TJ)
