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

"""How plans become trajectories: joined, ramped in, blended, and braked."""

from dataclasses import replace

from hypothesis import given, settings, strategies as st
from motions import (
    accept,
    assert_same,
    chunk,
    commanding,
    controller,
    knots_of,
    MS,
    ramp,
    rest,
    ROBOT,
    START_NS,
    state_at,
)
import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from trimodal_ros.command.chunk import (
    _between,
    _spline_slopes,
    ExpiredError,
    join_chunk,
    lead_in,
    LEAD_S,
    OVERSHOOT_SAMPLES,
)
from trimodal_ros.command.hold import HOLD_S, hold_trajectory
from trimodal_ros.command.limits import check_limits, LimitError
from trimodal_ros.command.message import to_message
from trimodal_ros.command.playback import CommandedMotion, JointReference
from trimodal_ros.command.ramp import ramp_in
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.spec import NS_PER_S


def test_expired_points_are_dropped_and_the_rest_bridged():
    """Catches the step Jazzy's controller makes when it joins an old message in the middle."""
    commanded, late_ns = commanding(), START_NS + 240 * MS
    lead = lead_in(commanded, late_ns, np.full(3, 9.9))
    joined = join_chunk(chunk(ramp(0.52, 0.66)), lead)
    assert joined.stamp_ns == START_NS
    assert joined.time_s_T[0] == pytest.approx(0.24 + LEAD_S)
    assert joined.position_TJ[0].tolist() == commanded.position_at(late_ns + 20 * MS).tolist()
    assert joined.time_s_T[1:].tolist() == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7, 0.9])
    assert (joined.velocity_TJ[-1] == 0).all()


def test_points_on_the_way_to_the_bridge_are_sent_again():
    """Catches a controller that fits a new cubic over a corner it was to take."""
    commanded, now_ns = commanding(), START_NS + 290 * MS  # a point at 300
    lead = lead_in(commanded, now_ns, np.full(3, 9.9))
    assert [knot.time_ns - now_ns for knot in lead] == [0, 10 * MS, 20 * MS]
    joined = join_chunk(chunk(ramp(0.62, 0.8), START_NS + 200 * MS), lead)
    assert joined.time_s_T[:2].tolist() == pytest.approx([0.1, 0.11])
    assert np.array_equal(joined.position_TJ[0], commanded.position_at(START_NS + 300 * MS))


def test_the_controller_bridges_from_its_own_state_where_nothing_is_commanded():
    """Catches a jump from where the controller stands to where the arm sags."""
    joined = join_chunk(chunk(ramp(0.5, 0.8)), lead_in(
        CommandedMotion(ROBOT), START_NS, np.full(3, 0.5)))
    assert joined.time_s_T[0] == pytest.approx(0.1)
    assert joined.position_TJ[0].tolist() == [0.5] * 3


def test_a_camera_clock_ahead_does_not_give_times_below_zero():
    """Catches a point before the stamp, which no message can express."""
    joined = join_chunk(chunk(ramp(0.5, 0.8), START_NS + 90 * MS),
                        lead_in(commanding(), START_NS, np.full(3, 0.5)))
    assert joined.stamp_ns == START_NS and joined.time_s_T[0] == pytest.approx(0.02)
    assert joined.time_s_T[-2:].tolist() == pytest.approx([0.79, 0.99])


def test_a_chunk_that_is_all_past_is_refused():
    """Catches a late result that would be sent anyway."""
    late_ns = START_NS + NS_PER_S
    with pytest.raises(ExpiredError, match='1.02 s old'):
        join_chunk(chunk(ramp(0.5, 0.6)), [rest(late_ns)])


@pytest.mark.parametrize('first_step, bridged', [(0.04, 0), (0.15, 1), (0.4, 2)])
def test_bridge_takes_the_time_its_way_needs(first_step, bridged):
    """Catches a robot held for good because thinking ate half of the first step's time."""
    now_ns = START_NS + 20 * MS
    planned = chunk(ramp(0.2 + first_step, 0.2 + first_step))
    joined = join_chunk(planned, [rest(now_ns, 0.2)])
    check_limits(joined, rest(now_ns, 0.2))
    np.testing.assert_array_equal(joined.position_TJ, planned.position_TJ[bridged:])


def test_way_too_long_for_any_bridge_is_refused():
    """Catches a bridge so long that the plan is no longer what is carried out."""
    with pytest.raises(LimitError, match='before 0.10 s'):
        join_chunk(chunk(ramp(0.98, 0.98)), [rest(START_NS + 30 * MS, 0.2)])


def test_spline_that_would_leave_the_limits_goes_by_its_points():
    """Catches a plan refused, though its points are inside, for how they were joined."""
    way = np.array([0.5, 0.48, 0.42, 0.32, 0.2, 0.08, 0.0, 0.0])
    joined = join_chunk(chunk(np.stack([way, way, way], axis=1)), [rest()])
    turn = list(way).index(0.0)                   # with the first point, where it is, left out
    assert joined.velocity_TJ[turn, 2] == 0       # the gripper's limit is at 0
    assert joined.velocity_TJ[turn, 0] != 0       # the shoulder's is not


# -- braking


def moving(velocity_J, position_J=(0.5, 0.0, 0.2)):
    return JointReference(START_NS, np.array(position_J, float), np.array(velocity_J, float))


def test_hold_brakes_from_the_commanded_velocity():
    """Catches a stop that is a jump back to where the arm was."""
    hold = hold_trajectory(ROBOT, [moving([1.0, 0.0, 0.0])])
    assert hold.time_s_T.tolist() == [HOLD_S]
    assert hold.position_TJ[0].tolist() == pytest.approx([0.6, 0.0, 0.2])
    assert (hold.velocity_TJ == 0).all()


def test_hold_brakes_harder_where_there_is_no_room():
    """Catches a brake that leaves the limits, and one that throws all joints into the stop."""
    hold = hold_trajectory(ROBOT, [moving([2.0, 1.0, 0.0], [1.95, 0.0, 0.2])])
    assert hold.time_s_T.tolist() == pytest.approx([0.05, 0.2])
    assert hold.position_TJ[:, 0].tolist() == pytest.approx([2.0, 2.0])
    assert hold.position_TJ[:, 1].tolist() == pytest.approx([0.04375, 0.1])
    assert hold.velocity_TJ[0].tolist() == pytest.approx([0.0, 0.75, 0.0])


@settings(max_examples=100, deadline=None)
@given(st.tuples(*[st.floats(-3, 3)] * 3), st.tuples(*[st.floats(0.0, 1.0)] * 3),
       st.sampled_from([60.0, 6.0]))
def test_hold_keeps_the_limits_from_every_state_that_can_be_stopped(velocity, share, most_rad_s2):
    """Catches a brake that breaks what it is to protect, also of joints that take longer."""
    robot = replace(ROBOT, joints=tuple(
        replace(joint, acceleration=most_rad_s2) for joint in ROBOT.joints))
    velocity_J, braking_J = np.array(velocity), np.array(velocity) ** 2 / 2 / most_rad_s2
    room_J = ROBOT.upper_J - ROBOT.lower_J - braking_J
    position_J = np.where(velocity_J > 0, ROBOT.lower_J + np.array(share) * room_J,
                          ROBOT.lower_J + braking_J + np.array(share) * room_J)
    start = JointReference(START_NS, position_J, velocity_J)
    hold = hold_trajectory(robot, [start])
    slack = replace(ROBOT, joints=tuple(  # of what is too slow to matter, and of merged points
        replace(joint, lower=joint.lower - 2e-4, upper=joint.upper + 2e-4,
                acceleration=1.03 * joint.acceleration) for joint in robot.joints))
    check_limits(replace(hold, robot=slack), start)
    assert hold.time_s_T[-1] <= max(HOLD_S, 3 / most_rad_s2) + 1e-6
    assert not hold.velocity_TJ[-1].any()


# -- ramping in


def test_ramp_keeps_the_way_and_takes_its_time():
    """Catches a robot that leaps when it is switched on, or that takes another way."""
    planned = chunk(ramp(0.5, 0.8))
    slow = ramp_in(planned, START_NS, START_NS, 1.0)
    assert np.array_equal(slow.position_TJ, planned.position_TJ)
    # u^2 / 2 = t within the ramp, u - 1 / 2 = t after it
    assert slow.time_s_T.tolist() == pytest.approx(
        [np.sqrt(2 * t) if t <= 0.5 else t + 0.5 for t in planned.time_s_T])
    assert ramp_in(planned, START_NS + NS_PER_S, START_NS, 1.0) is planned
    assert ramp_in(planned, START_NS, START_NS, 0.0) is planned


def test_ramp_goes_on_where_it_is():
    """Catches a second plan that begins the ramp anew, or jumps to full speed."""
    planned = chunk(ramp(0.5, 0.8))
    slow = ramp_in(planned, START_NS, START_NS - NS_PER_S // 2, 1.0)
    assert np.gradient(slow.time_s_T[:2])[0] > 0.1  # at 0.5 to 0.6 of the speed
    assert slow.time_s_T[0] == pytest.approx(np.sqrt(0.25 + 0.2) - 0.5)
    assert np.diff(slow.time_s_T)[-1] == pytest.approx(0.1)


# -- everything together


STEPS = st.lists(st.tuples(*[st.floats(-0.25, 0.25)] * 3), min_size=8, max_size=8)
LEAD_MS = round(1000 * LEAD_S)
FIRST_POINTS_MS = 400  # until then the controller is on its way from its own state


def planned_from(commanded, steps, stamp):
    """Return a chunk of steps from what is commanded at its image, inside the limits."""
    from_J = commanded.position_at(stamp)
    from_J = np.full(3, 0.5) if from_J is None else from_J
    return chunk(np.clip(from_J + np.cumsum(steps, axis=0), 0.05, 0.95), stamp)


def checked(plan, commanded, now_ns):
    """Return what the pilot sends for a plan."""
    lead = lead_in(commanded, now_ns, np.full(3, 0.5))
    try:
        return join_chunk(plan, lead)
    except LimitError:
        return hold_trajectory(ROBOT, lead)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(STEPS, st.integers(0, 350), st.integers(-30, 30),
                          st.integers(0, LEAD_MS - 1), st.integers(0, 300)),
                min_size=1, max_size=6))
def test_whatever_is_planned_is_accepted_and_within_the_limits(plans):
    """Catches a refusal, or a commanded jump, for any chunks, delays and jitter of clocks."""
    played, commanded, now_ns, samples = controller(), CommandedMotion(ROBOT), START_NS, []
    knots, first_ms = [(START_NS, [0.5] * 3, [0.0] * 3)], FIRST_POINTS_MS
    for steps, thinking_ms, jitter_ms, transport_ms, gap_ms in plans:
        plan = planned_from(commanded, steps, now_ns + jitter_ms * MS)
        now_ns += thinking_ms * MS
        sent = checked(plan, commanded, now_ns)
        commanded.send(sent, now_ns, np.full(3, 0.5))
        message, now_ns = to_message(sent, BAG_TYPES), now_ns + transport_ms * MS
        accept(played, message, now_ns)
        knots = knots_of(message, now_ns, state_at(knots, now_ns))
        for _ in range(LEAD_MS + gap_ms + first_ms):
            samples.append(played.reference(now_ns))
            assert_same(samples[-1], state_at(knots, now_ns))
            now_ns += MS
        first_ms = 0
    assert_within_limits(samples)


def assert_within_limits(samples):
    """Compare what is commanded each ms with the limits, by differences."""
    position_NJ = np.array([sample.position_J for sample in samples])
    velocity_NJ = np.array([sample.velocity_J for sample in samples])
    assert (position_NJ >= ROBOT.lower_J - 1e-4).all()
    assert (position_NJ <= ROBOT.upper_J + 1e-4).all()
    assert (np.abs(velocity_NJ) <= ROBOT.velocity_J + 1e-3).all()
    gap_s = np.diff([sample.time_ns for sample in samples])[:, None] / NS_PER_S
    assert (np.abs(np.diff(position_NJ, axis=0)) <= (ROBOT.velocity_J + 1e-3) * gap_s).all()
    assert (np.abs(np.diff(velocity_NJ, axis=0)) <= ROBOT.acceleration_J * gap_s * 1.01).all()


def test_history_tells_what_was_commanded_at_an_earlier_image():
    """Catches the newest trajectory asked about a time before it was sent."""
    commanded = CommandedMotion(ROBOT)
    assert commanded.position_at(START_NS) is None and not commanded
    commanded = commanding()
    expected = commanded.position_at(START_NS + 300 * MS)
    again_ns = START_NS + 400 * MS
    second = join_chunk(chunk(ramp(0.7, 0.7), again_ns),
                        lead_in(commanded, again_ns, np.full(3, 0.5)))
    commanded.send(second, again_ns, np.full(3, 0.5))
    assert np.array_equal(commanded.position_at(START_NS + 300 * MS), expected)


@pytest.mark.parametrize('points', [2, 3, 4, 17])
def test_velocities_are_those_of_the_spline(points):
    """Catches a system of equations with a coefficient in the wrong place, or too few points."""
    rng = np.random.default_rng(points)
    time_s_T = np.cumsum(rng.uniform(0.03, 0.2, points))
    position_TJ, first_J = rng.normal(size=(points, 3)), rng.normal(size=3)
    spline = CubicSpline(time_s_T, position_TJ, bc_type=((1, first_J), (1, np.zeros(3))))
    velocity_TJ = _spline_slopes(time_s_T, position_TJ, first_J)
    np.testing.assert_allclose(velocity_TJ, spline(time_s_T, 1), atol=1e-9)
    between_s = np.linspace(time_s_T[:-1], time_s_T[1:], OVERSHOOT_SAMPLES).ravel()
    np.testing.assert_allclose(_between(np.diff(time_s_T), position_TJ, velocity_TJ),
                               spline(between_s), atol=1e-9)
