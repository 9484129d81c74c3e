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

"""Many observations thought about at once: the bits that each alone would give."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from trimodal_ros.plan import batch
from trimodal_ros.plan.batch import BatchPlanner
from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.spec import Observation, SpecError

SENTENCES = ('put the red cube on the left plate', 'move the blue cube to the right plate')


@pytest.fixture(scope='module')
def observations(so101) -> list[Observation]:
    return [replace(Observation.make_example(so101, seed), instruction=SENTENCES[seed % 2],
                    stamp_ns=1000 + seed) for seed in range(7)]


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def assert_same_bits(planned, expected) -> None:
    assert np.array_equal(planned.position_TJ, expected.position_TJ)
    assert planned.alignment == expected.alignment and planned.stamp_ns == expected.stamp_ns


@pytest.mark.parametrize('decoder', ['chunk', 'flow'])
def test_plans_of_a_batch_are_those_made_one_by_one(shipped, observations, decoder):
    """Catches a layer that adds up in another order for many, and noise of another's stamp."""
    policy = load_checkpoint(shipped, decoder=decoder)
    expected = [policy.plan(each) for each in observations]
    planner = BatchPlanner(policy)
    for size in (7, 3):
        for thought, plan in zip(planner.think(observations[:size]), expected):
            assert_same_bits(thought.planned, plan)
        assert planner.is_exact
    assert_same_bits(policy.plan(observations[0]), expected[0])   # as before it was changed


def test_another_sentence_is_planned_for_where_it_is_asked_for(shipped, observations):
    """Catches a sentence told to another observation of the batch, or told for good."""
    policy = load_checkpoint(shipped)
    planner = BatchPlanner(policy)
    thoughts = planner.think(observations, {1: SENTENCES[0], 4: SENTENCES[1]})
    assert [row for row, each in enumerate(thoughts) if each.swapped_TJ is not None] == [1, 4]
    for row, sentence in ((1, SENTENCES[0]), (4, SENTENCES[1])):
        told = policy.plan(replace(observations[row], instruction=sentence))
        np.testing.assert_allclose(thoughts[row].swapped_TJ, told.position_TJ, atol=1e-5)
        assert_same_bits(thoughts[row].planned, policy.plan(observations[row]))


def test_without_equal_bits_nothing_is_planned_at_once(shipped, observations, monkeypatch):
    """Catches a batch that is believed although it rounds otherwise."""
    monkeypatch.setattr(batch._Rowwise, '__call__', lambda self, x, *args, **kwargs:
                        self._forward(x, *args, **kwargs))
    policy = load_checkpoint(shipped)
    expected = [policy.plan(each) for each in observations]
    planner = BatchPlanner(policy)
    for thought, plan in zip(planner.think(observations), expected):
        assert_same_bits(thought.planned, plan)
    assert not planner.is_exact


def test_plan_that_is_none_spoils_no_other(shipped, observations, so101):
    """Catches one plan that isn't finite, for which all of a batch are lost."""
    policy = load_checkpoint(shipped)
    planner = BatchPlanner(policy)
    far = np.full(len(so101.joints), 1e39)   # beyond float32
    thoughts = planner.think([replace(observations[0], command_J=far), observations[1]])
    assert isinstance(thoughts[0].planned, SpecError)
    assert 'not a finite' in str(thoughts[0].planned)
    assert_same_bits(thoughts[1].planned, policy.plan(observations[1]))
