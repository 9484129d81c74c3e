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

"""Bounds that a checkpoint must keep to, and what is better than a baseline."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from trimodal_ros.evaluate.replay.catalogue import MEASURES
from trimodal_ros.evaluate.replay.clusters import Clusters, MOST_STRETCHES, STRETCH_S
from trimodal_ros.evaluate.replay.compare import (
    compare,
    compare_still,
    LEAST_EPISODES,
    verdict_of,
)
from trimodal_ros.evaluate.replay.example import make_example
from trimodal_ros.evaluate.replay.junit import junit_xml
from trimodal_ros.evaluate.replay.result import Figure
from trimodal_ros.evaluate.replay.thresholds import read_thresholds, Threshold, ThresholdError
from trimodal_ros.paths import share_dir
from trimodal_ros.spec import RobotSpec

# -- thresholds


@pytest.mark.parametrize('text, told', [
    ('acton_error: {max: 1}', "no measure 'acton_error', did you mean 'action_error'?"),
    ('action_error.elbo: {max: 1}', "no joint 'elbo', did you mean 'elbow'?"),
    ('action_error: 1', 'expected some of min, max'),
    ('action_error: {most: 1}', 'expected some of min, max'),
    ('action_error: {max: big}', "'big', expected a number in rad"),
    ('action_error: {max: .nan}', 'expected a number'), ('', 'expected measures'),
    ('action_error: {not_worse: false}', 'expected true'),
    ('action_error: {margin: -0.1}', 'expected 0 or more'),
    ('action_error.elbow: {margin: 0.1}', 'a joint is not compared'),
    ('scene_motion: {not_worse: true}', 'better neither way'),
    ('input_age_p99: {margin: 5}', 'percentiles are not compared'), ('{', 'is not YAML')])
def test_thresholds_that_say_nothing_are_refused(tmp_path, text, told):
    """Catches a misspelt bound that every checkpoint keeps to."""
    file = tmp_path / 'thresholds.yaml'
    file.write_text(text)
    with pytest.raises(ThresholdError) as error:
        read_thresholds(file, RobotSpec.make_example(), with_baseline=True)
    assert told in str(error.value) and str(file) in str(error.value)


def test_what_was_not_measured_keeps_to_nothing():
    """Catches a threshold that is kept because nobody looked."""
    assert not Threshold('late', '', 'max', 1.0).judge({}).ok
    assert not Threshold('late', 'elbow', 'max', 1.0).judge({'late': Figure(0.0, 1)}).ok
    assert Threshold('late', '', 'max', 1.0).judge({'late': Figure(1.0, 1)}).ok
    assert not Threshold('late', '', 'min', 1.1).judge({'late': Figure(1.0, 1)}).ok
    for bound in ('not_worse', 'margin'):
        beside = Threshold('late', '', bound, 1.0)
        assert not beside.judge({'late': Figure(0.0, 1)}).ok
        alone = compare([(stretches([0.5]), stretches([1.0]))])   # too little for an interval
        assert not Threshold('action_error', '', bound, 1.0).judge({}, alone).ok


@pytest.mark.parametrize('measure, low, high, not_worse, margin', [
    ('jerk', -2.0, -1.0, True, True), ('jerk', -1.0, 0.4, True, True),
    ('jerk', -1.0, 0.6, True, False), ('jerk', 0.1, 0.4, False, True),
    ('within_tolerance', -0.6, 1.0, True, False), ('within_tolerance', -0.4, -0.1, False, True),
    ('within_tolerance', 0.1, 0.2, True, True)])
def test_bounds_beside_a_baseline_know_which_way_is_better(measure, low, high, not_worse, margin):
    """Catches a bound of a share that is kept by falling, and the wrong end of an interval."""
    comparison = make_example().comparison
    compared = replace(comparison.measures[measure], low=low, high=high)
    comparison = replace(comparison, measures={measure: compared})
    for bound, kept in (('not_worse', not_worse), ('margin', margin)):
        value = 0.5 if bound == 'margin' else 0.0
        assert Threshold(measure, '', bound, value).judge({}, comparison).ok == kept
    verdict = verdict_of(low, high, MEASURES[measure].better)
    assert not_worse == (verdict != 'worse')


def test_example_of_thresholds_can_be_used(so101):
    """Catches an example with a measure that is no more."""
    assert read_thresholds(share_dir() / 'config' / 'thresholds.yaml', so101)


def test_junit_holds_whatever_a_fault_says():
    """Catches a control character in a path, for which CI reads nothing at all."""
    result = make_example()
    bad = replace(result.faults[0], fault='bags/\x00\x1b[31m<&"')
    text = junit_xml(replace(result, episodes=(*result.episodes, bad)))
    errors = ElementTree.fromstring(text).findall('.//error')
    assert len(errors) == 2 and '<&"' in errors[-1].get('message')


# -- better or not


def stretches(errors) -> Clusters:
    clusters = Clusters()
    for number, error in enumerate(errors):
        clusters.add(number * STRETCH_S, {'action_error': (float(error), 1.0)})
    return clusters


def test_better_is_said_only_where_it_is_shown():
    """Catches a verdict by luck, by the sign alone, or by stretches that hang together."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, (LEAST_EPISODES, 5))
    base = 1 + noise
    for shift, verdict in ((-0.3, 'better'), (0.3, 'worse'), (0.0, 'no difference shown')):
        pairs = [(stretches(row + shift + rng.normal(0, 0.02, 5)), stretches(row))
                 for row in base]
        compared = compare(pairs)
        assert (compared.verdict, compared.resampled) == (verdict, 'episodes')
        assert compared.clusters == LEAST_EPISODES
    one = compare([(stretches([0.5, 0.6]), stretches([1.0, 1.1]))])
    assert (one.resampled, one.clusters) == ('stretches of 10 s', 2)
    alone = compare([(stretches([0.5]), stretches([1.0]))])
    assert alone.verdict == 'no difference shown' and alone.measures['action_error'].low is None


def test_long_recordings_are_compared_by_longer_stretches():
    """Catches sums that grow with a recording, and stretches paired with others in time."""
    one, other = stretches(np.ones(MOST_STRETCHES + 1)), stretches(np.ones(MOST_STRETCHES - 1))
    pairs = one.paired(other)
    assert one.stretch_s == other.stretch_s == 2 * STRETCH_S
    assert len(pairs) == MOST_STRETCHES // 2 + 1
    assert all(first == second for first, second in pairs[:-2])
    assert one.whole() == {'action_error': (MOST_STRETCHES + 1, MOST_STRETCHES + 1)}
    far = stretches([1.0])
    far.add(1.7e9, {'action_error': (1.0, 1.0)})   # a clock that was set
    assert len(far.paired(stretches([1.0]))) == 2


def test_interval_holds_the_true_difference_as_often_as_it_says():
    """Catches an interval that is too narrow, as of moments taken for independent."""
    rng, held = np.random.default_rng(1), 0
    for _ in range(200):
        offsets = rng.normal(-0.1, 0.2, 20)   # of an episode as a whole
        pairs = [(stretches(1 + offset + rng.normal(0, 0.01, 8)), stretches(np.ones(8)))
                 for offset in offsets]
        measured = compare(pairs).measures['action_error']
        held += measured.low <= -0.1 <= measured.high
    assert 0.88 <= held / 200 <= 0.99


def test_standing_still_is_a_baseline():
    """Catches a policy that beats a plan that never moves by luck, or is held against another."""
    rng = np.random.default_rng(2)
    for shift, verdict in ((-0.3, 'better'), (0.3, 'worse'), (0.0, 'no difference shown')):
        episodes = [Clusters() for _ in range(LEAST_EPISODES)]
        for clusters in episodes:
            still = 1 + rng.normal(0, 0.1)
            clusters.add(0.0, {'action_error': (still + shift + rng.normal(0, 0.02), 1.0),
                               'still_error': (still, 1.0)})
        compared = compare_still(episodes)
        assert (compared.verdict, compared.resampled) == (verdict, 'episodes')
        few = compare_still(episodes[1:])
        assert (few.resampled, few.clusters) == ('stretches of 10 s', LEAST_EPISODES - 1)
        assert set(few.measures) == {'action_error'}
