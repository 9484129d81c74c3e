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

"""A person's velocities as trajectories: within the limits, whatever is asked for."""

from dataclasses import replace

from hypothesis import given, settings, strategies as st
import numpy as np
import pytest

from trimodal_ros.command.chunk import lead_in
from trimodal_ros.command.jog import jog, Pace, SHARE, velocity_towards
from trimodal_ros.command.limits import check_limits
from trimodal_ros.command.playback import CommandedMotion
from trimodal_ros.spec import NS_PER_S, RobotSpec, Trajectory

ROBOT = RobotSpec.make_example()
LAZY = replace(ROBOT, joints=tuple(
    replace(joint, acceleration_rad_s2=2.0) for joint in ROBOT.joints))
START_NS = 1_000 * NS_PER_S
WISH = st.lists(st.floats(-10, 10), min_size=3, max_size=3)


class Moving:
    """An arm that is jogged."""

    def __init__(self, robot=ROBOT, position_J=None):
        self.robot, self.now_ns, self.commanded = robot, START_NS, CommandedMotion()
        self.rest_J = (robot.lower_J + robot.upper_J) / 2 if position_J is None else position_J
        self.commanded.send(Trajectory(robot, START_NS, [0.0], self.rest_J[None],
                                       np.zeros((1, 3))), START_NS, self.rest_J)

    def lead(self):
        return lead_in(self.commanded, self.now_ns, self.rest_J)

    def jog(self, velocity_J, for_s: float, pace=None, **options):
        """Jog once, check that, and let time go on."""
        lead = self.lead()
        trajectory, slowed = jog(self.robot, lead, np.asarray(velocity_J, dtype=np.float64),
                                 pace or Pace(), **options)
        check_limits(trajectory, lead[0])
        assert not trajectory.velocity_TJ[-1].any()
        self.commanded.send(trajectory, self.now_ns, self.rest_J)
        self.now_ns += round(for_s * NS_PER_S)
        return slowed

    @property
    def reference(self):
        return self.commanded.reference(self.now_ns)


@pytest.mark.parametrize('robot', [ROBOT, LAZY], ids=['quick', 'lazy'])
@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(WISH, st.floats(0.004, 0.7)), min_size=1, max_size=12))
def test_whatever_is_asked_for_stays_within_the_limits(robot, wishes):
    """Catches a motion that can't be stopped in time, at any moment of any other."""
    moving = Moving(robot)
    for velocity_J, for_s in wishes:
        moving.jog(velocity_J, for_s)


def test_velocity_is_reached_and_kept():
    """Catches a stick whose speed is another, and an arm that stutters between commands."""
    moving = Moving()
    for _ in range(40):
        moving.jog([0.3, -0.2, 0.0], 0.02)
    np.testing.assert_allclose(moving.reference.velocity_J, [0.3, -0.2, 0.0], atol=1e-3)


def test_velocity_above_the_limit_keeps_its_direction():
    """Catches joints that are cut off one by one."""
    moving = Moving()
    for _ in range(20):
        moving.jog([10.0, 5.0, 0.0], 0.02)
        velocity_J = moving.reference.velocity_J
    assert velocity_J[0] <= SHARE * ROBOT.velocity_J[0] + 1e-9
    assert velocity_J[1] == pytest.approx(velocity_J[0] / 2, rel=0.05)


def test_what_is_not_followed_up_ends_at_rest_by_itself():
    """Catches an arm that goes on when whoever commands it is gone."""
    moving = Moving()
    moving.jog([0.5, 0.0, 0.0], 2.0)
    assert moving.reference.velocity_J[0] == 0.0
    assert 0 < moving.reference.position_J[0] < 0.5 * (0.1 + 0.15 + 0.2)


def test_joints_that_go_together_slow_down_together():
    """Catches a tool that leaves its line where one joint comes to its limit."""
    near_J = np.array([1.9, 0.0, 0.5])
    moving = Moving(position_J=near_J)
    together_J = np.array([True, True, False])
    for _ in range(60):
        moving.jog([0.5, 0.5, 0.1], 0.02, together_J=together_J)
    gone_J = moving.reference.position_J - near_J
    assert gone_J[0] == pytest.approx(gone_J[1], abs=1e-6) and gone_J[2] > gone_J[0]
    assert moving.jog([0.5, 0.5, 0.1], 0.02) == ['shoulder']


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(-0.9, 0.9), min_size=3, max_size=3), WISH)
def test_motion_towards_a_target_ends_there(target_J, before_J):
    """Catches a follower that overshoots its leader, or never arrives."""
    moving, target_J = Moving(), np.clip(target_J, ROBOT.lower_J + 0.01, ROBOT.upper_J - 0.01)
    moving.jog(before_J, 0.1)
    for _ in range(120):
        moving.jog(velocity_towards(moving.lead(), target_J, np.full(3, 2.0), Pace()), 0.02)
    np.testing.assert_allclose(moving.reference.position_J, target_J, atol=2e-3)
    assert np.abs(moving.reference.velocity_J).max() < 1e-2


@pytest.mark.parametrize('name', ['ramp_s', 'cruise_s', 'brake_s'])
def test_pace_without_time_is_refused(name):
    """Catches a division by zero in the middle of a motion."""
    with pytest.raises(ValueError, match=name):
        Pace(**{name: 0.0})
