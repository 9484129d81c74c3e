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
from .playback import JointReference
from ..spec import NS_PER_S, RobotSpec, Trajectory

SHARE = 0.95           # of the velocity and acceleration limits;
BRAKE_SHARE = 0.8      # so that a motion that brakes can always be turned round
SHORTEST_S = 2e-3     # a ramp
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
    for that is left to ``check_limits``, and then to a hold.
    """
    start, ramp_s = lead[-1], _ramp_s(robot, lead[-1], pace)
    velocity_J = velocity_J / max(1.0, (np.abs(velocity_J) / (SHARE * robot.velocity_J)).max())
    gain_J, most_J = velocity_J - start.velocity_J, SHARE * robot.acceleration_J * ramp_s
    wanted_J = start.velocity_J + gain_J / max(1.0, (np.abs(gain_J) / most_J).max())
    brake_s = max(pace.brake_s, (np.abs(wanted_J) / (BRAKE_SHARE * robot.acceleration_J)).max())
    pace = Pace(ramp_s, pace.cruise_s, brake_s)
    velocity_J = _within_positions(robot, start, wanted_J, pace)
    slowed_J = np.abs(velocity_J) < np.abs(wanted_J) - 1e-9
    if together_J is not None and (slowed_J & together_J).any():
        share = np.min((velocity_J / np.where(wanted_J, wanted_J, 1.0))[slowed_J & together_J])
        velocity_J = np.where(together_J, share * wanted_J, velocity_J)
    return _three_parts(robot, lead, velocity_J, pace), [
        name for name, slowed in zip(robot.joint_names, slowed_J) if slowed]


def velocity_towards(lead: list[JointReference], target_J: np.ndarray, speed_J: np.ndarray,
                     pace: Pace) -> np.ndarray:
    """
    Return the velocity (rad/s) at which ``jog`` comes to rest at a target (rad).

    All joints are slowed down alike where one would be faster than ``speed_J``.
    """
    start = lead[-1]
    velocity_J = (target_J - start.position_J - start.velocity_J * pace.ramp_s / 2) / pace.travel_s
    return velocity_J / max(1.0, (np.abs(velocity_J) / speed_J).max())


def _ramp_s(robot: RobotSpec, start: JointReference, pace: Pace) -> float:
    """Return a time for the ramp in which no joint on its way to rest at a limit gets past it."""
    end_J = np.where(start.velocity_J > 0, robot.upper_J, robot.lower_J)
    room_J, speed_J = np.abs(end_J - start.position_J), np.abs(start.velocity_J)
    return min(pace.ramp_s, max(SHORTEST_S, (2 * room_J / np.maximum(speed_J, 1e-9)).min()))


def _within_positions(robot: RobotSpec, start: JointReference, wanted_J, pace: Pace):
    """Return the wanted velocities, as far as the joints come to rest within their positions."""
    rests_J = start.position_J + start.velocity_J * pace.ramp_s / 2
    fastest_J = np.maximum(robot.upper_J - MARGIN_RAD - rests_J, 0.0) / pace.travel_s
    lowest_J = np.minimum(robot.lower_J + MARGIN_RAD - rests_J, 0.0) / pace.travel_s
    return np.clip(wanted_J, lowest_J, fastest_J)


def _three_parts(robot: RobotSpec, lead: list[JointReference], velocity_J, pace: Pace):
    start, stamp_ns = lead[-1], lead[0].time_ns
    first_J = start.position_J + (start.velocity_J + velocity_J) * pace.ramp_s / 2
    second_J = first_J + velocity_J * pace.cruise_s
    third_J = second_J + velocity_J * pace.brake_s / 2
    time_s_T = (start.time_ns - stamp_ns) / NS_PER_S + np.cumsum(
        [pace.ramp_s, pace.cruise_s, pace.brake_s])
    return after_lead(robot, stamp_ns, lead, time_s_T, np.vstack([first_J, second_J, third_J]),
                      np.vstack([velocity_J, velocity_J, np.zeros_like(velocity_J)]))
