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

"""Which frames count how much: kinds, what is left out and told so, and the draw."""

from dataclasses import replace
import json
from types import SimpleNamespace

import numpy as np
import pytest

from trimodal_ros.record.episode import EpisodeInfo
from trimodal_ros.spec import NS_PER_S, RobotSpec
from trimodal_ros.train.batches import BatchSource, FrameDraw
from trimodal_ros.train.selection import (
    BEFORE,
    choose,
    describe,
    IDLE,
    KindWeights,
    read_names,
    Selection,
    UNPROVEN,
)

ROBOT = RobotSpec.make_example()
FRAMES = 40           # of an episode, one each 0.1 s
FROM, TO = 20, 28     # of the intervention


def info(**changes) -> EpisodeInfo:
    values = {'instruction': 'there', 'robot': 'hash', 'source': 'mixed', 'outcome': 'success',
              'interventions': ((FROM * 10**8, TO * 10**8),), **changes}
    return EpisodeInfo(**values)


def frames(tmp_path, *infos, labelled=False, commanded=True):
    """Return frames as the cache holds them, as far as choosing looks at them."""
    count = len(infos)
    return SimpleNamespace(
        robot=ROBOT, infos=list(infos), labelled=[labelled] * count, commanded=[commanded] * count,
        dropped=[{'x': 1}] * count, unreadable=[],
        paths=[tmp_path / str(number) for number in range(count)],
        episode_N=np.repeat(np.arange(count), FRAMES),
        stamp_N=np.tile(np.arange(FRAMES) * 10**8, count))


def test_a_correction_counts_more_and_what_led_to_it_not_at_all(tmp_path):
    """Catches a mistake that is imitated, and chunks that reach into it."""
    weights = KindWeights(intervention=5.0, policy=0.5)
    chosen = choose(frames(tmp_path, info()), Selection(weights, before_s=0.5))
    reach = FROM - 5 - ROBOT.horizon       # the last one whose chunk ends before the mistake
    expected_N = np.full(FRAMES, 0.5)
    expected_N[reach + 1:FROM] = 0.0
    expected_N[FROM:TO] = 5.0
    assert chosen.weight_N.tolist() == expected_N.tolist()
    used = chosen.account['used']
    assert used['intervention']['frames'] == TO - FROM
    assert chosen.account['left_out'] == {BEFORE: FROM - reach - 1}
    assert abs(sum(each['share'] for each in used.values()) - 1) < 1e-3
    assert 'x' in describe(chosen.account) and BEFORE in describe(chosen.account)


def test_a_correction_that_ends_in_another_mistake_is_cut(tmp_path):
    """Catches what somebody did by hand learnt together with the mistake after it."""
    twice = info(interventions=((0, TO * 10**8), ((TO + 2) * 10**8, 40 * 10**8)))
    chosen = choose(frames(tmp_path, twice), Selection(before_s=0.2))
    counted = np.flatnonzero(chosen.weight_N)
    assert counted.tolist() == [*range(TO - ROBOT.horizon + 1), *range(TO + 2, 40)]


@pytest.mark.parametrize('changes, kind', [
    ({'source': 'teleoperation', 'interventions': ()}, 'teleoperation'),
    ({'source': 'policy', 'interventions': ()}, 'policy'),
    ({'source': 'policy', 'interventions': (), 'outcome': 'unknown'}, None)])
def test_whose_motion_it_was_is_told_by_the_source(tmp_path, changes, kind):
    """Catches a policy that learns from its own failures, and teleoperation taken for one."""
    chosen_frames = frames(tmp_path, info(**changes), info())
    account = choose(chosen_frames, Selection(before_s=0.0)).account
    if kind is None:
        assert account['left_out'][UNPROVEN] == FRAMES
    else:
        own = FRAMES - (TO - FROM) if kind == 'policy' else 0  # of the other episode
        assert account['used'][kind]['frames'] == FRAMES + own


def test_only_what_somebody_did_by_hand_is_teleoperation(tmp_path):
    """Catches an arm that waits for its operator, learnt as what the sentence asks for."""
    by_stick = frames(tmp_path, info(source='teleoperation'))
    account = choose(by_stick, Selection()).account
    assert account['used'] == {'teleoperation': {'frames': TO - FROM, 'share': 1.0}}
    assert account['left_out'] == {IDLE: FRAMES - TO + FROM}
    guided = frames(tmp_path, info(source='unknown', interventions=(), outcome='unknown'),
                    commanded=False)
    assert choose(guided, Selection()).account['used']['teleoperation']['frames'] == FRAMES


@pytest.mark.parametrize('selection, changes, why', [
    (Selection(leave_out_outcomes=('failure',)), {'outcome': 'failure'}, 'outcome failure'),
    (Selection(), {'health': {'verdict': 'bad', 'findings': ['x']}},
     'recording found bad; --keep-unhealthy takes it')])
def test_episodes_are_left_out_by_outcome_and_health(tmp_path, selection, changes, why):
    """Catches an option that changes nothing, or nothing that is told."""
    account = choose(frames(tmp_path, info(**changes), info()), selection).account
    assert account['episodes_left_out'] == {why: 1} and account['episodes'] == 1
    kept = replace(selection, leave_out_outcomes=(), keep_unhealthy=True)
    assert choose(frames(tmp_path, info(**changes), info()), kept).account['episodes'] == 2


def test_episodes_are_left_out_by_name(tmp_path):
    """Catches a list made by a search that is not heeded, or names nothing that is there."""
    rows = tmp_path / 'rows.json'
    rows.write_text(json.dumps({'rows': [{'episode': str(tmp_path / '1')}] * 2}))
    text = tmp_path / 'names.txt'
    text.write_text(f'# seen by eye\n{tmp_path / "1"}  # upside down\n\n')
    assert read_names(rows) == read_names(text) == (str((tmp_path / '1').resolve()),)
    chosen_frames = frames(tmp_path, info(), info())
    without = choose(chosen_frames, Selection(leave_out=read_names(rows)))
    only = choose(chosen_frames, Selection(only=read_names(rows)))
    assert not without.weight_N[FRAMES:].any() and without.weight_N[:FRAMES].any()
    assert only.weight_N[FRAMES:].any() and not only.weight_N[:FRAMES].any()
    with pytest.raises(ValueError, match='none of the 2 episodes'):
        choose(chosen_frames, Selection(leave_out=(str(tmp_path / '7'),)))
    text.write_text('# nothing\n')
    with pytest.raises(ValueError, match='names no episode'):
        read_names(text)


def test_nothing_left_to_train_on_is_told(tmp_path):
    """Catches a division by zero where a reason is wanted."""
    with pytest.raises(ValueError, match='no frame is left.*recording found bad'):
        choose(frames(tmp_path, info(health={'verdict': 'bad'})), Selection())
    with pytest.raises(ValueError, match='intervention frames is -1'):
        KindWeights(intervention=-1)


def test_the_draw_is_as_the_weights_say():
    """Catches weights off by one frame or one episode."""
    episode_N = np.array([0, 0, 0, 2, 2, 5])
    weight_N = np.array([0.0, 1.0, 3.0, 2.0, 0.0, 0.5])
    draw = FrameDraw(episode_N, weight_N)
    assert draw.episodes.tolist() == [0, 2, 5] and draw.weight_E.tolist() == [4.0, 2.0, 0.5]
    share_S = (np.arange(400) + 0.5) / 400
    for which, expected in ((0, {1: 100, 2: 300}), (1, {3: 400}), (2, {5: 400})):
        index_S = draw.frames(np.full(400, which), share_S)
        assert dict(zip(*np.unique(index_S, return_counts=True))) == expected
    assert draw.frames(np.array([0, 1, 2]), np.array([1 - 1e-17] * 3)).tolist() == [2, 3, 5]


def test_frames_without_weight_are_never_in_a_batch(episodes, so101):
    """Catches a frame that is left out by name only, and starts counted from the wrong frame."""
    from trimodal_ros.train.cache import open_frames
    stored = open_frames([episodes], so101, 'demonstration', 1)
    weight_N = np.zeros(len(stored.episode_N))
    weight_N[5::12], weight_N[8::12] = 1.0, 7.0
    source = BatchSource(stored, 3, seed=0, start_steps=1, weight_N=weight_N)
    known = {stored.chunk_NTJ[index].tobytes() for index in np.flatnonzero(weight_N)}
    for step in range(20):
        batch = source.at(step)
        assert {row.numpy().tobytes() for row in batch.chunk_BTJ} <= known
        again = source.at(step)
        assert again.sentences == batch.sentences and (again.chunk_BTJ == batch.chunk_BTJ).all()
    assert len(source.train_frames()) == 8
    assert NS_PER_S == 10**9 and so101.step_ns == 10**8
