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

import os
from pathlib import Path
import subprocess
import sys

from conftest import small_settings
import numpy as np
import pytest
from safetensors.torch import load_file
import torch

from trimodal_ros.plan.checkpoint import content_hash, read_config
from trimodal_ros.plan.folder import CheckpointError
from trimodal_ros.plan.policy import PolicyConfig
from trimodal_ros.record.episode import find_episodes
from trimodal_ros.record.moments import read_labelled
from trimodal_ros.train.__main__ import main
from trimodal_ros.train.batches import BatchSource
from trimodal_ros.train.cache import open_frames
from trimodal_ros.train.loop import Run, train
from trimodal_ros.train.state import load_state, ResumeError, save_state, STATE


def test_cache_is_what_the_episodes_hold(episodes, so101):
    """Catches frames shifted against their labels or their episode."""
    frames = open_frames([episodes], so101, 'demonstration', 1)
    again = open_frames([episodes], so101, 'demonstration', 1)
    index = 0
    for number, path in enumerate(find_episodes(episodes)):
        for moment in read_labelled(path, so101, 'demonstration'):
            observation = moment.observation
            assert frames.episode_N[index] == number
            assert np.array_equal(frames.images['wrist'][index][0], observation.images['wrist'])
            assert np.allclose(frames.command_NJ[index], observation.command_J, atol=1e-6)
            assert np.allclose(again.chunk_NTJ[index], moment.chunk_TJ, atol=1e-6)
            index += 1
    assert index == len(frames.episode_N)


def test_two_roots_are_read_as_one(episodes, so101):
    """Catches rows taken from the wrong root, or infos of one counted for the other."""
    one = open_frames([episodes], so101, 'demonstration', 1)
    two = open_frames([episodes, episodes], so101, 'demonstration', 1)
    count = len(one.episode_N)
    mixed = np.array([count + 3, 2, 2 * count - 1])
    expected = one.images['front'][np.array([3, 2, count - 1])]
    assert np.array_equal(two.images['front'][mixed], expected)
    assert two.episode_N[count] == len(one.infos) == len(two.infos) / 2


def test_batches_are_by_step_and_one_window_an_episode(episodes, so101):
    """Catches near copies in one batch, and batches that depend on where a run began."""
    frames = open_frames([episodes], so101, 'demonstration', 1)
    source = BatchSource(frames, 4, seed=1)
    batch = source.at(7)
    late = list(source.prefetched(5, 8))[2]
    assert torch.equal(batch.chunk_BTJ, late.chunk_BTJ) and batch.sentences == late.sentences
    assert len({tuple(row.flatten().tolist()) for row in batch.command_BJ}) == 4


@pytest.mark.parametrize('changes', [
    {'weighting': 'fixed'}, {'weighting': 'uncertainty'}, {'weighting': 'famo'},
    {'policy': PolicyConfig(embed_dim=16, vision_width=32, motion_width=16, decoder='flow')}])
def test_resumed_training_is_the_same_to_the_bit(episodes, tmp_path, monkeypatch, changes):
    """Catches optimizer, dropout, noise, batch, memory or weighting lost at an interrupt."""
    assert_resumes(small_settings(episodes, steps=4, **changes), tmp_path, monkeypatch)


def test_interrupted_it_says_from_where_it_goes_on(episodes, tmp_path, monkeypatch, capsys):
    """Catches a promise of a state that was never saved."""
    def interrupted(self, batch, step, *arguments):
        if step == at:
            raise KeyboardInterrupt
        return {}
    monkeypatch.setattr(Run, 'step', interrupted)
    for at, promise in ((0, 'no state was saved yet'), (3, 'goes on from step 2, the last state')):
        with pytest.raises(KeyboardInterrupt):
            train(small_settings(episodes, steps=4), tmp_path / str(at), workers=1, save_every=2)
        assert promise in capsys.readouterr().out


@pytest.mark.parametrize('name', ['README.md', 'recordings'])
def test_what_is_no_checkpoint_is_not_trained_over(episodes, tmp_path, name):
    """Catches a night of training that ends in a refusal, and what it leaves beside."""
    (tmp_path / 'README.md').write_text('mine')
    (tmp_path / 'recordings').mkdir()
    (tmp_path / 'recordings' / 'notes.txt').write_text('mine')
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(CheckpointError, match=f'{name} is there already and no checkpoint'):
        train(small_settings(episodes), tmp_path / name, workers=1)
    assert sorted(tmp_path.rglob('*')) == before


def test_a_finished_run_called_again_is_the_same_checkpoint(episodes, tmp_path):
    """Catches numbers of the log that come back as text, and a new identity for old weights."""
    first, again = (train(small_settings(episodes), tmp_path / 'out', workers=1) for _ in range(2))
    assert first == again


def assert_resumes(settings, tmp_path, monkeypatch) -> Path:
    """Train at one go and with an interrupt, compare, and return the checkpoint."""
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    train(settings, whole, workers=1, save_every=2)

    real_step = Run.step

    def interrupted(self, batch, step, *arguments):
        if step == 3:
            raise KeyboardInterrupt
        return real_step(self, batch, step, *arguments)
    monkeypatch.setattr(Run, 'step', interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(settings, parts, workers=1, save_every=2)
    assert not parts.exists()
    monkeypatch.setattr(Run, 'step', real_step)
    train(settings, parts, workers=1, save_every=2)
    first, second = (load_file(path / 'model.safetensors') for path in (whole, parts))
    assert all(torch.equal(first[name], second[name]) for name in first)
    rows = (tmp_path / 'parts.training' / 'log.csv').read_text().splitlines()
    assert [row.split(',')[0] for row in rows] == ['step', '2', '4']
    return whole


@pytest.mark.parametrize('renamed', [False, True])
def test_a_kill_while_saving_leaves_one_whole_state(tmp_path, monkeypatch, renamed):
    """Catches a step that is saved apart from its tensors, or over the last good ones."""
    module = torch.nn.Linear(1, 1)
    modules, optimizer = {'policy': module}, torch.optim.AdamW(module.parameters())
    replace = os.replace

    def save(step):
        torch.nn.init.constant_(module.weight, step)
        save_state(tmp_path, step, {'seed': 0}, modules, optimizer, {})

    def killed(*paths):
        if renamed:
            replace(*paths)
        raise KeyboardInterrupt

    save(250)
    monkeypatch.setattr(os, 'replace', killed)
    with pytest.raises(KeyboardInterrupt):
        save(500)
    torch.nn.init.zeros_(module.weight)
    step, _ = load_state(tmp_path, {'seed': 0}, modules, optimizer)
    assert step == module.weight.item() == (500 if renamed else 250)


@pytest.mark.parametrize('share', [0.0, 0.001, 0.5, 0.99])
def test_a_damaged_state_is_named(tmp_path, share):
    """Catches a traceback, or a start from scratch, where a disk was full."""
    module = torch.nn.Linear(64, 64)
    modules, optimizer = {'policy': module}, torch.optim.AdamW(module.parameters())
    save_state(tmp_path, 250, {'seed': 0}, modules, optimizer, {})
    os.truncate(tmp_path / STATE, int(share * (tmp_path / STATE).stat().st_size))
    with pytest.raises(ResumeError, match=f'{STATE} is damaged .* delete'):
        load_state(tmp_path, {'seed': 0}, modules, optimizer)


def test_a_state_of_other_modules_is_named(tmp_path):
    """Catches a traceback after an update of the code."""
    module = torch.nn.Linear(1, 1)
    optimizer = torch.optim.AdamW(module.parameters())
    save_state(tmp_path, 250, {}, {'policy': module}, optimizer, {})
    with pytest.raises(ResumeError, match='another policy'):
        load_state(tmp_path, {}, {'policy': torch.nn.Linear(2, 2)}, optimizer)


def test_resuming_another_run_is_refused(episodes, tmp_path):
    """Catches two runs mixed in one folder, and seeds of another number of processes."""
    train(small_settings(episodes), tmp_path / 'run', workers=1)
    with pytest.raises(ResumeError, match=r'\(learning_rate: 0.001, now 1.0\)'):
        train(small_settings(episodes, learning_rate=1.0), tmp_path / 'run', workers=1)
    with pytest.raises(ResumeError, match=r'\(processes: 1, now 2\)'):
        train(small_settings(episodes), tmp_path / 'run', processes=2, workers=1)


def test_training_from_no_checkpoint_is_one_line(episodes, tmp_path, capsys):
    """Catches a reason that only the processes started for the work find."""
    with pytest.raises(SystemExit, match='^error: checkpoint') as ended:
        main(['--episodes', str(episodes), '--initial', str(tmp_path / 'none'), '--out',
              str(tmp_path / 'next'), '--processes', '2'])
    assert '\n' not in ended.value.code and 'Traceback' not in capsys.readouterr().err


def test_training_from_a_checkpoint_keeps_its_statistics(small_checkpoint, episodes, tmp_path):
    """Catches a later round that renormalises joints under weights trained otherwise."""
    settings = small_settings(episodes, initial=str(small_checkpoint), learning_rate=1e-9)
    train(settings, tmp_path / 'next', workers=1)
    first, second = read_config(small_checkpoint), read_config(tmp_path / 'next')
    assert first['normalization'] == second['normalization']
    assert content_hash(small_checkpoint) != content_hash(tmp_path / 'next')
    training = second['training']
    assert training['initial'] == content_hash(small_checkpoint)
    assert not any('/' in name for name in (*training['episodes'], training['robot']))


def test_two_processes_train_one_checkpoint(episodes, tmp_path):
    """Catches two processes that both write, or that draw the same windows."""
    settings = small_settings(episodes)
    identity = train(settings, tmp_path / 'pair', processes=2, workers=1)
    assert identity == content_hash(tmp_path / 'pair')
    rows = (tmp_path / 'pair.training' / 'log.csv').read_text().splitlines()
    assert len(rows) == 2


def test_accelerate_launch_is_the_same_training(episodes, tmp_path, capsys):
    """Catches a command that trains otherwise, twice or not at all under a launcher."""
    alone = ['unshare', '--net', '--map-root-user', 'sh', '-c', 'ip link set lo up && exec "$@"',
             'sh']  # its rendezvous listens everywhere: in here there is only loopback
    if subprocess.run([*alone, 'true'], capture_output=True, check=False).returncode:
        pytest.skip('no network namespace to be had')
    common = ['--episodes', episodes, '--steps', '2',
              '--batch-size', '4', '--vision-width', '32', '--out']
    launcher = [*alone, sys.executable, '-m', 'accelerate.commands.accelerate_cli', 'launch',
                '--cpu', '--num_processes', '2', '--num_machines', '1', '--mixed_precision', 'no',
                '--dynamo_backend', 'no', '--num_cpu_threads_per_process', '1',
                '-m', 'trimodal_ros.train']
    main([*map(str, [*common, tmp_path / 'one'])])
    assert capsys.readouterr().out.count('content hash') == 1
    ended = subprocess.run([*map(str, [*launcher, *common, tmp_path / 'two'])], text=True,
                           capture_output=True, check=False, timeout=240)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count('content hash') == 1
    one, two = (load_file(tmp_path / out / 'model.safetensors') for out in ('one', 'two'))
    for name in one:
        torch.testing.assert_close(one[name], two[name], msg=name)


def test_error_in_one_of_several_processes_ends_in_one_line(episodes, tmp_path):
    """Catches an error that only a reader of tracebacks finds."""
    with pytest.raises(SystemExit, match='^error: .*step 1') as ended:
        main(['--episodes', str(episodes), '--out', str(tmp_path / 'run'), '--steps', '2',
              '--batch-size', '4', '--vision-width', '32', '--learning-rate', 'inf'])
    assert '\n' not in ended.value.code
    assert not (tmp_path / 'run').exists()
