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

"""What leaves a limit is refused whole, between the points too."""

from dataclasses import replace

from hypothesis import given, settings, strategies as st
from motions import chunk, controller, cubic, MS, ramp, ROBOT, START_NS
import numpy as np
import pytest

from trimodal_ros.command.clamp import clamp_chunk
from trimodal_ros.command.limits import check_first_step, check_limits, LimitError, Motion
from trimodal_ros.command.message import to_message
from trimodal_ros.command.playback import JointReference
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.spec import Trajectory

MIDDLE = np.array([0.0, 0.0, 0.5])
SECONDS = st.floats(0.02, 0.5)
ENDS = st.tuples(*[st.floats(-2, 2)] * 3)


def one_segment(position_J, velocity_J=(0, 0, 0), duration_s=0.1, start_J=MIDDLE,
                start_velocity_J=(0, 0, 0)):
    before = JointReference(START_NS, np.array(start_J, float), np.array(start_velocity_J, float))
    return Trajectory(ROBOT, START_NS, [duration_s], [position_J], [velocity_J]), before


@pytest.mark.parametrize('segment, kind, joint, complaint', [
    (one_segment([0, 1.6, 0.5], duration_s=2.0), 'position', 'elbow',
     r"joint 'elbow', before 2.00 s: 1.600 rad is outside \[-1.5, 1.5\] rad"),
    (one_segment([0, 0, -0.1], duration_s=2.0), 'position', 'gripper', '-0.100 rad is outside'),
    (one_segment([1.0, 0, 0.5], duration_s=0.4), 'velocity', 'shoulder',
     r"joint 'shoulder', before 0.40 s: 3.75 rad/s is above 3.0 rad/s"),
    (one_segment([0, 0.15, 0.5], duration_s=0.1), 'acceleration', 'elbow',
     r"joint 'elbow', before 0.10 s: 90.0 rad/s\^2 is above 60.0 rad/s\^2"),
])
def test_limits_name_kind_joint_time_and_value(segment, kind, joint, complaint):
    """Catches a motion outside the limits; it must be refused whole, not clipped."""
    with pytest.raises(LimitError, match=complaint) as refused:
        check_limits(*segment)
    assert (refused.value.kind, refused.value.joint) == (kind, joint)


def test_a_cubic_that_overshoots_between_its_points_is_refused():
    """Catches limits that are looked at only where the points are."""
    trajectory, before = one_segment([1.9, 0, 0.5], [0, 0, 0], 0.4, [1.9, 0, 0.5], [2.5, 0, 0])
    with pytest.raises(LimitError, match=r'2.048 rad is outside \[-2.0, 2.0\]'):
        check_limits(trajectory, before)


def test_a_joint_outside_its_limits_may_come_back():
    """Catches the dead lock in which every plan starts outside and none is let through."""
    check_limits(*one_segment([0, 1.4, 0.5], start_J=[0, 1.52, 0.5], duration_s=0.5))
    with pytest.raises(LimitError):
        check_limits(*one_segment([0, 1.53, 0.5], start_J=[0, 1.52, 0.5], duration_s=0.5))


@settings(max_examples=300, deadline=None)
@given(ENDS, ENDS, ENDS, ENDS, SECONDS)
def test_extremes_are_those_of_the_cubic(p0, v0, p1, v1, duration_s):
    """Catches a root that is missed, and one outside the segment that is counted."""
    motion = Motion.of(*one_segment(p1, v1, duration_s, p0, v0))
    times = np.linspace(0, duration_s, 1001)
    states = [cubic(t, duration_s, [p0, v0, p1, v1]) for t in times]
    position_NJ = np.array([position for position, _ in states])
    velocity_NJ = np.array([velocity for _, velocity in states])
    step = 8 * duration_s / 1000  # what can happen between two samples
    assert (motion.lowest_SJ[0] <= position_NJ.min(axis=0) + 1e-9).all()
    assert (motion.highest_SJ[0] >= position_NJ.max(axis=0) - 1e-9).all()
    np.testing.assert_allclose(motion.lowest_SJ[0], position_NJ.min(axis=0),
                               atol=step * motion.fastest_SJ.max())
    np.testing.assert_allclose(motion.highest_SJ[0], position_NJ.max(axis=0),
                               atol=step * motion.fastest_SJ.max())
    assert (motion.fastest_SJ[0] >= np.abs(velocity_NJ).max(axis=0) - 1e-6).all()
    np.testing.assert_allclose(motion.fastest_SJ[0], np.abs(velocity_NJ).max(axis=0),
                               atol=step * motion.sharpest_SJ.max())
    ends = np.abs(np.gradient(velocity_NJ, times, axis=0)).max(axis=0)
    np.testing.assert_allclose(motion.sharpest_SJ[0], ends, rtol=0.02, atol=1.0)


def test_a_straight_line_has_its_own_extremes():
    """Catches a division by the cubic term where there is none."""
    motion = Motion.of(*one_segment([0.1, 0, 0.5], [1.0, 0, 0], 0.1, MIDDLE, [1.0, 0, 0]))
    assert motion.lowest_SJ[0].tolist() == pytest.approx(MIDDLE.tolist())
    assert motion.highest_SJ[0].tolist() == pytest.approx([0.1, 0, 0.5])
    assert motion.fastest_SJ[0].tolist() == pytest.approx([1.0, 0, 0])
    assert motion.sharpest_SJ[0].tolist() == pytest.approx([0, 0, 0], abs=1e-6)


def test_a_plan_that_goes_on_far_from_the_arm_is_refused():
    """Catches a checkpoint of another arm, which leaps to where its own would be."""
    planned = chunk(ramp(0.2, 0.9))
    check_first_step(planned, np.full(3, 0.25), START_NS, 0.1)
    check_first_step(planned, np.full(3, 0.85), START_NS + 750 * MS, 0.1)
    with pytest.raises(LimitError, match="'shoulder': .* 0.200 rad, measured is 0.500 rad") as far:
        check_first_step(planned, np.full(3, 0.5), START_NS, 0.25)
    assert (far.value.kind, far.value.joint) == ('first step', 'shoulder')


STEPS = st.lists(st.tuples(*[st.floats(-1.0, 1.0)] * 3), min_size=8, max_size=8)


@settings(max_examples=60, deadline=None)
@given(STEPS, ENDS)
def test_a_clamped_plan_keeps_the_limits_and_ends_where_it_may(steps, velocity):
    """Catches a clamp that only cuts positions, and one that never gets there."""
    start = JointReference(START_NS, np.full(3, 0.5), np.array(velocity) / 2)
    planned = chunk(0.5 + np.cumsum(steps, axis=0))
    trajectory, _ = clamp_chunk(planned, [start])
    check_limits(trajectory, start)
    goal_J = np.clip(planned.position_TJ[-1], ROBOT.lower_J, ROBOT.upper_J)
    np.testing.assert_allclose(trajectory.position_TJ[-1], goal_J, atol=1e-3)
    played = controller()
    played.accept(to_message(trajectory, BAG_TYPES), START_NS, start)
    assert not trajectory.velocity_TJ[-1].any()


def test_clamping_tells_which_joints_gave_way():
    """Catches a motion that is changed without a word."""
    planned = chunk(np.vstack([ramp(0.52, 0.6, 7), [[0.62, 9.0, 0.6]]]))
    trajectory, events = clamp_chunk(planned, [JointReference.at_rest(START_NS, np.full(3, 0.5))])
    assert [(event.joint, event.kind) for event in events] == [
        ('elbow', 'position'), ('elbow', 'velocity')]
    assert trajectory.position_TJ[:, 1].max() <= 1.5


def test_a_plan_within_its_limits_is_followed_closely():
    """Catches a clamp that takes its time."""
    planned = chunk(ramp(0.52, 0.8))
    trajectory, events = clamp_chunk(planned, [JointReference.at_rest(START_NS, np.full(3, 0.5))])
    assert events == []
    behind = [np.interp(t, trajectory.time_s_T, trajectory.position_TJ[:, 0])
              for t in planned.time_s_T]
    assert np.abs(behind - planned.position_TJ[:, 0]).max() < 0.02


def test_limits_of_the_robot_that_is_here_count():
    """Catches a robot that was slowed down in its YAML, driven by those of the checkpoint."""
    trajectory, before = one_segment([0.3, 0, 0.5], duration_s=0.3)
    check_limits(trajectory, before)
    slow = replace(ROBOT, joints=tuple(
        replace(joint, velocity=1.0) for joint in ROBOT.joints))
    with pytest.raises(LimitError, match='above 1.0 rad/s'):
        check_limits(replace(trajectory, robot=slow), before)
