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

"""A person takes over from a policy and gives back: both without ROS, on one clock (Duet)."""

import numpy as np
import pytest

from benchmarks.duet import MS
from benchmarks.takeover import crossed, make_duet, play, shares, switches
from trimodal_ros.command.interlock import Interlock, TAKEN_OVER
from trimodal_ros.command.takeover import SILENT, Takeover
from trimodal_ros.spec import NS_PER_S

FULL = np.array([0.7, -0.5, 0.4, 0.0, 0.3, 0.0, 0.0, 0.2])


@pytest.fixture
def duet():
    """A policy that commands, and a person who rests."""
    duet = make_duet(seed=3)
    duet.run_for(0.5)
    assert duet.commander.start()
    duet.commander.on_instruction('sway')
    duet.run_for(2.0)
    assert duet.commander.interlock.reason == '' and 'commanding' not in duet.person.told
    yield duet
    assert not any(each.refused for each in duet.arrived)
    velocity, acceleration = shares(duet)
    assert velocity <= 1 + 1e-6 and acceleration <= 1 + 1e-6


def sent_by(duet, who: str, since_ns: int) -> list:
    return [each for each in duet.arrived if each.by == who and each.at_ns > since_ns]


def take_over(duet, axes=FULL):
    """Push until the policy gives way, and what was under way has arrived."""
    duet.push(axes)
    duet.run_for(0.1)
    assert duet.teleoperator.is_on and duet.commander.interlock.is_taken
    return duet.now_ns


def test_takeovers_at_any_moment_are_smooth():
    """Catches a step of position or velocity, and a motion beyond the limits, when the command
    changes hands, whatever is under way.
    """
    duet = make_duet(seed=0)
    times_ns = play(duet, 15)
    found = switches(duet, times_ns)
    assert len(found) == 30 and not any(each.refused for each in duet.arrived)
    assert max(each.step_rad for each in found) < 1e-9
    assert max(each.step_rad_s for each in found) < 1e-9
    assert max(shares(duet)) <= 1 + 1e-6
    assert crossed(duet, times_ns) <= 3  # those that were on their way already


def test_takeover_is_told_when_the_command_changes_hands(duet):
    """Catches a record that calls a person's motion the policy's, or the other way round."""
    pushed_ns = duet.now_ns
    take_over(duet)
    duet.let_go()
    duet.run_for(2.0)
    changes = [(at_ns, is_on) for (at_ns, is_on), (_, before) in zip(
        duet.takeovers, [(0, False), *duet.takeovers]) if is_on != before]
    assert [is_on for _, is_on in changes] == [True, False]
    begun_ns, ended_ns = (at_ns for at_ns, _ in changes)
    by_hand = sent_by(duet, 'person', pushed_ns)
    assert begun_ns <= by_hand[0].at_ns and by_hand[-1].at_ns <= ended_ns
    assert not [each for each in sent_by(duet, 'policy', begun_ns + 20 * MS)
                if each.at_ns < ended_ns]


def test_plan_under_way_is_not_sent_after_a_takeover(duet):
    """Catches a plan that overrides the person when the model comes to its end."""
    think_ns, pushes = duet.think_ns, []

    def think_and_be_taken_over():
        duet.at(duet.now_ns + 50 * MS, lambda: pushes.append(duet.now_ns) or duet.push(FULL))
        return 150 * MS
    duet.think_ns = think_and_be_taken_over
    while not pushes:
        duet.run_for(0.005)
    duet.think_ns = think_ns
    duet.run_for(0.5)
    assert sent_by(duet, 'person', pushes[0]) and not sent_by(duet, 'policy', pushes[0] + 5 * MS)


def test_plan_in_the_making_is_dropped_when_only_the_button_is_pressed():
    """Catches a plan that goes out since the person, at an arm at rest, sends nothing."""
    duet = make_duet(seed=9)
    duet.run_for(0.5)
    assert duet.commander.start()
    pressed = []

    def think_and_be_taken_over():
        duet.at(duet.now_ns + 50 * MS, lambda: pressed.append(duet.push(np.zeros(8))))
        return 150 * MS
    duet.think_ns = think_and_be_taken_over
    duet.commander.on_instruction('sway')
    duet.run_for(1.0)
    assert pressed and duet.commander.interlock.is_taken and not duet.arrived


@pytest.mark.parametrize('fault', ['images', 'no instruction', 'deactivated'])
def test_policy_does_not_brake_a_person(duet, fault):
    """Catches a hold for a stale camera that the person's command has nothing to do with."""
    taken_ns = take_over(duet)
    if fault == 'images':
        duet.silent.add('images')
    elif fault == 'no instruction':
        duet.commander.on_instruction('')
    else:
        duet.commander.stop('deactivated')
    duet.run_for(1.0)
    assert not sent_by(duet, 'policy', taken_ns)
    assert len(sent_by(duet, 'person', taken_ns)) > 15
    duet.let_go()
    duet.run_for(1.0)
    assert not sent_by(duet, 'policy', taken_ns)
    if fault == 'images':
        assert duet.commander.interlock.reason == "camera 'front'"
        duet.silent.clear()
        duet.run_for(1.0)
        assert sent_by(duet, 'policy', taken_ns) and duet.commander.interlock.reason == ''


def test_policy_goes_on_by_ramp_from_where_the_person_left(duet):
    """Catches a policy that jumps back to where it was, or goes on at full speed from rest."""
    take_over(duet)
    duet.run_for(0.5)
    duet.let_go()
    count = len(duet.samples)
    duet.run_for(3.0)
    assert duet.commander.interlock.reason == '' and not duet.teleoperator.is_on
    speed_S = [np.abs(sample.velocity_J).max() for sample in duet.samples[count:]]
    rests = int(np.argmin(speed_S))
    assert speed_S[rests] < 1e-6
    assert max(speed_S[rests:rests + 10]) < 0.5 * max(speed_S[rests:])


def test_person_killed_in_motion_leaves_the_policy_stopped(duet):
    """Catches a policy that goes on by itself where nobody has given back."""
    taken_ns = take_over(duet)
    duet.silent.add('person')
    duet.run_for(3.0)
    assert duet.commander.interlock.stopped_by == SILENT
    assert not [each for each in sent_by(duet, 'policy', taken_ns)]
    assert np.abs(duet.samples[-1].velocity_J).max() == 0
    duet.commander.resume()
    duet.run_for(1.0)
    assert sent_by(duet, 'policy', taken_ns)


def test_give_back_by_service_waits(duet):
    """Catches a policy that moves the moment the stick is let go, where that was not wanted."""
    duet.commander.interlock.give_back_by = 'service'
    taken_ns = take_over(duet)
    duet.let_go()
    duet.run_for(2.0)
    assert not duet.teleoperator.is_on and not sent_by(duet, 'policy', taken_ns)
    assert duet.commander.interlock.reason == TAKEN_OVER
    duet.commander.resume()
    duet.run_for(1.0)
    assert sent_by(duet, 'policy', taken_ns)


def test_stop_of_the_policy_stops_the_person_too(duet):
    """Catches an emergency stop that a stick overrides, and a lock that nobody can open."""
    taken_ns = take_over(duet)
    duet.commander.helm.stop_by('~/stop')
    duet.to_person('policy', lambda: duet.teleoperator.on_stopped(True))
    duet.run_for(0.5)
    assert sent_by(duet, 'policy', taken_ns)
    assert np.abs(duet.samples[-1].velocity_J).max() == 0
    count = len(duet.arrived)
    duet.run_for(1.0)
    assert len(duet.arrived) == count and duet.teleoperator.reason == 'stopped by the policy'
    duet.commander.resume()
    duet.to_person('policy', lambda: duet.teleoperator.on_stopped(False))
    duet.run_for(0.5)
    assert len(duet.arrived) == count  # the stick has been pushed all the while
    duet.let_go()
    duet.run_for(1.5)
    assert not duet.teleoperator.is_on and sent_by(duet, 'policy', taken_ns + NS_PER_S)


def test_stop_of_the_person_takes_over(duet):
    """Catches a person's stop that gives the arm to the policy."""
    stopped_ns = duet.now_ns
    duet.teleoperator.stop('~/stop')
    duet.run_for(2.0)
    assert duet.commander.interlock.is_taken
    assert not sent_by(duet, 'policy', stopped_ns + 20 * MS)
    assert np.abs(duet.samples[-1].velocity_J).max() == 0
    duet.teleoperator.resume()
    duet.run_for(1.0)
    assert duet.commander.interlock.reason == '' and sent_by(duet, 'policy', stopped_ns + NS_PER_S)


def test_policy_started_while_a_person_commands_waits_for_them():
    """Catches a policy that knows nothing of a takeover before its own start."""
    duet = make_duet(seed=5)
    duet.run_for(0.5)
    duet.commander.on_instruction('sway')
    taken_ns = take_over(duet)
    assert duet.commander.start()
    duet.run_for(1.0)
    assert not sent_by(duet, 'policy', taken_ns)
    assert duet.commander.interlock.reason == TAKEN_OVER
    duet.let_go()
    duet.run_for(1.5)
    assert sent_by(duet, 'policy', taken_ns)
    assert max(shares(duet)) <= 1 + 1e-6


def test_rehearsing_policy_is_quiet_and_counts_nothing_of_a_person():
    """Catches rehearsals against a person's motion, and an exhausted chunk nobody planned."""
    duet = make_duet(seed=6)
    duet.commander.helm.dry_run = True
    duet.run_for(0.5)
    assert duet.commander.start()
    duet.commander.on_instruction('sway')
    taken_ns = take_over(duet)
    duet.run_for(1.0)
    assert not sent_by(duet, 'policy', taken_ns) and not duet.commander.pilot.commanded
    duet.let_go()
    duet.run_for(2.0)
    assert duet.commander.interlock.reason == ''


def test_standstill_of_ones_own_is_nobody_s_silence():
    """Catches a policy that stops the robot since it has itself not listened for a second."""
    takeover = Takeover(max_silence_s=1.0)
    takeover.is_silent(NS_PER_S)
    assert takeover.hear(True) and not takeover.hear(True)
    assert not takeover.is_silent(5 * NS_PER_S)
    silent = [takeover.is_silent(5 * NS_PER_S + number * 20 * MS) for number in range(1, 60)]
    assert silent.index(True) == pytest.approx(45, abs=1)


def test_give_back_is_one_of_two():
    """Catches a misspelt choice that is taken for another."""
    with pytest.raises(ValueError, match='give_back'):
        Interlock(give_back='sometimes')
