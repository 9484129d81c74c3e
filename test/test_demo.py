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

"""The main job end to end, with the shipped checkpoint, as a user runs it."""

import json
import subprocess
import sys

import pytest

from trimodal_ros.record.episode import find_episodes, read_info, read_messages


def run(module, *arguments, timeout_s=240):
    return subprocess.run([sys.executable, '-m', f'trimodal_ros.{module}', *map(str, arguments)],
                          capture_output=True, text=True, timeout=timeout_s, check=False)


def test_demo_shows_what_the_robot_did(tmp_path):
    """Catches anything broken between make demo and its page, films and episodes.

    Whether the cube got there in real time beside other load is for benchmarks; that what is
    shown, recorded and returned agrees is for this test.
    """
    pytest.importorskip('rclpy')
    out = tmp_path / 'demo'
    ended = run('nodes.demo', '--out', out, '--instruction', 'put the red cube on the left plate')
    assert 'page: ' in ended.stdout, ended.stdout + ended.stderr
    done = '1 of 1 done' in ended.stdout
    assert ended.returncode == (0 if done else 1)
    page = (out / 'index.html').read_text()
    assert 'task1.webp' in page and (out / 'task1.webp').stat().st_size > 1000
    assert (out / 'task1.png').stat().st_size > 1000
    [episode] = find_episodes(out / 'episodes')
    info = read_info(episode)
    assert info.outcome == ('success' if done else 'failure') and info.checkpoint
    topics = [topic for topic, _, _ in read_messages(episode)]
    assert topics.count('joint_trajectory') >= 5 and topics.count('policy/decision') >= 5
    assert topics.count('front/image_raw') > 20 and topics.count('joint_states') > 50
    assert 'refused' not in (out / 'log' / 'simulated_robot.log').read_text()


def test_demo_leaves_other_folders_alone(tmp_path):
    """Catches --out pointed at one's home."""
    pytest.importorskip('rclpy')
    (tmp_path / 'precious').write_text('')
    ended = run('nodes.demo', '--out', tmp_path)
    assert ended.returncode != 0 and 'not an earlier demo' in ended.stderr
    assert (tmp_path / 'precious').exists()


def test_demo_keeps_what_a_running_recorder_has_begun(tmp_path):
    """Catches a launch whose demo refuses, or deletes, the recorder's folder."""
    pytest.importorskip('rclpy')
    from trimodal_ros.nodes.demo import _prepare, EPISODES
    (tmp_path / EPISODES / 'begun').mkdir(parents=True)
    for _ in range(2):
        _prepare(tmp_path, keep=(EPISODES,))
        (tmp_path / 'task1.png').write_text('')
    _prepare(tmp_path, keep=(EPISODES,))
    assert (tmp_path / EPISODES / 'begun').exists() and not (tmp_path / 'task1.png').exists()


def test_demo_says_what_it_cannot_judge(tmp_path):
    """Catches a demo that runs a sentence it can't lay a scene for."""
    pytest.importorskip('rclpy')
    ended = run('nodes.demo', '--out', tmp_path / 'demo', '--instruction', 'make coffee')
    assert ended.returncode != 0 and 'red cube' in ended.stderr


def test_shipped_checkpoint_does_the_task(tmp_path, shipped):
    """Catches a checkpoint that no longer fits the code, and a command line that no longer
    fits the README.
    """
    figures = tmp_path / 'figures.json'
    ended = run('evaluate', 'rollout', '--checkpoint', shipped, '--episodes', 12,
                '--swap-instruction', '--json', figures)
    assert ended.returncode == 0, ended.stderr
    data = json.loads(figures.read_text())
    assert data['episodes'] == 12 == len(data['trials']) and len(data['wilson_95']) == 2
    assert data['successes'] >= 10 and data['followed_scene'] == 0


def test_rollout_of_no_checkpoint_is_one_line(tmp_path):
    """Catches a traceback where a path is wrong."""
    ended = run('evaluate', 'rollout', '--checkpoint', tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.strip().splitlines()[-1].startswith('error: checkpoint')


@pytest.mark.parametrize('module, command', [
    ('sim', ['demonstrate']), ('sim', ['correct']), ('train', []), ('evaluate', ['rollout']),
    ('evaluate', ['alignment']),
    ('nodes.demo', [])])
def test_help_teaches(module, command):
    """Catches an option without a description."""
    if module.startswith('nodes'):
        pytest.importorskip('rclpy')
    ended = run(module, *command, '--help')
    assert ended.returncode == 0 and 'usage:' in ended.stdout
