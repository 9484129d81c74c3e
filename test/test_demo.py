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

from contextlib import redirect_stdout
from importlib import import_module
import io
import json
import os
from pathlib import Path
import re
import shutil
import signal
import subprocess
import sys

from conftest import so101_yaml
import pytest

from trimodal_ros.record.episode import find_episodes, read_info
from trimodal_ros.record.reader import read_messages


def run(module, *arguments, timeout_s=240):
    return subprocess.run([sys.executable, '-m', f'trimodal_ros.{module}', *map(str, arguments)],
                          capture_output=True, text=True, timeout=timeout_s, check=False)


def main_of(module):
    """Return what ``run`` has a process of its own for."""
    part = '' if module.startswith('nodes') else '.__main__'
    return import_module(f'trimodal_ros.{module}{part}').main


def test_demo_shows_what_the_robot_did(tmp_path):
    """Catches anything broken between make demo and its page, films and episodes.

    Whether the cube got there in real time beside other load is for benchmarks; that what is
    shown, recorded and returned agrees is for this test.
    """
    pytest.importorskip('rclpy')
    from graph import refusals
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
    assert info.source == 'policy' and not info.interventions
    topics = [topic for topic, _, _ in read_messages(episode)]
    assert topics.count('joint_trajectory') >= 5 and topics.count('policy/decision') >= 5
    assert topics.count('front/image_raw') > 20 and topics.count('joint_states') > 50
    assert not refusals((out / 'log' / 'simulated_robot.log').read_text())


def test_demo_leaves_other_folders_alone(tmp_path, small_checkpoint):
    """Catches --out pointed at one's home."""
    pytest.importorskip('rclpy')
    (tmp_path / 'precious').write_text('')
    with pytest.raises(SystemExit, match='not an earlier demo'):
        main_of('nodes.demo')(['--out', str(tmp_path), '--checkpoint', str(small_checkpoint)])
    assert (tmp_path / 'precious').exists()


def test_demo_keeps_what_a_running_recorder_has_begun(tmp_path):
    """Catches a launch whose demo refuses, or deletes, the recorder's folder."""
    pytest.importorskip('rclpy')
    from trimodal_ros.nodes.demo import EPISODES, prepare_folder
    (tmp_path / EPISODES / 'begun').mkdir(parents=True)
    for _ in range(2):
        prepare_folder(tmp_path, keep=(EPISODES,))
        (tmp_path / 'task1.png').write_text('')
    prepare_folder(tmp_path, keep=(EPISODES,))
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


def refuse_constant(name):
    raise ValueError(f'{name} is not JSON')


def test_rollout_through_ros_counts_everything(tmp_path, small_checkpoint, monkeypatch, capsys):
    """Catches figures without the bad cases, a swap that isn't looked at, and NaN in JSON."""
    pytest.importorskip('rclpy')
    from trimodal_ros.nodes import ros_rollout
    monkeypatch.setattr(ros_rollout, 'TIMEOUT_S', 3.0)   # it does nothing for however long
    monkeypatch.setattr(ros_rollout, 'enter_private_graph', lambda: None)   # we are in one
    main_of('evaluate')(['rollout', '--ros', '--swap-instruction', '--episodes', '1',
                         '--checkpoint', str(small_checkpoint), '--json',
                         str(tmp_path / 'figures.json')])
    data = json.loads((tmp_path / 'figures.json').read_text(), parse_constant=refuse_constant)
    assert data['ros'] and data['episodes'] == 1
    [trial] = data['trials']
    assert isinstance(trial['followed_scene'], bool)
    assert data['followed_scene'] == trial['followed_scene']
    assert data['refused_plans'] == len(trial['refusals']) >= data['late_plans']
    latency = data['latency_ms']
    assert {stage['count'] for stage in latency.values()} == {latency['model call']['count']}
    assert latency['model call']['count'] > 0
    assert 0 < data['real_time_factor'] <= 1
    assert "did the scene's own task instead: " in capsys.readouterr().out


def test_rollout_says_the_templates_in_turn(tmp_path, small_checkpoint):
    """Catches --templates read and not said."""
    (tmp_path / 'templates.txt').write_text('shift the {object} to the {place}\n'
                                            'on the {place} goes the {object}\n')
    main_of('evaluate')([
        'rollout', '--checkpoint', str(small_checkpoint), '--episodes', '2', '--workers', '1',
        '--templates', str(tmp_path / 'templates.txt'), '--json',
        str(tmp_path / 'figures.json')])
    trials = json.loads((tmp_path / 'figures.json').read_text())['trials']
    assert trials[0]['instruction'].startswith('shift the ')
    assert trials[1]['instruction'].startswith('on the ')


@pytest.fixture
def files(tmp_path, small_checkpoint) -> dict[str, str]:
    """Names of a good checkpoint, and of what no command can work with."""
    shutil.copytree(small_checkpoint, tmp_path / 'torn')
    os.truncate(tmp_path / 'torn' / 'model.safetensors', 1000)
    (tmp_path / 'plain.txt').write_text('put it there\n')
    return {'good': str(small_checkpoint), 'torn': str(tmp_path / 'torn'),
            'plain': str(tmp_path / 'plain.txt'), 'none': str(tmp_path / 'none'),
            'out': str(tmp_path / 'out')}


@pytest.mark.parametrize('command, reason', [
    ('evaluate.__main__ rollout --checkpoint none', 'none does not exist'),
    ('evaluate.__main__ rollout --checkpoint torn', 'model.safetensors is damaged'),
    ('evaluate.__main__ rollout --checkpoint torn --ros', 'model.safetensors is damaged'),
    ('evaluate.__main__ rollout --checkpoint good --templates none', 'No such file'),
    ('evaluate.__main__ rollout --checkpoint good --templates plain', 'needs {object}'),
    ('evaluate.__main__ rollout --checkpoint good --episodes 0', 'at least 1'),
    ('evaluate.__main__ rollout --checkpoint good --scene none', 'No such file'),
    ('evaluate.__main__ rollout --checkpoint good --replan-steps 99 --ros', 'replan_steps'),
    ('sim.__main__ demonstrate --out out --episodes 0', 'at least 1'),
    ('sim.__main__ demonstrate --out out --episodes 1 --templates plain', 'needs {object}'),
    ('sim.__main__ demonstrate --out out --episodes 1 --scene none', 'No such file'),
    ('sim.__main__ correct --out out --episodes 1 --checkpoint none', 'none does not exist'),
    ('sim.__main__ correct --out out --episodes 1 --checkpoint torn', 'is damaged'),
    ('nodes.demo --out out --checkpoint none', 'none does not exist'),
    ('nodes.demo --out out --checkpoint torn', 'model.safetensors is damaged'),
])
def test_what_cannot_be_used_is_one_line(files, tmp_path, command, reason):
    """Catches a traceback, a broken pool and a folder begun where a path or a number is wrong."""
    module, *arguments = [files.get(word, word) for word in command.split()]
    if module.startswith('nodes'):
        pytest.importorskip('rclpy')
    with pytest.raises(SystemExit) as ended:
        import_module(f'trimodal_ros.{module}').main(arguments)
    assert ended.value.code.startswith('error: ') and reason in ended.value.code
    assert '\n' not in ended.value.code and not (tmp_path / 'out').exists()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_demo_told_to_end_ends_its_nodes(files, number):
    """Catches nodes that outlive the demo, and a demo that waits for answers all the same."""
    pytest.importorskip('rclpy')
    from graph import wait_for
    demo = subprocess.Popen(
        [sys.executable, '-m', 'trimodal_ros.nodes.demo', '--checkpoint', files['good'], '--out',
         files['out']], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    nodes = wait_for(lambda: len(children(demo.pid)) == 3 and children(demo.pid), 'three nodes')
    demo.send_signal(number)
    output, _ = demo.communicate(timeout=240)
    assert demo.returncode not in (0, -number), output
    assert not any(Path(f'/proc/{pid}').exists() for pid in nodes)
    assert 'Traceback' not in output


def children(pid: int) -> list[str]:
    """Return the processes that one has started and not ended."""
    return Path(f'/proc/{pid}/task/{pid}/children').read_text().split()


def test_a_policy_that_does_not_come_up_says_why(files, tmp_path):
    """Catches a reason left in a log that is deleted with its folder."""
    pytest.importorskip('rclpy')
    bring_up = ('import pathlib, sys; '
                'from trimodal_ros.nodes.private_graph import enter_private_graph; '
                'from trimodal_ros.nodes.session import simulated_session; '
                'enter_private_graph(); '
                'simulated_session(*map(pathlib.Path, sys.argv[1:])).__enter__()')
    ended = subprocess.run(
        [sys.executable, '-c', bring_up, files['torn'], so101_yaml(), tmp_path / 'log'],
        capture_output=True, text=True, timeout=240, check=False)
    error = ended.stderr.partition('ConductorError: ')[2]
    assert error.startswith('policy refused') and 'model.safetensors is damaged' in error


def undescribed(help_text: str) -> list[str]:
    """Return the options and arguments of a help text that say no more than their default."""
    texts, name = {}, ''
    for line in re.findall('^│ (.*)│$', help_text, re.MULTILINE):
        if not line.startswith(' '):  # as further lines of a description do
            name, _, line = line.strip().partition('  ')
        texts[name] = texts.get(name, '') + ' ' + line.strip()
    return [name for name, text in texts.items()
            if name.startswith(('-', '['))
            and not re.sub(r'\((default|required)\b.*?\)', '', text).strip()]


def test_undescribed_options_are_found():
    """Catches a check that takes a default for a description."""
    text = '│ --out PATH   Where to. (default: x) │\n│ --seed INT   (default: 0)   │\n'
    assert undescribed(text) == ['--seed INT']
    assert undescribed('│ --long-one STR      │\n│      Some text  │\n') == []
    assert undescribed('│ --long-one STR      │\n│      (required)    │\n') == ['--long-one STR']


@pytest.mark.parametrize('module, command', [
    ('sim', ['demonstrate']), ('sim', ['correct']), ('train', []), ('evaluate', ['rollout']),
    ('evaluate', ['alignment']), ('evaluate', ['search']), ('nodes.demo', [])])
def test_help_teaches(module, command):
    """Catches an option without a description."""
    if module.startswith('nodes'):
        pytest.importorskip('rclpy')
    with redirect_stdout(io.TextIOWrapper(io.BytesIO(), 'utf-8')) as printed:
        with pytest.raises(SystemExit) as ended:
            main_of(module)([*command, '--help'])
        printed.seek(0)
        text = printed.read()
    assert not ended.value.code and '│ --' in text
    assert undescribed(text) == []


def test_interrupt_while_a_node_starts_comes_after_it_is_noted():
    """Catches a node left behind by a Ctrl-C between its start and its being noted."""
    pytest.importorskip('rclpy')
    from trimodal_ros.nodes.private_graph import uninterrupted
    done = []
    with pytest.raises(KeyboardInterrupt):
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append('noted')
    assert done == ['noted']
