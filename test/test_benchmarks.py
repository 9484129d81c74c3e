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

"""Small versions of the benchmarks: they run, go on where they were, print their tables."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from benchmarks import (
    alignment,
    cache,
    central,
    gradients,
    loss_memory,
    moved_camera,
    paired,
    ranking,
    replay_page,
)
from trimodal_ros.paths import shipped
from trimodal_ros.plan.checkpoint import load_checkpoint, save_checkpoint
from trimodal_ros.sim.scene_file import read_tabletop, shipped_scene
from trimodal_ros.spec import Observation


def test_alignment_benchmark_goes_on_and_prints_its_table(episodes, tmp_path, capsys):
    """Catches a run that is repeated, or a table that loses an arm or takes one for another."""
    arms = ['no alignment', 'GRAM']
    for _ in range(2):
        alignment.run([episodes], episodes, tmp_path, seeds=[0], arms=arms, steps=2,
                      batch_size=4, rollouts=1, processes=1)
    assert capsys.readouterr().out.count('seed 0') == 2
    alignment.table(tmp_path)
    rows = capsys.readouterr().out.splitlines()
    assert [row.split(' | ')[0].strip('| ') for row in rows[2:]] == arms
    assert all(' of 1 (' in row for row in rows[2:])


def test_alignment_arms_differ_in_alignment_only():
    """Catches a comparison that changes how much the action loss weighs."""
    for arm in alignment.ARMS.values():
        assert arm.weights.action_generation == alignment.DEFAULT.action_generation
        assert arm.weights.language_language == alignment.DEFAULT.language_language
    off = alignment.WITHOUT.on()
    assert set(off) == {'action_generation', 'language_language'}


def test_moved_camera_is_all_that_differs(tmp_path):
    """Catches a scene that is harder for another reason, or a camera that stays."""
    path = tmp_path / 'new' / 'scene.yaml'
    moved_camera.write(path, by_m=(0.0, 0.05, -0.01))
    assert read_tabletop(path).robot == shipped_scene().robot
    moved, before = (yaml.safe_load(scene.read_text()) for scene in (path, shipped().scene))
    front, was = moved['cameras'].pop('front'), before['cameras'].pop('front')
    for key in ('from_m', 'at_m'):
        assert np.allclose(np.subtract(front.pop(key), was.pop(key)), [0.0, 0.05, -0.01])
    for file in moved_camera.FILES:
        assert Path(moved.pop(file)) == (shipped().scene.parent / before.pop(file)).resolve()
    assert (front, moved) == (was, before)


def test_loss_memory_prints_a_row_a_size(capsys):
    """Catches a loss the benchmark no longer knows how to call."""
    loss_memory.run(['info_nce', 'siglip', 'gram', 'symile'], [8])
    assert capsys.readouterr().out.count('| 8 |') == 4


def test_gradients_name_every_task(small_checkpoint, episodes, capsys):
    """Catches a task left out, or a part that no task pulls at."""
    gradients.run(small_checkpoint, [episodes], batch_size=4)
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split(' | ')[0].strip('| '): line.strip('| ').split(' | ')[2:]
            for line in lines[2:]}
    assert set(rows) == set(gradients.DEFAULT_WEIGHTS.on())
    assert float(rows['action_generation'][0]) > 0 == float(rows['action_reconstruction'][0])
    for part in range(4):
        assert max(float(row[part]) for row in rows.values()) > 0


@torch.inference_mode()
def test_ranking_lies_between_chance_and_knowing(small_checkpoint, episodes, tmp_path, capsys):
    """Catches errors of another candidate than the chosen one, and a gain of the wrong sign."""
    save_checkpoint(tmp_path / 'flow', load_checkpoint(small_checkpoint, decoder='flow'), {}, '')
    ranking.run(tmp_path / 'flow', [episodes], [episodes], candidates=4, size=12)
    table, cost = capsys.readouterr().out.split('\n\n')
    rows = [line.strip('| ').split(' | ') for line in table.splitlines()[2:]]
    assert ' ms with 1, ' in cost
    error = {name: float(cell) for name, cell, _ in rows}
    assert len(error) == 5 and min(error.values()) == error['knowing: the best']
    for name, cell, gain in rows:
        expected = error['chance: the first'] - error[name]
        assert abs(float(gain.split()[0]) - expected) < 2e-4, cell


def test_central_policy_has_one_of_its_samples(small_checkpoint, so101):
    """Catches a control that carries out the first sample, or a mean that no sample is."""
    torch.manual_seed(0)
    policy = load_checkpoint(small_checkpoint, decoder='flow')
    seen, policy.candidates, kept = Observation.make_example(so101), 6, []
    sample = type(policy).sample
    policy.__class__ = central.CentralPolicy
    taken_TJ = policy.plan(seen).position_TJ
    policy.__class__ = central.Policy
    policy.sample = lambda *arguments: kept.append(sample(policy, *arguments)) or kept[-1]
    policy.plan(seen)
    distance = [float(abs(torch.tensor(taken_TJ) - chunk_TJ).max()) for chunk_TJ in kept[0]]
    unit_NTJ = kept[0] / policy.normalizer.chunk_scale
    far = [float((unit_TJ - unit_NTJ.mean(0)).abs().sum()) for unit_TJ in unit_NTJ]
    assert distance.index(min(distance)) == far.index(min(far)) and min(distance) < 1e-6


def test_paired_counts_who_alone_succeeds(tmp_path, capsys):
    """Catches layouts paired by place instead of seed, and a difference of the wrong sign."""
    outcomes = {'first': [True, False, False, True], 'second': [True, True, True, False]}
    for name, successes in outcomes.items():
        trials = [{'seed': seed, 'success': success} for seed, success in enumerate(successes)]
        trials = trials if name == 'first' else trials[::-1]
        (tmp_path / name).write_text(json.dumps({'scene': ['table', '1'], 'trials': trials}))
    paired.run([tmp_path / 'first'], [tmp_path / 'second'])
    text = capsys.readouterr().out
    assert 'first: 2 of 4' in text and 'second: 3 of 4' in text
    assert 'only the second: 2, only the first: 1; difference +25.0 points' in text
    (tmp_path / 'second').write_text(json.dumps({'scene': ['table', '1'], 'trials': trials[1:]}))
    with pytest.raises(SystemExit, match='1 layouts'):
        paired.run([tmp_path / 'first'], [tmp_path / 'second'])
    (tmp_path / 'second').write_text(json.dumps({'scene': ['table', '2'], 'trials': trials}))
    with pytest.raises(SystemExit, match='of different scenes'):
        paired.run([tmp_path / 'first'], [tmp_path / 'second'])


def test_latency_counts_every_frame_and_decision(tmp_path, capsys):
    """Catches figures of frames that never came, and a table that loses a stage."""
    pytest.importorskip('rclpy')
    from benchmarks import latency
    from benchmarks.cameras import CameraRun
    figures = latency.measure(CameraRun(2, 64, 48), seconds=1.0, bare_turns=3)
    assert figures['frames_sent'] >= figures['frames_arrived'] > 0
    assert figures['decisions'] == figures['commanded'] + sum(figures['refusals'].values()) > 0
    counted = {name: times['count'] for name, times in figures['ms'].items()}
    assert counted.pop('bare_loop') == 3 and counted.pop('age_received') > 0
    assert set(counted.values()) == {figures['commanded']}
    out = tmp_path / 'latency.json'
    out.write_text(json.dumps({'machine': latency.describe_machine(), 'combinations': [figures],
                               'faults': {}}))
    latency.table(out)
    assert capsys.readouterr().out.count('| 2 x 64x48 |') == 3


def test_every_fault_holds_the_robot():
    """Catches a fault that is not injected, and one after which the robot stays held."""
    pytest.importorskip('rclpy')
    from benchmarks import faults, latency
    from benchmarks.cameras import CameraRun
    figures = faults.measure_faults(CameraRun(2, 64, 48), repeats=1)
    assert [(name, fault['injected'], fault['missed'])
            for name, fault in figures['by_fault'].items()] == [
                (name, 1, 0) for name in faults.FAULTS]
    assert len(latency.fault_rows(figures)) == 1 + len(faults.FAULTS)


def test_soak_looks_at_the_policy_and_leaves_what_it_has(shipped, tmp_path, capsys):
    """Catches a soak that judges nothing, or whose file isn't there before its end."""
    pytest.importorskip('rclpy')
    from benchmarks import soak, soak_verdict
    soak.run(tmp_path / 'soak.json', minutes=0.12, checkpoint=shipped, sample_s=0.4)
    figures = json.loads((tmp_path / 'soak.json').read_text())
    assert figures['tasks_given'] > 0 and len(figures['samples']) > soak_verdict.BLOCKS
    newest = figures['samples'][-1]
    assert newest['rss_mb'] > newest['own_mb'] > 0 < newest['threads'] and newest['decisions']
    assert 'MB/h' in capsys.readouterr().out


def test_soak_tells_growth_and_a_missed_hold():
    """Catches a leak of a few MB an hour taken for noise, and noise for a leak."""
    pytest.importorskip('rclpy')
    from benchmarks import soak_verdict

    def judge(mb_per_hour, held_ms=5.0):
        samples = [{'seconds': 10.0 * index, 'threads': 20, 'files': 9,
                    'own_mb': 300 + index % 3 + mb_per_hour * index / 360}
                   for index in range(1, 361)]
        return soak_verdict.judge(samples, {'holds': [{'fault': 'stopped', 'ms': held_ms}],
                                    'not_resumed': []})
    assert judge(0.0)['memory_met'] and not judge(5.0)['memory_met']
    assert judge(0.0)['holds_met'] and not judge(0.0, None)['holds_met']


@pytest.mark.parametrize('values, text', [([1.0], '1.0'), ([1.0, 3.0], '2.0 ± 12.7')])
def test_cells_carry_their_interval(values, text):
    """Catches a mean of few seeds shown as if it were certain."""
    assert alignment._cell(values) == text


def test_cache_benchmark_uses_all_it_wrote(tmp_path, capsys):
    """Catches a recording that is dropped instead of read, and is fast for that; and leftovers."""
    cache.main(seconds=(3.0,), workers=1, folder=tmp_path, json_file=tmp_path / 'cache.json')
    (row,) = json.loads((tmp_path / 'cache.json').read_text())['rows']
    assert row['frames'] == 30 and row['dropped'] == {}
    assert row['bytes'] > 3 * 60 * 640 * 480 * 3 and row['largest_mib'] > 50
    assert 'times real time' in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ['cache.json']


def test_pages_of_an_hour_are_measured(capsys):
    """Catches a benchmark of another page than the one that is written."""
    replay_page.page(joints=7, recordings=(1000,))
    rows = [line.strip('| ').split(' | ') for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[:2] for row in rows] == [['1000', '6'], ['1000', '7']]
    assert all(0 < float(size) < 20 for _, _, size, _ in rows)
