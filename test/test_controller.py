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

"""What the controller accepts and plays: compared with a slow model of its own."""

from hypothesis import given, settings, strategies as st
from motions import (
    accept,
    assert_same,
    chunk,
    controller,
    knots_of,
    MS,
    ramp,
    rest,
    ROBOT,
    START_NS,
    state_at,
    valid_message,
)
import numpy as np
import pytest

from trimodal_ros.command.chunk import join_chunk
from trimodal_ros.command.message import from_message, to_message
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.sim.controller import Refused
from trimodal_ros.spec import NS_PER_S, SpecError

POINTS = st.lists(st.tuples(
    st.integers(1, 400), st.tuples(*[st.floats(-1, 1)] * 3),
    st.none() | st.tuples(*[st.floats(-3, 3)] * 3)), min_size=1, max_size=5)


def point_of(after_ms, position, velocity):
    floats = BAG_TYPES.floats
    return BAG_TYPES.JointTrajectoryPoint(
        positions=floats(position), velocities=floats([] if velocity is None else velocity),
        accelerations=floats([]), effort=floats([]), time_from_start=BAG_TYPES.Duration(
            sec=after_ms // 1000, nanosec=after_ms % 1000 * MS))


def message_of(points, stamp_ms):
    """Return a message whose points are (ms after the one before, positions, velocities)."""
    after_ms = np.cumsum([gap_ms for gap_ms, _, _ in points])
    return BAG_TYPES.JointTrajectory(
        header=BAG_TYPES.header(0 if stamp_ms is None else START_NS + stamp_ms * MS),
        joint_names=list(ROBOT.joint_names), points=[
            point_of(int(ms), position, velocity)
            for ms, (_, position, velocity) in zip(after_ms, points)])


@settings(max_examples=200, deadline=None)
@given(POINTS, POINTS, st.none() | st.integers(-300, 300), st.integers(0, 500))
def test_any_message_is_played_as_the_controller_would(first, second, stamp_ms, between_ms):
    """Catches a wrong segment, a wrong cubic, and velocities that only some points have."""
    played = controller(allow_nonzero_velocity_at_trajectory_end=True)
    knots, now_ns = [(START_NS, [0.5] * 3, [0.0] * 3)], START_NS
    for message in (message_of(first, 0), message_of(second, stamp_ms)):
        try:
            accept(played, message, now_ns)
            knots = knots_of(message, now_ns, state_at(knots, now_ns))
        except Refused as reason:
            assert 'in the past' in str(reason)
        for ms in range(0, between_ms + 1, 7):
            assert_same(played.reference(now_ns + ms * MS), state_at(knots, now_ns + ms * MS))
        now_ns += between_ms * MS
    assert_same(played.reference(now_ns + 10**10), state_at(knots, now_ns + 10**10))


@pytest.mark.parametrize('which', [slice(1), slice(1, None), slice(2, 3)])
def test_points_without_velocities_among_others(which):
    """Catches a message Jazzy accepts that ends the simulator, or loses its velocities."""
    message = message_of([(100, [0.6] * 3, [1.0] * 3), (100, [0.8] * 3, [2.0] * 3),
                          (100, [0.9] * 3, [0.0] * 3)], 0)
    for point in message.points[which]:
        object.__setattr__(point, 'velocities', np.array([]))
    played = controller()
    accept(played, message)
    knots = knots_of(message, START_NS, ([0.5] * 3, [0.0] * 3))
    for ms in range(0, 400, 10):
        assert_same(played.reference(START_NS + ms * MS), state_at(knots, START_NS + ms * MS))


def test_message_round_trip_by_joint_name():
    """Catches columns taken in the order of the message."""
    sent = join_chunk(chunk(ramp(0.5, 0.8) + [0.0, 0.1, 0.2]), [rest()])
    message = to_message(sent, BAG_TYPES)
    order = [2, 0, 1]
    object.__setattr__(message, 'joint_names', [ROBOT.joint_names[i] for i in order])
    for point in message.points:
        object.__setattr__(point, 'positions', point.positions[order])
        object.__setattr__(point, 'velocities', point.velocities[order])
    got = from_message(message, ROBOT)
    assert np.array_equal(got.position_TJ, sent.position_TJ)
    assert np.array_equal(got.velocity_TJ, sent.velocity_TJ)
    assert got.time_s_T.tolist() == pytest.approx(sent.time_s_T.tolist())


def test_trajectory_of_another_robot_is_refused():
    """Catches labels recorded on another arm."""
    with pytest.raises(SpecError, match='the robot has'):
        from_message(valid_message(joint_names=['a', 'b', 'c']), ROBOT)


# -- the controller's rules, in the order of ../shared and of its source


@pytest.mark.parametrize('changes, complaint', [
    ({'joint_names': ['shoulder', 'elbow']}, "'gripper'.* missing"),
    ({'joint_names': ['shoulder', 'elbow', 'knee']}, "'knee'"),
    ({'joint_names': []}, 'missing|empty joint names'),
    ({'points': []}, 'empty trajectory'),
    ({'header': BAG_TYPES.header(START_NS - 5 * NS_PER_S)}, 'in the past'),
    ({'points': valid_message().points[::-1]}, 'velocity of last|strictly increasing'),
    ({'points': [valid_message().points[-1]] * 2}, 'strictly increasing'),
])
def test_controller_refuses(changes, complaint):
    """Catches a simulated controller more forgiving than the real one."""
    played = controller()
    with pytest.raises(Refused, match=complaint):
        accept(played, valid_message(**changes))
    assert played.reference(START_NS + NS_PER_S).position_J.tolist() == [0.5] * 3


@pytest.mark.parametrize('field, value, complaint', [
    ('positions', [0.1], 'positions'), ('positions', [], 'positions'),
    ('velocities', [0.1], 'velocities'), ('accelerations', [0.0] * 2, 'accelerations'),
    ('effort', [0.0] * 3, 'effort')])
def test_controller_refuses_malformed_points(field, value, complaint):
    """Catches array lengths nobody checks."""
    message = valid_message()
    object.__setattr__(message.points[1], field, np.array(value))
    with pytest.raises(Refused, match=complaint):
        accept(controller(), message)


def test_controller_refuses_a_moving_end():
    """Catches a chunk whose last velocity is not zero."""
    message = valid_message()
    object.__setattr__(message.points[-1], 'velocities', np.array([0.0, 0.1, 0.0]))
    with pytest.raises(Refused, match='last trajectory point is not zero'):
        accept(controller(), message)
    accept(controller(allow_nonzero_velocity_at_trajectory_end=True), message)


def test_controller_lets_nan_and_duplicate_names_through():
    """Catches a simulator that hides what the real controller would do to the robot."""
    message = valid_message(joint_names=['shoulder', 'shoulder', 'gripper'])
    object.__setattr__(message.points[2], 'positions', np.array([np.nan] * 3))
    played = controller()
    accept(played, message)
    assert np.isnan(played.reference(START_NS + 250 * MS).position_J).any()


def test_stamp_zero_starts_on_arrival():
    """Catches a message without a stamp taken for one from 1970."""
    played = controller()
    accept(played, valid_message(header=BAG_TYPES.header(0)), START_NS + NS_PER_S)
    assert played.reference(START_NS + NS_PER_S + 10**12).position_J.tolist() == [0.8] * 3


def test_position_only_is_linear_and_late_is_a_step():
    """Catches interpolation unlike trajectory.cpp: no velocities, no bridge into the past."""
    message = to_message(chunk(ramp(1.0, 1.7)), BAG_TYPES)
    for point in message.points:
        object.__setattr__(point, 'velocities', np.array([]))
    played = controller()
    accept(played, message)
    halfway = played.reference(START_NS + 150 * MS)
    assert halfway.position_J.tolist() == pytest.approx([1.05] * 3)
    assert halfway.velocity_J.tolist() == pytest.approx([1.0] * 3)
    late = controller()
    accept(late, message, START_NS + 150 * MS)
    assert late.reference(START_NS + 150 * MS).position_J[0] == pytest.approx(1.05)  # from 0.5


def test_partial_goal_keeps_the_other_joints():
    """Catches joints left out that fall to zero."""
    played = controller(allow_partial_joints_goal=True)
    point = BAG_TYPES.JointTrajectoryPoint(
        positions=np.array([1.0]), velocities=np.array([]), accelerations=np.array([]),
        effort=np.array([]), time_from_start=BAG_TYPES.Duration(sec=1, nanosec=0))
    accept(played, valid_message(joint_names=['elbow'], points=[point]))
    assert played.reference(START_NS + 2 * NS_PER_S).position_J.tolist() == [0.5, 1.0, 0.5]


def test_before_state_is_measured_without_interpolate_from_desired_state():
    """Catches the bridge taken from the wrong state."""
    played = controller(position=0.9, interpolate_from_desired_state=False)
    accept(played, valid_message())
    assert played.reference(START_NS).position_J.tolist() == [0.5] * 3
