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

"""When is decided and when is held: the policy node without ROS, on a clock of the test's."""

from dataclasses import replace
import queue
import threading
import time

import numpy as np
import pytest

from trimodal_ros.command.commander import Commander, STRAY
from trimodal_ros.command.interlock import Interlock
from trimodal_ros.command.pilot import Pilot
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.sim.lockstep import chunk_trajectory
from trimodal_ros.sim.messages import image_message, joint_state_message
from trimodal_ros.spec import NS_PER_S, RobotSpec
from trimodal_ros.stopwatch import Stopwatch

SENTENCE = 'put the red cube on the plate'
PATIENCE_S = 20.0
STEP_NS, REPLAN_NS = NS_PER_S // 20, NS_PER_S // 5
ROBOT = RobotSpec.make_example()
STOP = 'emergency_stop'


class SlowlyTurning:
    """A policy whose plans turn all joints; ``read`` are the sentences it has embedded."""

    def __init__(self, content_hash: str = 'first', speed_rad_s: float = 0.1):
        self.content_hash, self.stopwatch = content_hash, Stopwatch()
        self.speed_rad_s, self.read, self.sentences = speed_rad_s, [], self

    def tokens(self, sentence: str) -> None:
        self.read.append(sentence)

    def plan(self, observation):
        time_s_T = (1 + np.arange(ROBOT.horizon)) / ROBOT.rate_hz
        return chunk_trajectory(
            observation, observation.command_J + self.speed_rad_s * time_s_T[:, None])


class Bench:
    """A commander with inputs and a clock that go on by ``step``; it is its own outlet."""

    def __init__(self, policy=None, interlock=None, **options):
        self.now_ns, self.steady_ns, self.shade = 1_000 * NS_PER_S, 0, 0
        self.sent, self.reports, self.told = [], queue.Queue(), []
        self.pilot = Pilot(ROBOT, None, lambda: self.now_ns)
        policy = policy or SlowlyTurning()
        self.pilot.planner = policy.plan
        self.commander = Commander(self.pilot, policy, self, interlock or Interlock(),
                                   REPLAN_NS / NS_PER_S, steady=lambda: self.steady_ns, **options)
        decider = self.commander.decider
        self._decide, decider._decide = decider._decide, self._decide_busily
        self.is_busy = threading.Lock()

    def _decide_busily(self):
        with self.is_busy:
            self._decide()

    def send(self, trajectory):
        self.sent.append(trajectory)

    def report(self, decision, told):
        self.reports.put((decision, told, self.commander.decider.policy.content_hash))

    def tell(self, level, text):
        self.told.append(text)

    def joints(self):
        position_J = self.pilot.commanded.position_at(self.now_ns)
        position_J = (ROBOT.lower_J + ROBOT.upper_J) / 2 if position_J is None else position_J
        self.commander.on_joints(joint_state_message(
            ROBOT.joint_names, position_J, [], self.now_ns, BAG_TYPES))

    def image(self):
        camera, self.shade = ROBOT.cameras[0], (self.shade + 1) % 256
        pixels = np.full((camera.height, camera.width, 3), self.shade, np.uint8)
        self.commander.on_image(camera.name, image_message(
            pixels, self.now_ns, camera.name, BAG_TYPES))

    def step(self, times: int = 1, image: bool = True):
        """Let time go on and look after the robot."""
        for _ in range(times):
            self.now_ns += STEP_NS
            self.steady_ns += STEP_NS
            self.joints()
            if image:
                self.image()
            self.commander.supervise()

    def decision(self):
        """Go on until a decision is reported; return it, what was told and whose it was."""
        for _ in range(100):
            self.step()
            self.let_decide()
            if not self.reports.empty():
                return self.reports.get()
        pytest.fail('nothing was decided')

    def let_decide(self):
        """Wait while a decision is made, or due on the newest image: the clock stands still."""
        due, deadline = self.now_ns + REPLAN_NS, time.monotonic() + PATIENCE_S
        while self.is_busy.locked() or (
                self.commander.schedule.from_ns == due and self.reports.empty()):
            assert time.monotonic() < deadline, 'the worker is stuck'
            time.sleep(1e-3)

    def settle(self):
        """Wait until the worker has nothing to do, and forget what it decided."""
        self.commander.decider.worker.calm()
        while not self.reports.empty():
            self.reports.get()


@pytest.fixture
def make_bench():
    benches = []

    def make(start: bool = True, **options):
        bench = Bench(**options)
        benches.append(bench)
        bench.step()
        if start:
            assert bench.commander.why_not_ready() == ''
            assert bench.commander.start()
            bench.commander.on_instruction(SENTENCE)
        return bench
    yield make
    for bench in benches:
        bench.commander.stop('the end')
        assert bench.commander.end_worker()


def test_sentence_is_embedded_once(make_bench):
    """Catches an encoder that runs for every plan, or not until the first one is due."""
    policy = SlowlyTurning()
    bench = make_bench(policy=policy)
    for _ in range(3):
        bench.decision()
    assert policy.read == [SENTENCE]


def test_told_counts_sentences_and_notes_their_first_command(make_bench):
    """Catches the same sentence counted twice, and a time that moves on with each plan."""
    bench = make_bench()
    _, first, _ = bench.decision()
    bench.commander.on_instruction(f'  {SENTENCE}\n')
    _, again, _ = bench.decision()
    assert again == first and first.number == 1 and 0 < first.since_ns <= bench.now_ns
    bench.commander.on_instruction('')
    assert bench.commander.decider.told.number == 1 and bench.commander.decider.told.sentence == ''
    bench.commander.on_instruction('put it there')
    assert bench.commander.decider.told.since_ns == 0
    told = first
    while told.number == 1:
        _, told, _ = bench.decision()
    assert (told.sentence, told.number) == ('put it there', 2)
    assert told.since_ns > first.since_ns


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
    bench.pilot.rules = replace(bench.pilot.rules, max_tracking_error_rad=0.01)
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


def test_activated_again_while_braking_goes_on_from_there(make_bench):
    """Catches an arm taken to rest that has not come to rest yet."""
    bench = make_bench(policy=SlowlyTurning(speed_rad_s=0.5))
    bench.decision()
    bench.step(2)
    bench.commander.stop('deactivated')
    assert bench.commander.start() and bench.pilot.commanded
    bench.step(10, image=False)
    bench.commander.stop('deactivated')
    assert bench.commander.start() and not bench.pilot.commanded


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


def test_policy_takes_over_before_a_decision(make_bench):
    """Catches a plan of one policy recorded as another's, and a sentence embedded in between."""
    bench, second = make_bench(), SlowlyTurning('second', -0.1)
    _, _, by = bench.decision()
    assert by == 'first'
    bench.commander.decider.take_over(second)
    assert second.read == [SENTENCE]  # before it is needed
    while by == 'first':
        decision, _, by = bench.decision()
        falls = decision.trajectory.velocity_TJ[4, 0] < 0
        assert falls == (by == 'second')
    assert decision.refusal == '' and not decision.holds
    assert bench.told[-1] == 'checkpoint second has taken over'


def test_policy_takes_over_at_once_while_inactive(make_bench):
    """Catches a policy that was loaded and is forgotten until the second activation."""
    bench = make_bench(start=False)
    bench.commander.decider.take_over(SlowlyTurning('second'))
    assert bench.commander.decider.policy.content_hash == 'second'


def test_rehearsal_counts_nothing_as_commanded(make_bench):
    """Catches a dry run whose plans drift away from the arm, which rests."""
    bench = make_bench(dry_run=True)
    middle_J = (ROBOT.lower_J + ROBOT.upper_J) / 2
    for _ in range(4):
        decision, _, _ = bench.decision()
        np.testing.assert_allclose(decision.observation.command_J, middle_J)
    assert not bench.pilot.commanded and len(bench.sent) >= 4
