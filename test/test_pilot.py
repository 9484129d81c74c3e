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

"""One decision: what is sent, what becomes a hold, and what is left out."""

from dataclasses import replace

from motions import chunk, MS, ramp, rest, ROBOT, START_NS
import numpy as np
import pytest
from ruckig import Result

from trimodal_ros.command.decision import Refusal, Rules, STAGES
from trimodal_ros.command.guard import Guard, GuardError
from trimodal_ros.command.hold import hold_trajectory
from trimodal_ros.command.limits import check_limits, LimitError
from trimodal_ros.command.pilot import Pilot
from trimodal_ros.observe.observer import NotReady
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.record.sensor_messages import image_message, joint_state_message
from trimodal_ros.spec import NS_PER_S
from trimodal_ros.stopwatch import Stopwatch


def image(stamp):
    return image_message(np.zeros((48, 64, 3), np.uint8), stamp, '', BAG_TYPES)


def pilot(planner, now_ns=START_NS + 40 * MS, **options) -> Pilot:
    made = Pilot(ROBOT, planner, lambda: now_ns, **options)
    made.observer.set_instruction('put it there')
    made.observer.add_image('front', image(START_NS), START_NS + 10 * MS)
    made.observer.add_joints(joint_state_message(
        ROBOT.joint_names, [0.5] * 3, [], START_NS, BAG_TYPES))
    return made


def test_a_good_plan_is_joined_and_timed():
    """Catches a plan sent as it is, or without the time each stage took."""
    decision = pilot(lambda observation: chunk(ramp(0.5, 0.8))).decide()
    assert not decision.refusal and not decision.holds
    assert decision.trajectory.time_s_T[0] == pytest.approx(0.1)
    assert set(decision.stages_ms) == set(STAGES)
    assert decision.stages_ms['transport'] == pytest.approx(10)
    assert decision.stages_ms['wait'] == pytest.approx(30)


@pytest.mark.parametrize('plan, complaint, why', [
    (ramp(0.5, np.nan), "joint 'shoulder' is nan", ('not a plan', '')),
    (ramp(0.5, 9.0), 'is outside', ('limits', 'elbow'))])
def test_plan_that_may_not_be_sent_becomes_a_hold(plan, complaint, why):
    """Catches a NaN on its way to a controller that lets it through, and a plan cut short."""
    decision = pilot(lambda observation: chunk(plan)).decide()
    assert complaint in decision.refusal.text and decision.holds
    assert (decision.refusal.reason, decision.refusal.joint) == why
    assert decision.trajectory.position_TJ.tolist() == [[0.5] * 3]


def test_limit_events_are_counted_by_joint_and_kind():
    """Catches a robot held again and again by a joint that nobody is told of."""
    refusing = pilot(lambda observation: chunk(ramp(0.5, 0.6) * [1, 1, 3]))
    refusing.decide()
    refusing.decide()
    assert refusing.limit_events == {('gripper', 'position'): 2}


def test_a_plan_can_be_clamped_instead():
    """Catches a parameter that changes nothing, and a clamp nobody hears of."""
    rules = Rules(on_limit='clamp')
    clamping = pilot(lambda observation: chunk(ramp(0.5, 1.4)), rules=rules)
    decision = clamping.decide()
    assert not decision.refusal and decision.trajectory.position_TJ[:, 2].max() <= 1.0
    assert clamping.limit_events['gripper', 'position'] == 1
    assert "joint 'gripper'" in decision.clamped and not clamping.decide().refusal


def test_a_clamped_acceleration_is_counted_too():
    """Catches a plan that was changed without a word."""
    way_TJ = np.full((8, 3), 0.5)
    way_TJ[3, 1] = 0.72
    clamping = pilot(lambda observation: chunk(way_TJ), rules=Rules(on_limit='clamp'))
    assert 'is above' in clamping.decide().clamped
    assert clamping.limit_events['elbow', 'acceleration'] == 1


def test_plan_that_cannot_be_clamped_is_outside_the_limits(monkeypatch):
    """Catches a hold that is counted for a joint, or for anything but the limits."""
    monkeypatch.setattr('ruckig.Ruckig.update', lambda *state: Result.Error)
    clamping = pilot(lambda observation: chunk(ramp(0.5, 1.4)), rules=Rules(on_limit='clamp'))
    decision = clamping.decide()
    assert decision.holds and decision.refusal.reason == 'limits' and not decision.refusal.joint
    assert clamping.limit_values == {'no way': '1'}


def test_the_first_step_from_the_measured_arm_is_limited():
    """Catches a plan made for another arm, that leads within the limits to where it would be."""
    far = pilot(lambda observation: chunk(ramp(0.7, 0.8)), rules=Rules(max_first_step_rad=0.15))
    assert 'measured is 0.500 rad, at most 0.15 rad' in far.decide().refusal.text


def test_late_plan_is_not_sent():
    """Catches a model that took too long: the picture it saw is history."""
    times_ns = [START_NS]

    def think(observation):
        times_ns.append(START_NS + 251 * MS)
        return chunk(ramp(0.5, 0.8))
    late = pilot(think)
    late.clock = lambda: times_ns[-1]
    decision = late.decide()
    assert decision.trajectory is None and decision.refusal == Refusal(
        'late', "late: 'front' is 0.251 s old, at most 0.25 s is allowed")


def test_nothing_is_planned_without_an_instruction():
    """Catches a model that is asked to do nothing, and does something."""
    unasked = pilot(lambda observation: pytest.fail('was asked'))
    unasked.observer.set_instruction('')
    with pytest.raises(NotReady, match='no instruction'):
        unasked.decide()


def test_plans_are_checked_against_the_robot_that_is_here():
    """Catches limits taken from the checkpoint, while the YAML slows the robot down."""
    slow = replace(ROBOT, joints=tuple(replace(j, velocity=0.2) for j in ROBOT.joints))
    made = pilot(lambda observation: chunk(ramp(0.5, 0.8)))
    made.robot = slow
    decision = made.decide()
    assert 'above 0.2 rad/s' in decision.refusal.text


def test_another_check_may_refuse_too():
    """Catches a workspace that is configured and never asked, or asked without the start."""
    asked = []

    def check(trajectory):
        asked.append(trajectory)
        raise LimitError('workspace', 'hand', 'the hand leaves its box')
    decision = pilot(lambda observation: chunk(ramp(0.5, 0.8)), check=check).decide()
    assert decision.refusal == Refusal('workspace', 'the hand leaves its box') and decision.holds
    assert asked[0].position_TJ[0].tolist() == [0.5] * 3 and asked[0].time_s_T[0] < 0.1


def test_speed_grows_after_the_beginning():
    """Catches a robot that leaps when it is activated."""
    made = pilot(lambda observation: chunk(ramp(0.5, 0.8)), rules=Rules(ramp_s=1.0))
    at_once = made.decide().trajectory.time_s_T
    made.begin()
    assert (made.decide().trajectory.time_s_T > at_once + 0.05).all()


def test_chunks_of_the_policy_before_are_not_blended():
    """Catches an arm that goes on partly by a checkpoint that was replaced."""
    rules = Rules(blending='ensemble')
    made = pilot(lambda observation: chunk(ramp(0.5, 0.8)), rules=rules)
    made.sent(made.decide().trajectory)
    made.take_over(lambda observation: chunk(ramp(0.5, 0.5)), Stopwatch())
    np.testing.assert_allclose(made.decide().trajectory.position_TJ[-1], 0.5)


def moved_pilot(position_J) -> Pilot:
    """Return a pilot that commanded rest at 0.5, whose arm is measured elsewhere 30 s after."""
    moved = pilot(lambda observation: chunk(
        observation.command_J + ramp(0.0, 0.1), observation.stamp_ns))
    moved.sent(hold_trajectory(ROBOT, [rest()]), is_hold=True)
    assert moved.is_braking
    later_ns = START_NS + 30 * NS_PER_S
    moved.clock = lambda: later_ns
    moved.observer.clear()
    moved.observer.add_image('front', image(later_ns))
    moved.observer.add_joints(joint_state_message(
        ROBOT.joint_names, position_J, [], later_ns, BAG_TYPES))
    return moved


def test_an_arm_that_left_its_command_is_held_where_it_is():
    """Catches a motion that starts at what was commanded before an emergency stop."""
    moved = moved_pilot([0.5, -0.7, 0.5])
    assert moved.hold().position_TJ.tolist() == [[0.5, -0.7, 0.5]]
    decision = moved.decide()
    assert "joint 'elbow': measured -0.700 rad, commanded 0.500 rad" in decision.refusal.text
    assert decision.refusal.reason == 'arm is elsewhere'
    assert decision.trajectory.position_TJ.tolist() == [[0.5, -0.7, 0.5]]
    moved.sent(decision.trajectory, decision.holds)
    again = moved.decide()
    assert not again.refusal and again.trajectory.position_TJ[0].tolist() == [0.5, -0.7, 0.5]


def test_an_arm_that_lags_is_bridged_from_its_command():
    """Catches an arm let sink by starting each plan where it is; a gripper may be held open."""
    decision = moved_pilot([0.58, 0.42, 0.0]).decide()
    assert not decision.refusal and decision.trajectory.position_TJ[0].tolist() == [0.5] * 3
    assert not moved_pilot([0.5, 0.5, 1.2]).decide().refusal


def test_a_controller_that_was_started_anew_is_not_thrown_back():
    """Catches 0.4 rad in 20 ms: after a power cut it is where the arm sank to."""
    decision = moved_pilot([0.5, 0.1, 0.5]).decide()
    assert not decision.refusal and decision.trajectory.time_s_T[0] >= 0.1
    assert decision.observation.command_J.tolist() == [0.5, 0.1, 0.5]
    assert decision.trajectory.position_TJ[0].tolist() == [0.5, 0.1, 0.5]


def test_nothing_of_before_a_clock_jump_is_used():
    """Catches a hold that goes back to what was commanded at that time once."""
    jumped = moved_pilot([0.7] * 3)
    seen_ns = jumped.clock()
    jumped.clock = lambda: START_NS + 100 * MS
    assert jumped.forget(seen_ns).position_TJ.tolist() == [[0.7] * 3]
    assert not jumped.is_moving and jumped.observer.image_stamp_ns is None
    assert jumped.forget(seen_ns) is None


@pytest.mark.parametrize('choice', [{'on_limit': 'ignore'}, {'on_limit': ''}])
def test_unknown_choices_are_refused(choice):
    """Catches a misspelt parameter that switches a check off."""
    with pytest.raises(ValueError, match='not one of refuse, clamp'):
        Rules(**choice)


# -- the guard


def test_guard_holds_after_two_low_scores_and_lets_go_above_another():
    """Catches a robot held by one odd picture, and one that stutters about a threshold."""
    guard = Guard('scene_motion', hold_below=0.2, release_above=0.4)
    held = []
    for value in (0.5, 0.1, 0.5, 0.1, 0.1, 0.3, 0.39, 0.41, 0.3):
        try:
            guard.check({'scene_motion': value})
            held.append(False)
        except GuardError:
            held.append(True)
    assert held == [False, False, False, False, True, True, True, False, False]


def test_guarded_plan_becomes_a_hold_until_another_instruction():
    """Catches a guard that is asked and not heeded, and one that outlives its errand."""
    made = pilot(lambda observation: replace(chunk(ramp(0.5, 0.8)),
                                             alignment={'image_sentence': -0.5}),
                 guard=Guard('image_sentence', 0.0, 0.1))
    assert not made.decide().refusal
    decision = made.decide()
    assert decision.holds and 'guard: image_sentence is -0.500' in decision.refusal.text
    assert decision.refusal.reason == 'guard'
    made.observer.set_instruction('put it elsewhere')
    assert not made.decide().refusal


def test_guard_forgets_the_policy_before():
    """Catches a new checkpoint that is held for the scores of the one it replaced."""
    def poor(observation):
        return replace(chunk(ramp(0.5, 0.8)), alignment={'image_sentence': -0.5})
    made = pilot(poor, guard=Guard('image_sentence', 0.0, 0.1))
    assert not made.decide().refusal
    made.take_over(poor, Stopwatch())
    assert not made.decide().refusal  # the first low score of the new one
    assert made.decide().refusal.reason == 'guard'


@pytest.mark.parametrize('values, complaint', [
    (('pairing',), "'pairing' is not '' or one of"), (('scene_motion', 0.5, 0.1), 'is above')])
def test_a_guard_that_makes_no_sense_is_refused(values, complaint):
    """Catches a guard that never lets go, or that watches nothing."""
    with pytest.raises(ValueError, match=complaint):
        Guard(*values)


def test_plan_whose_bridge_has_begun_is_too_late():
    """Catches a step: the controller joins a bridge in the middle from where it isn't."""
    made = pilot(lambda observation: chunk(ramp(0.5, 0.8)))
    decision = made.decide()
    assert made.in_time(decision) is decision
    made.clock = lambda: START_NS + 60 * MS
    late = made.in_time(decision)
    assert late.trajectory is None
    assert late.refusal == Refusal('late', 'late: by 0.005 s, to begin its bridge')


def test_hold_where_the_arm_strayed_to_gives_the_controller_time():
    """Catches a controller that is told to come over to a moved arm at any speed."""
    moved = moved_pilot([0.5, -0.7, 0.5])
    hold, left = moved.hold(), moved.commanded.reference(moved.clock())
    check_limits(hold, left)
    assert hold.time_s_T[-1] > 0.2
