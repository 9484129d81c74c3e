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

"""When the commander holds, at once or soon enough, and what ends a hold."""

import threading

from commander_bench import (
    CONTROL_NS,
    PATIENCE_S,
    REPLAN_NS,
    ROBOT,
    SENTENCE,
    SlowlyTurning,
    STEP_NS,
    STOP,
    SUPERVISE_NS,
)
import numpy as np
import pytest

from trimodal_ros.command.commander import STRAY
from trimodal_ros.command.interlock import Interlock
from trimodal_ros.command.worker import Worker
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.record.sensor_messages import image_message, joint_state_message
from trimodal_ros.spec import NS_PER_S


def test_hold_ends_after_as_many_good_observations_as_asked_for(make_bench):
    """Catches a robot that goes on too early, or never."""
    bench = make_bench(interlock=Interlock(resume_after=4))
    bench.decision()
    bench.step(8, image=False)
    assert bench.commander.interlock.reason == "camera 'front'" and bench.pilot.is_braking
    bench.settle()
    for _ in range(3):
        bench.step()
        assert not bench.commander.decider.worker.is_due and not bench.commander.interlock.may_plan
    bench.decision()
    assert bench.commander.interlock.reason == '' and bench.told[-1] == 'commanding'


@pytest.mark.parametrize('names, at_once', [
    (ROBOT.joint_names, True), (('lamp', 'door'), False)])
def test_joints_that_cannot_be_hold_at_once_and_joints_left_out_do_not(make_bench, names, at_once):
    """Catches an arm that goes on blind for the age budget, and one held by another's joints."""
    bench = make_bench()
    bench.decision()
    bench.commander.on_joints(joint_state_message(
        names, [np.nan] * len(names), [], bench.now_ns, BAG_TYPES))
    assert (bench.commander.interlock.reason == 'unusable joint_states') == at_once
    assert bench.pilot.is_braking == at_once
    for _ in range(5):
        bench.now_ns += STEP_NS // 5
        bench.image()
    assert bench.commander.interlock.may_plan != at_once  # the joints before are still young


def test_an_arm_moved_while_it_was_held_stays_there_and_may_go_on(make_bench):
    """Catches a stop that nobody can end, and a controller that pulls a moved arm back."""
    bench = make_bench()
    bench.decision()
    bench.commander.on_instruction('')
    bench.step(40)
    moved_J = bench.pilot.commanded.position_at(bench.now_ns) + [0.7, 0, 0]
    bench.joints = lambda: bench.commander.on_joints(joint_state_message(
        ROBOT.joint_names, moved_J, [], bench.now_ns, BAG_TYPES))
    bench.settle()
    bench.step()
    bench.commander.on_instruction(SENTENCE)
    bench.step()
    assert bench.commander.interlock.stopped_by == STRAY
    np.testing.assert_allclose(bench.sent[-1].position_TJ[-1], moved_J)
    bench.commander.resume()
    bench.step()
    assert not bench.commander.interlock.stopped_by


def test_it_is_over_even_where_the_brake_cannot_be_sent(make_bench):
    """Catches a node that is deactivated and goes on commanding."""
    bench = make_bench()
    bench.decision()
    send, bench.send = bench.send, lambda trajectory: 1 / 0
    with pytest.raises(ZeroDivisionError):
        bench.commander.stop('deactivated')
    assert not bench.commander.helm.is_active and not bench.commander.interlock.may_plan
    bench.send = send


def test_the_worker_outlives_what_it_does(capsys):
    """Catches a policy that is active and never decides again."""
    done = threading.Semaphore(0)

    def fail():
        done.release()
        raise RuntimeError('the network card is on fire')
    worker = Worker(fail, 'decide')
    worker.start()
    for _ in range(2):
        worker.wake()
        assert done.acquire(timeout=PATIENCE_S)
    assert worker.end() and 'on fire' in capsys.readouterr().err


def test_a_worker_that_is_calmed_while_it_is_told_to_end_ends():
    """Catches a deactivation that waits for a model which has returned, and then blames it."""
    works = threading.Event()

    def calm_once_told():
        works.set()
        assert worker._due.wait(PATIENCE_S)
        worker.calm()
    worker = Worker(calm_once_told, 'decide')
    worker.start()
    worker.wake()
    assert works.wait(PATIENCE_S)
    assert worker.end()


def nan_joints(bench):
    bench.commander.on_joints(joint_state_message(
        ROBOT.joint_names, [np.nan] * len(ROBOT.joints), [], bench.now_ns, BAG_TYPES))


def unreadable_image(bench):
    camera = ROBOT.cameras[0]
    message = image_message(np.zeros((camera.height, camera.width, 3), np.uint8),
                            bench.now_ns, camera.name, BAG_TYPES)
    message.encoding = 'yuv'
    bench.commander.on_image(camera.name, message)


def jump_back(bench):
    bench.now_ns -= 10 * NS_PER_S


MAX_AGE_NS = round(0.25 * NS_PER_S)
FAULTS = {  # what happens, what comes still, and when at the earliest it is a fault
    'joints not numbers': (nan_joints, {'image'}, 0),
    'image unreadable': (unreadable_image, {'joints'}, 0),
    'told nothing': (lambda bench: bench.commander.on_instruction(''), {'image', 'joints'}, 0),
    'clock jumped back': (jump_back, set(), 0),
    'stop': (lambda bench: bench.commander.helm.stop_by('~/stop'), {'image', 'joints'}, 0),
    'camera silent': (lambda bench: None, {'joints'}, MAX_AGE_NS),
    'joints silent': (lambda bench: None, {'image'}, MAX_AGE_NS),
    'camera frozen': (lambda bench: None, {'same image', 'joints'}, NS_PER_S // 2),
}


@pytest.mark.parametrize('fault', FAULTS)
def test_hold_comes_within_a_control_period(make_bench, fault):
    """Catches a fault that is noticed some periods later, by the node's own clock."""
    happens, still, fault_ns = FAULTS[fault]
    bench = make_bench()
    bench.decision()
    bench.settle()
    happens(bench)
    bench.commander.supervise()
    since_ns = bench.now_ns
    while not bench.pilot.is_braking:
        bench.now_ns += SUPERVISE_NS
        bench.steady_ns += SUPERVISE_NS
        assert bench.now_ns - since_ns <= fault_ns + CONTROL_NS
        if 'joints' in still:
            bench.joints()
        if 'image' in still:
            bench.image()
        if 'same image' in still:
            bench.shade -= 1
            bench.image()
        bench.commander.supervise()
    assert bench.now_ns - since_ns > fault_ns - CONTROL_NS


def test_chunk_that_runs_out_is_noticed(make_bench):
    """Catches an arm at rest at the end of its chunk that is told to be commanded."""
    go_on, thinking = threading.Event(), threading.Event()
    bench = make_bench()
    bench.decision()
    plan = bench.pilot.planner

    def think(observation):
        thinking.set()
        assert go_on.wait(PATIENCE_S)
        return plan(observation)
    bench.pilot.planner = think
    bench.settle()
    count = len(bench.sent)
    bench.step(REPLAN_NS // STEP_NS)
    assert thinking.wait(PATIENCE_S)
    bench.step(40)
    assert any(text.startswith('holding: chunk exhausted') for text in bench.told)
    assert len(bench.sent) == count and not bench.pilot.is_moving
    go_on.set()
    bench.let_decide()
    bench.decision()
    assert bench.pilot.is_moving


def test_stop_topic_is_heard_and_missed(make_bench):
    """Catches a stop that is late, one that silence ends, and one while nothing moves."""
    bench = make_bench(start=False)
    commander = bench.commander
    commander.listen_to_stop(STOP, 0.2)
    bench.step(5)
    assert commander.why_not_ready() == f"stop topic '{STOP}': silent"
    commander.on_stop_topic(False)
    assert commander.why_not_ready() == '' and commander.start()
    commander.on_instruction(SENTENCE)
    bench.step()
    bench.step(5)
    assert commander.interlock.stopped_by == f'{STOP}: silent'
    with pytest.raises(ValueError, match='not yet: stop topic'):
        commander.resume()
    commander.on_stop_topic(True)
    assert commander.interlock.stopped_by == STOP
    with pytest.raises(ValueError, match='still stopped'):
        commander.resume()
    for asks in (False, True):  # a button that bounces
        commander.on_stop_topic(asks)
    with pytest.raises(ValueError, match='still stopped'):
        commander.resume()
    commander.on_stop_topic(False)
    commander.resume()
    assert commander.interlock.stopped_by == ''


def test_arm_that_is_blocked_is_stopped_before_the_next_plan(make_bench):
    """Catches a command that runs away from an arm somebody holds, and pushes it again."""
    bench = make_bench(policy=SlowlyTurning(speed_rad_s=0.5))
    bench.decision()
    middle_J = (ROBOT.lower_J + ROBOT.upper_J) / 2
    bench.pilot.max_tracking_error_rad = 0.01
    for _ in range(4):
        bench.now_ns += STEP_NS
        bench.commander.on_joints(joint_state_message(
            ROBOT.joint_names, middle_J, [], bench.now_ns, BAG_TYPES))
    bench.image()
    bench.commander.supervise()
    assert bench.commander.interlock.stopped_by == STRAY and bench.pilot.is_braking
    assert "joint 'shoulder': measured" in bench.commander.interlock.details
    bench.commander.resume()
    assert bench.commander.interlock.stopped_by == ''


def test_stop_topic_silent_since_before_the_clock_went_back_stops(make_bench):
    """Catches silence that isn't noticed until the clock shows the old time again."""
    bench = make_bench()
    bench.commander.listen_to_stop(STOP, 0.2)
    bench.commander.on_stop_topic(False)
    bench.now_ns -= 100 * NS_PER_S
    bench.step()
    assert 'holding: clock jumped back' in bench.told
    assert bench.commander.interlock.stopped_by == ''
    bench.step(6)
    assert bench.commander.interlock.stopped_by == f'{STOP}: silent'


def test_jump_ahead_is_noticed_whatever_comes_first(make_bench):
    """Catches a plan joined to where the arm was before the clock jumped."""
    bench = make_bench()
    bench.decision()
    bench.settle()
    bench.now_ns += 10 * NS_PER_S
    bench.joints()
    bench.image()
    assert any(text.startswith('holding: clock jumped ahead: ') for text in bench.told)
    assert not bench.commander.decider.worker.is_due
    bench.decision()
