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

"""What may be sent, and what the controller plays: compared with a slow model of its own here."""

from hypothesis import given, settings, strategies as st
import numpy as np
import pytest

from trimodal_ros.command.chunk import (
    ExpiredError,
    hold_trajectory,
    join_chunk,
    LEAD_S,
    reference_ahead,
)
from trimodal_ros.command.limits import check_limits, LimitError
from trimodal_ros.command.message import from_message, to_message
from trimodal_ros.command.pilot import Pilot
from trimodal_ros.command.playback import CommandedMotion, JointReference
from trimodal_ros.observe.observer import NotReady
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.sim.controller import Refused, TrajectoryController
from trimodal_ros.sim.messages import image_message, joint_state_message
from trimodal_ros.spec import NS_PER_S, RobotSpec, SpecError, Trajectory

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
    message = to_message(join_chunk(chunk(ramp(0.5, 0.8)), rest(), START_NS), BAG_TYPES)
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


def test_expired_points_are_dropped_and_the_rest_bridged():
    """Catches the step Jazzy's controller makes when it joins an old message in the middle."""
    late_ns = START_NS + 240 * MS
    joined = join_chunk(chunk(ramp(0.52, 0.6)), rest(late_ns), late_ns)
    assert joined.stamp_ns == START_NS
    assert joined.time_s_T[0] == pytest.approx(0.24 + LEAD_S)
    assert joined.position_TJ[0].tolist() == [0.5] * 3
    assert joined.time_s_T[1:].tolist() == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    assert (joined.velocity_TJ[-1] == 0).all()


def test_a_chunk_that_is_all_past_is_refused():
    """Catches a late result that would be sent anyway."""
    late_ns = START_NS + NS_PER_S
    with pytest.raises(ExpiredError, match='1.00 s old'):
        join_chunk(chunk(ramp(0.5, 0.6)), rest(late_ns), late_ns)


@pytest.mark.parametrize('first_step, bridged', [(0.1, 0), (0.3, 1), (0.6, 2)])
def test_bridge_takes_the_time_its_way_needs(first_step, bridged):
    """Catches a robot held for good because thinking ate half of the first step's time."""
    now_ns = START_NS + 30 * MS
    planned = chunk(ramp(0.2 + first_step, 0.2 + first_step))
    joined = join_chunk(planned, rest(now_ns, 0.2), now_ns)
    check_limits(joined)
    assert len(joined.time_s_T) == 1 + len(planned.time_s_T) - bridged
    np.testing.assert_array_equal(joined.position_TJ[1:], planned.position_TJ[bridged:])


def test_way_too_long_for_any_bridge_is_refused():
    """Catches a bridge so long that the plan is no longer what is carried out."""
    now_ns = START_NS + 30 * MS
    joined = join_chunk(chunk(ramp(0.98, 0.98)), rest(now_ns, 0.2), now_ns)
    assert len(joined.time_s_T) == 9
    with pytest.raises(LimitError, match='step 1'):
        check_limits(joined)


def test_hold_brakes_from_the_commanded_velocity():
    """Catches a stop that is a jump back to where the arm was."""
    moving = JointReference(START_NS, np.array([0.5, 0.0, 0.2]), np.array([1.0, 0.0, 0.0]))
    hold = hold_trajectory(ROBOT, moving)
    assert hold.position_TJ[0].tolist() == pytest.approx([0.6, 0.0, 0.2])
    assert (hold.velocity_TJ == 0).all()


@pytest.mark.parametrize('position_TJ, complaint', [
    ([[0, 0, 0.5], [0, 1.6, 0.5]], r"joint 'elbow', step 1: 1.600 rad is outside \[-1.5, 1.5\]"),
    ([[0, 0, 0.5], [0.9, 0, 0.5]], "joint 'shoulder', step 1: 9.00 rad/s is above 3.0"),
])
def test_limits_name_joint_step_and_value(position_TJ, complaint):
    """Catches a motion outside the limits; it must be refused whole, not clipped."""
    with pytest.raises(LimitError, match=complaint):
        check_limits(Trajectory(ROBOT, 0, [0.1, 0.2], position_TJ))


def test_a_joint_outside_its_limits_may_come_back():
    """Catches the dead lock in which every plan starts outside and none is let through."""
    check_limits(Trajectory(ROBOT, 0, [0.1, 0.2], [[0, 1.52, 0.5], [0, 1.4, 0.5]]))
    with pytest.raises(LimitError):
        check_limits(Trajectory(ROBOT, 0, [0.1, 0.2], [[0, 1.52, 0.5], [0, 1.53, 0.5]]))


def test_message_round_trip_by_joint_name():
    """Catches columns taken in the order of the message."""
    sent = join_chunk(chunk(ramp(0.5, 0.8) + [0.0, 0.1, 0.2]), rest(), START_NS)
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


STEPS = st.lists(st.tuples(*[st.floats(-0.25, 0.25)] * 3), min_size=8, max_size=8)


def planned(commanded, steps, stamp):
    """Return a chunk of steps from what is commanded at its image, inside the limits."""
    from_J = commanded.position_at(stamp)
    from_J = np.full(3, 0.5) if from_J is None else from_J
    return chunk(np.clip(from_J + np.cumsum(steps, axis=0), 0.05, 0.95), stamp)


def checked(plan, before, now_ns):
    """Return what the pilot sends for a plan."""
    try:
        joined = join_chunk(plan, before, now_ns)
        check_limits(joined)
        return joined
    except LimitError:
        return hold_trajectory(ROBOT, before)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(STEPS, st.integers(0, 350), st.integers(0, 300)),
                min_size=1, max_size=6))
def test_whatever_is_planned_is_accepted_and_continuous(plans):
    """Catches a refusal, or a commanded jump, for any chunks, delays and gaps between them."""
    played, commanded, now_ns, samples = controller(), CommandedMotion(), START_NS, []
    knots = [(START_NS, [0.5] * 3, [0.0] * 3)]
    for steps, delay_ms, gap_ms in plans:
        plan = planned(commanded, steps, now_ns)
        now_ns += delay_ms * MS
        sent = checked(plan, reference_ahead(commanded, now_ns, np.full(3, 0.5)), now_ns)
        message = to_message(sent, BAG_TYPES)
        accept(played, message, now_ns)
        knots = knots_of(message, now_ns, state_at(knots, now_ns))
        commanded.send(sent, now_ns, np.full(3, 0.5))
        for _ in range(gap_ms + 1):
            samples.append(played.reference(now_ns))
            assert_same(samples[-1], state_at(knots, now_ns))
            assert_same(commanded.reference(now_ns), state_at(knots, now_ns))
            now_ns += MS
    # Slope s and ends v0, v1 of a cubic weigh 3/2, 1/4, 1/4 in its middle: within a limit of V it
    # peaks at 2 V. A bridge may start at such a peak, and the next at its: 2.37 V in the end.
    # What is left to 2.5 is for the 20 ms of lead, which the controller fits anew.
    assert_no_faster(samples, 2.5)


def assert_no_faster(samples, factor):
    position_NJ = np.array([sample.position_J for sample in samples])
    is_ms = np.diff([sample.time_ns for sample in samples]) == MS
    speed_NJ = np.abs(np.diff(position_NJ, axis=0))[is_ms] * 1000
    assert (speed_NJ <= factor * ROBOT.velocity_J).all()


def test_history_tells_what_was_commanded_at_an_earlier_image():
    """Catches the newest trajectory asked about a time before it was sent."""
    commanded = CommandedMotion()
    assert commanded.position_at(START_NS) is None
    first = join_chunk(chunk(ramp(0.5, 0.8)), rest(), START_NS)
    commanded.send(first, START_NS, np.full(3, 0.5))
    expected = commanded.position_at(START_NS + 300 * MS)
    again_ns = START_NS + 400 * MS
    second = chunk(ramp(0.9, 0.9), again_ns)
    commanded.send(join_chunk(second, commanded.reference(again_ns + 20 * MS), again_ns),
                   again_ns, np.full(3, 0.5))
    assert np.array_equal(commanded.position_at(START_NS + 300 * MS), expected)


# -- one decision


def pilot(planner, now_ns=START_NS + 40 * MS) -> Pilot:
    made = Pilot(ROBOT, planner, lambda: now_ns)
    made.observer.set_instruction('put it there')
    image = np.zeros((48, 64, 3), np.uint8)
    made.observer.add_image('front', image_message(image, START_NS, '', BAG_TYPES))
    made.observer.add_joints(joint_state_message(
        ROBOT.joint_names, [0.5] * 3, [], START_NS, BAG_TYPES))
    return made


def test_a_good_plan_is_joined_and_timed():
    """Catches a plan sent as it is, or without its age."""
    decision = pilot(lambda observation: chunk(ramp(0.5, 0.8))).decide()
    assert decision.refusal == ''
    assert decision.trajectory.position_TJ[0].tolist() == [0.5] * 3
    assert set(decision.stages_ms) == {'observe', 'model', 'command'}


def test_plan_that_is_not_finite_becomes_a_hold():
    """Catches a NaN from the model on its way to a controller that lets it through."""
    decision = pilot(lambda observation: chunk(ramp(0.5, np.nan))).decide()
    assert "joint 'shoulder' is nan" in decision.refusal
    assert decision.trajectory.position_TJ.tolist() == [[0.5] * 3]


def test_plan_outside_limits_becomes_a_hold():
    """Catches a plan clipped, or played up to its limit."""
    decision = pilot(lambda observation: chunk(ramp(0.5, 9.0))).decide()
    assert 'outside' in decision.refusal
    assert decision.trajectory.position_TJ.tolist() == [[0.5] * 3]


def test_late_plan_is_not_sent():
    """Catches a model that took too long: the picture it saw is history."""
    clock = iter([START_NS, START_NS + 251 * MS])
    late = pilot(lambda observation: chunk(ramp(0.5, 0.8)))
    late.clock = lambda: next(clock)
    decision = late.decide()
    assert decision.trajectory is None and 'late: the image is 0.251 s old' in decision.refusal


def test_nothing_is_planned_without_an_instruction():
    """Catches a model that is asked to do nothing, and does something."""
    unasked = pilot(lambda observation: pytest.fail('was asked'))
    unasked.observer.set_instruction('')
    with pytest.raises(NotReady, match='no instruction'):
        unasked.decide()


def moved_pilot(position_J) -> Pilot:
    """Return a pilot that commanded rest at 0.5, whose arm is measured elsewhere 30 s after."""
    moved = pilot(lambda observation: chunk(
        observation.command_J + ramp(0.0, 0.1), observation.stamp_ns))
    moved.sent(hold_trajectory(ROBOT, rest()))
    later_ns = START_NS + 30 * NS_PER_S
    moved.clock = lambda: later_ns
    moved.observer.add_image('front', image_message(
        np.zeros((48, 64, 3), np.uint8), later_ns, '', BAG_TYPES))
    moved.observer.add_joints(joint_state_message(
        ROBOT.joint_names, position_J, [], later_ns, BAG_TYPES))
    return moved


def test_an_arm_that_left_its_command_is_held_where_it_is():
    """Catches a motion that starts at what was commanded before an emergency stop."""
    moved = moved_pilot([0.5, -0.7, 0.5])
    assert moved.hold().position_TJ.tolist() == [[0.5, -0.7, 0.5]]
    decision = moved.decide()
    assert "joint 'elbow': measured -0.700 rad, commanded 0.500 rad" in decision.refusal
    assert decision.trajectory.position_TJ.tolist() == [[0.5, -0.7, 0.5]]
    moved.sent(decision.trajectory)
    again = moved.decide()
    assert again.refusal == '' and again.trajectory.position_TJ[0].tolist() == [0.5, -0.7, 0.5]


def test_an_arm_that_lags_is_bridged_from_its_command():
    """Catches an arm let sink by starting each plan where it is; a gripper may be held open."""
    decision = moved_pilot([0.9, 0.1, 0.0]).decide()
    assert decision.refusal == '' and decision.trajectory.position_TJ[0].tolist() == [0.5] * 3
    assert moved_pilot([0.5, 0.5, 1.2]).decide().refusal == ''


def test_nothing_of_before_a_clock_jump_is_used():
    """Catches a hold that goes back to what was commanded at that time once."""
    jumped = moved_pilot([0.7] * 3)
    jumped.clock = lambda: START_NS + 100 * MS
    assert jumped.forget().position_TJ.tolist() == [[0.7] * 3]
    assert not jumped.is_moving and jumped.observer.image_stamp_ns is None
    assert jumped.forget() is None
