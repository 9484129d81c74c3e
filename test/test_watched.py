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

"""A watched policy: when somebody takes over, what the bag says of it, and what is learnt."""

from collections import Counter

import numpy as np
import pytest

from trimodal_ros.command.takeover import TAKEOVER_TOPIC
from trimodal_ros.record.bag_metadata import message_counts
from trimodal_ros.record.episode import read_info
from trimodal_ros.record.moments import read_commanded, Sampling
from trimodal_ros.record.reader import read_messages
from trimodal_ros.sim.demonstrate import Demonstrator
from trimodal_ros.sim.watched import Patience, record_watched_episode
from trimodal_ros.spec import NS_PER_S
from trimodal_ros.spec.topics import LABEL_TOPIC

SENTENCE = ['put the {object} on the {place}']
PATIENCE = Patience(watch_steps=4, gain_steps=6, least_steps=5)


class Watched:
    """An episode of some policy, and what it saw and the arm was commanded at each step."""

    def __init__(self, path, simulated, robot, planner, seed=5, max_steps=40):
        self.path, self.seen, self.commanded = path, [], {}

        def make_policy():
            def plan(observation):
                self.seen.append(observation)
                return planner(observation)
            return plan
        command = Demonstrator.table

        def table(demonstrator):  # asked for at every step
            self.commanded[simulated.now_ns] = simulated.command_D
            return command(demonstrator)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Demonstrator, 'table', table)
            self.success = record_watched_episode(
                path, simulated, robot, seed, SENTENCE, make_policy, 'hash', PATIENCE, max_steps)
        self.info = read_info(path)
        self.moments = list(read_commanded(path, robot, Sampling(), Counter()))


@pytest.fixture(scope='module')
def idle(simulated, so101, tmp_path_factory):
    """An episode whose policy does nothing."""
    return Watched(tmp_path_factory.mktemp('watched') / 'idle', simulated, so101,
                   lambda observation: None)


def test_a_person_takes_over_from_a_policy_that_does_nothing(idle, so101):
    """Catches a watcher who never acts or never gives back, and times of another clock."""
    (first_from, first_to), *_ = idle.info.interventions
    start_ns = min(idle.commanded)
    assert first_from - start_ns == PATIENCE.watch_steps * so101.step_ns
    assert first_to - first_from >= PATIENCE.least_steps * so101.step_ns
    assert idle.info.source == 'mixed' and idle.info.checkpoint == 'hash'
    told = [(time_ns, message.data) for topic, time_ns, message in read_messages(idle.path)
            if topic == TAKEOVER_TOPIC]
    ends = [(end, value) for pair in idle.info.interventions
            for end, value in zip(pair, (True, False))]
    assert told == ends[:len(told)] and len(ends) - len(told) <= 1  # the last may be under way
    assert LABEL_TOPIC not in message_counts(idle.path)


def test_nobody_takes_over_from_one_who_gets_on(simulated, so101, tmp_path):
    """Catches a watcher without patience: from what goes well nothing is to be learnt."""
    demonstrator = Demonstrator(simulated)
    well = Watched(tmp_path / 'well', simulated, so101, demonstrator.plan, max_steps=70)
    assert well.success and not well.info.interventions
    assert (well.info.source, well.info.outcome) == ('policy', 'success')


def test_bag_of_a_takeover_and_what_the_policy_saw_are_equal(idle):
    """Catches training on something else than what the robot saw when it went wrong."""
    by_stamp = {moment.observation.stamp_ns: moment.observation for moment in idle.moments}
    seen = [live for live in idle.seen if live.stamp_ns <= max(by_stamp)]  # of a known chunk
    assert len(seen) > 5
    for live in seen:
        bag = by_stamp[live.stamp_ns]
        assert live.instruction == bag.instruction and dict(live.stamps_ns) == dict(bag.stamps_ns)
        assert np.array_equal(live.position_J, bag.position_J)
        assert np.abs(live.command_J - bag.command_J).max() < 1e-9  # messages hold whole ns
        assert all(np.array_equal(live.images[name], bag.images[name]) for name in live.images)


def test_labels_are_what_the_arm_was_commanded(idle, so101):
    """Catches labels of a plan that somebody else's replaced, or a step early or late."""
    compared = 0
    for moment in idle.moments:
        for step, position_J in enumerate(moment.chunk_TJ, start=1):
            commanded_J = idle.commanded.get(moment.observation.stamp_ns + step * so101.step_ns)
            if commanded_J is not None:
                assert np.abs(position_J - commanded_J).max() < 1e-6
                compared += 1
    assert compared > 300
    moved = np.ptp([command_J for command_J in idle.commanded.values()], axis=0).max()
    assert moved > 0.1


def test_frames_at_the_end_are_whole_or_none(idle, so101):
    """Catches the end of a recording learnt as a stop of the arm."""
    dropped = Counter()
    moments = list(read_commanded(idle.path, so101, Sampling(), dropped))
    total = message_counts(idle.path)['joint_states']
    assert len(moments) + dropped['end of the recording'] == total
    *_, last = (message for topic, _, message in read_messages(idle.path)
                if topic == 'joint_trajectory')
    until_ns = (last.header.stamp.sec * NS_PER_S + last.header.stamp.nanosec
                + last.points[-1].time_from_start.sec * NS_PER_S
                + last.points[-1].time_from_start.nanosec)
    whole_ns = until_ns - so101.horizon * so101.step_ns
    assert moments[-1].observation.stamp_ns <= whole_ns or not dropped
