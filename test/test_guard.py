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

import json

import numpy as np
import pytest

from trimodal_ros.evaluate import mislead
from trimodal_ros.evaluate.__main__ import main
from trimodal_ros.evaluate.guard import (
    AS_IT_IS,
    describe_guard,
    FIRST_DECISIONS,
    measure_guard,
    SIMILARITIES,
    Watched,
    WatchedPlanner,
)
from trimodal_ros.evaluate.rollout import make_trials, run_trials
from trimodal_ros.evaluate.separation import auroc, separation
from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.sim.layout import OBJECTS
from trimodal_ros.sim.rollout import PolicyPlanner
from trimodal_ros.spec import Observation


def slow_auroc(good, bad):
    """Count pairs one by one."""
    pairs = [(g, b) for g in good for b in bad]
    return sum(1.0 if g > b else 0.5 if g == b else 0.0 for g, b in pairs) / len(pairs)


def slow_separation(good, bad, drawn_RE):
    """Put drawn episodes together and count pairs, resample by resample."""
    def area(count_E):
        return slow_auroc(*([value for count, values in zip(count_E, side)
                             for value in int(count) * list(values)] for side in (good, bad)))
    return area(np.ones(len(good))), np.quantile([area(count_E) for count_E in drawn_RE],
                                                 (0.025, 0.975))


def some_episodes(kind, rng):
    """Return good and bad values of 12 episodes: of every one, or each of one side only."""
    good, bad = ([np.round(rng.normal(shift, 1, rng.integers(1, 6)), 1) for _ in range(12)]
                 for shift in (0.5, 0.0))
    if kind == 'apart':
        good[7:], bad[:7] = [[]] * 5, [[]] * 7
    return good, bad


@pytest.mark.parametrize('seed', range(4))
def test_auroc_counts_pairs(seed):
    """Catches ties that count whole, and good and bad taken for each other."""
    rng = np.random.default_rng(seed)
    good, bad = rng.integers(0, 9, 17), rng.integers(0, 7, 23)
    assert auroc(good, bad) == pytest.approx(slow_auroc(good, bad))


@pytest.mark.parametrize('kind', ['paired', 'apart'])
def test_separation_is_the_slow_one(kind, monkeypatch):
    """Catches values counted for another episode, and decisions drawn instead of episodes."""
    from trimodal_ros.evaluate import separation as module
    good, bad = some_episodes(kind, np.random.default_rng(5))
    kept, draw = [], module._draw
    monkeypatch.setattr(module, '_draw', lambda *args: kept.append(draw(*args)) or kept[-1])
    figure = separation(good, bad, resamples=40)
    expected, interval = slow_separation(good, bad, kept[0])
    assert figure['auroc'] == pytest.approx(expected)
    assert figure['interval_95'] == pytest.approx(interval.tolist())
    assert (figure['good'], figure['bad']) == (sum(map(len, good)), sum(map(len, bad)))


def test_resamples_draw_each_kind_of_episode_for_itself():
    """Catches resamples without a failing episode, of which no AUROC is to be had."""
    from trimodal_ros.evaluate.separation import _draw
    good_E = np.array([True, True, True, False])
    drawn_RE = _draw(good_E, ~good_E, 50, seed=0)
    assert (drawn_RE[:, 3] == 1).all() and (drawn_RE[:, :3].sum(axis=1) == 3).all()
    assert len({tuple(row) for row in drawn_RE}) > 5


def test_interval_is_of_episodes_not_decisions():
    """Catches an interval that shrinks when every decision is counted ten times."""
    good, bad = some_episodes('paired', np.random.default_rng(1))
    once = separation(good, bad)
    ten = separation([10 * list(values) for values in good], [10 * list(v) for v in bad])
    assert ten['interval_95'] == pytest.approx(once['interval_95'])


def test_interval_holds_the_true_value_as_often_as_it_says():
    """Catches an interval of the wrong width: 95 % of some hundred should hold the truth."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):  # within an episode values are nearly equal
        good, bad = (rng.normal(shift, 1, (40, 1)) + rng.normal(0, 0.1, (40, 3))
                     for shift in (0.5, 0.0))
        low, high = separation(good, bad, resamples=300)['interval_95']
        held += low < 0.6372 < high  # Phi(0.5 / sqrt(2 (1 + 0.1^2)))
    assert 0.9 < held / 200 < 0.985


def test_caught_is_below_nearly_all_good():
    """Catches a threshold from the bad values, or from the wrong end."""
    good, bad = [np.arange(101.0)], [np.array([0.5, 0.9, 1.0, 50.0])]
    assert separation(good, bad)['caught'] == 0.5


def test_nothing_to_tell_apart_is_none():
    """Catches a figure made of nothing, where no episode failed."""
    assert separation([[1.0], [2.0]], [[], []]) is None
    with pytest.raises(ValueError, match='0 bad values'):
        auroc([1.0], [])
    with pytest.raises(ValueError, match='good values of 1 episodes, bad values of 2'):
        separation([[1.0]], [[], [2.0]])


@pytest.fixture
def trial():
    [one] = make_trials(1, 7, ['put the {object} on the {place}'], swap=False)
    return one


def test_wrong_sentences_are_wrong(trial):
    """Catches a wrong sentence that is right, or a cube said to be missing that is there."""
    sentences, cubes = mislead.wrong_sentences(trial), trial.layout.cubes
    named = {what: [name for name in OBJECTS if name in sentence]
             for what, sentence in sentences.items()}
    assert len({trial.instruction, *sentences.values()}) == 5
    assert named['another cube'][0] in set(cubes) - {trial.layout.task.object}
    assert named['a cube that is not there'][0] not in cubes
    assert named['the other plate'] == [trial.layout.task.object] and not named['nonsense']


def test_each_way_misleads_as_it_says(trial, so101):
    """Catches a way that changes nothing, changes its input, or changes too much."""
    seen = Observation.make_example(so101, seed=1)
    ways = mislead.misleadings(trial, so101)
    before = {name: image.copy() for name, image in seen.images.items()}
    for name, way in ways.items():
        misled = way(seen, np.random.default_rng(0))
        again = way(seen, np.random.default_rng(0))
        other = [camera for camera in before
                 if not np.array_equal(misled.images[camera], before[camera])]
        assert all(np.array_equal(misled.images[c], again.images[c]) for c in before), name
        assert all(np.array_equal(seen.images[c], before[c]) for c in before), name
        assert (misled.instruction != seen.instruction) == name.startswith('told '), name
        expected = ([] if name.startswith('told ') else
                    [name.split()[0]] if name.endswith('camera black') else list(before))
        assert other == expected, name


def test_covers_hide_their_share(so101):
    """Catches a share of each side instead of the area, and a cover that hangs over."""
    seen = Observation.make_example(so101)
    for seed in range(20):
        hidden = mislead.cover(seen, np.random.default_rng(seed), 0.25)
        for image in hidden.images.values():
            grey = (image == mislead.GREY).all(axis=2)
            assert abs(grey.mean() - 0.25) < 0.01


def test_shuffled_patches_are_the_same_patches(so101):
    """Catches a shuffle within patches, or one that loses pixels."""
    seen = Observation.make_example(so101)
    shuffled = mislead.shuffle(seen, np.random.default_rng(0))
    for name, image in seen.images.items():
        height, width = (side // mislead.PATCHES for side in image.shape[:2])
        patches = [{picture[y:y + height, x:x + width].tobytes()
                    for y in range(0, image.shape[0], height)
                    for x in range(0, image.shape[1], width)}
                   for picture in (image, shuffled.images[name])]
        assert patches[0] == patches[1]


def test_watching_changes_no_plan(small_checkpoint, trial, so101):
    """Catches what might be seen taken for what is, and notes without a decision."""
    policy = load_checkpoint(small_checkpoint)
    seen, ways = Observation.make_example(so101), mislead.misleadings(trial, so101)
    watched = WatchedPlanner(PolicyPlanner(policy, 2), ways, seed=0)
    plans = [watched(seen) for _ in range(4)]
    expected = policy.plan(seen)
    assert [plan is None for plan in plans] == [False, True, False, True]
    assert np.array_equal(plans[2].position_TJ, expected.position_TJ)
    assert list(watched.noted) == [AS_IT_IS, *ways]
    for similarity in SIMILARITIES:
        assert watched.noted[AS_IT_IS][similarity] == pytest.approx(
            2 * [expected.alignment[similarity]], abs=1e-5)
        misled = policy.plan(ways['told nonsense'](seen, None)).alignment[similarity]
        assert watched.noted['told nonsense'][similarity] == pytest.approx(2 * [misled], abs=1e-5)


def watched_episode(seed, success, value, misled) -> Watched:
    values = list(np.linspace(value, value - 0.1, FIRST_DECISIONS + 2))
    return Watched(seed, 'put it there', success, 30, {
        AS_IT_IS: dict.fromkeys(SIMILARITIES, values),
        'told nonsense': dict.fromkeys(SIMILARITIES, [misled] * len(values))})


def test_failing_episodes_and_lies_are_the_bad_ones():
    """Catches AUROC of similarity upside down: low similarity is to mean bad."""
    watched = [watched_episode(0, True, 0.9, 0.1), watched_episode(1, True, 0.8, 0.2),
               watched_episode(2, False, 0.5, 0.1)]
    figures = json.loads(json.dumps(measure_guard(watched), allow_nan=False))
    assert (figures['episodes'], figures['failed']) == (3, 1)
    for levels in figures['separation'].values():
        assert levels['scene_motion']['decision']['auroc'] == 1.0
        assert levels['image_sentence']['episode']['auroc'] == 1.0
    early = figures['separation'][f'failing episode, first {FIRST_DECISIONS} decisions']
    assert early['scene_motion']['decision']['bad'] == FIRST_DECISIONS
    assert figures['separation']['told nonsense']['scene_motion']['decision']['good'] == 21
    assert '1.00 (1.00-1.00)' in describe_guard(figures)


def test_without_a_failure_the_table_says_none():
    """Catches a crash on a policy that never fails."""
    figures = measure_guard([watched_episode(0, True, 0.9, 0.1)])
    row = next(line for line in describe_guard(figures).splitlines() if 'failing' in line)
    assert row.startswith('failing episode') and row.count('none') == 4


def test_guard_from_the_command_line(small_checkpoint, tmp_path, capsys):
    """Catches a command that watches another policy, or does not write what it prints."""
    main(['guard', '--checkpoint', str(small_checkpoint), '--episodes', '1', '--workers', '1',
          '--replan-steps', '16', '--json', str(tmp_path / 'g.json')])
    figures = json.loads((tmp_path / 'g.json').read_text())
    [episode] = figures['trials']
    assert episode['seed'] == 1_000_000 and figures['replan_steps'] == 16
    assert {len(values) for noted in episode['noted'].values()
            for values in noted.values()} == {-(-episode['steps'] // 16)}
    assert 'told another cube' in capsys.readouterr().out


def test_candidates_of_one_answer_are_refused_before_work(small_checkpoint, trial):
    """Catches a reason that only the worker processes find."""
    with pytest.raises(ValueError, match='candidates: 2'):
        run_trials(small_checkpoint, [trial], 1, 6, candidates=2)
