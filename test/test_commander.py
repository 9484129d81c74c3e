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

from commander_bench import ROBOT, SENTENCE, SlowlyTurning
import numpy as np


def test_sentence_is_embedded_once(make_bench):
    """Catches an encoder that runs for every plan, or not until the first one is due."""
    policy = SlowlyTurning()
    bench = make_bench(policy=policy)
    for _ in range(3):
        bench.decision()
    assert policy.read == [SENTENCE]


def test_speed_grows_from_the_first_plan_that_is_sent(make_bench):
    """Catches full speed from rest, since the sentence took longer to read than the ramp."""
    policy = SlowlyTurning(speed_rad_s=0.5)
    bench = make_bench(start=False, policy=policy)
    bench.pilot.rules = replace(bench.pilot.rules, ramp_s=1.0)
    policy.tokens = lambda sentence: bench.step(24)
    bench.commander.on_instruction(SENTENCE)
    assert bench.commander.start()
    decision, _, _ = bench.decision()
    assert np.diff(decision.trajectory.position_TJ[:, 0]).max() <= 0.05 + 1e-9
    assert 0 < decision.trajectory.velocity_TJ[1, 0] < 0.35
    decision, _, _ = bench.decision()
    assert decision.trajectory.velocity_TJ[:, 0].max() > decision.trajectory.velocity_TJ[1, 0]


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
    assert not decision.refusal and not decision.holds
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
