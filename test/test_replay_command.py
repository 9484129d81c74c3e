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

"""The replay command: what it writes, what it says of bad bags, and what it exits with."""

from dataclasses import replace
import json
import os
import shutil
from xml.etree import ElementTree

from bags import copy_episode, copy_without, storage
import pytest
import yaml

from trimodal_ros.evaluate.__main__ import main
from trimodal_ros.evaluate.page import write_whole
from trimodal_ros.evaluate.replay.__main__ import REPLAN_PERIOD_S
from trimodal_ros.evaluate.replay.catalogue import MEASURES
from trimodal_ros.evaluate.replay.station import PolicyFailed
from trimodal_ros.nodes.policy_parameters import NUMBERS as POLICY_NUMBERS
from trimodal_ros.nodes.private_graph import GraphError
from trimodal_ros.record.episode import read_info
from trimodal_ros.record.reader import read_raw
from trimodal_ros.record.sample import STAMP_AT
from trimodal_ros.record.writer import EpisodeWriter
from trimodal_ros.sim.scene_file import shipped_scene
from trimodal_ros.spec import NS_PER_S

TOLD = {'empty': 'empty', 'blind': "'wrist/image_raw'", 'numb': "'joint_states'",
        'untold': "'instruction'", 'other': 'recorded on robot', 'torn': 'damaged',
        'packed': 'compression', 'foreign': 'not recorded by trimodal_ros',
        'astray': 'nothing could be decided', 'jumping': 'its clock jumps ahead by 3598'}


def run(*arguments) -> int:
    """Run the command, and return what it exits with."""
    try:
        main(['replay', *map(str, arguments), '--workers', '1'])
    except SystemExit as ended:
        return ended.code
    return 0


@pytest.mark.parametrize('where, failure', [
    ('trimodal_ros.nodes.replay_judge.judge_through_node', GraphError('no free domain')),
    ('trimodal_ros.evaluate.replay.__main__.judge_recordings', PolicyFailed('it raised'))])
def test_what_fails_besides_the_recordings_is_no_verdict(
        shipped, episodes, monkeypatch, capsys, where, failure):
    """Catches a node or a policy that failed, which a CI system takes for a threshold passed."""
    def fail(*given):
        raise failure
        yield
    monkeypatch.setattr(where, fail)
    mode = 'node' if 'nodes' in where else 'offline'
    assert run('--bags', episodes, '--checkpoint', shipped, '--mode', mode) == 2
    assert f'error: {failure}' in capsys.readouterr().err


def change_metadata(path, change) -> None:
    file = path / 'metadata.yaml'
    told = yaml.safe_load(file.read_text())
    change(told['rosbag2_bagfile_information'])
    file.write_text(yaml.safe_dump(told))


def an_hour_on(recorded) -> bytes:
    """Return a message whose stamp, if it has one, is another than its time of receipt."""
    data = bytearray(recorded.data)
    if recorded.topic.name != 'instruction':
        sec = int.from_bytes(data[STAMP_AT:STAMP_AT + 4], 'little') + 3600
        data[STAMP_AT:STAMP_AT + 4] = sec.to_bytes(4, 'little')
    return bytes(data)


def write_twice(source, out, later_ns: int) -> None:
    """Write an episode, and again as if it had been recorded later."""
    info, twice = read_info(source), list(read_raw(source))
    writer = EpisodeWriter(out, info, 'none')
    for name, type_name in {each.topic.name: each.topic.type_name for each in twice}.items():
        writer.add_topic(name, type_name)
    for by_ns in (0, later_ns):
        for each in twice:
            data = an_hour_on(each) if by_ns else bytes(each.data)
            writer.write(each.topic.name, each.received_ns + by_ns, data)
    writer.close(info)


@pytest.fixture(scope='module')
def spoilt(episodes, tmp_path_factory):
    """Bags of every kind of bad, by the names in TOLD, and a good one."""
    folder, source = tmp_path_factory.mktemp('spoilt'), episodes / 'seed_1'
    info = read_info(source)
    shutil.copytree(episodes / 'seed_0', folder / 'good')
    EpisodeWriter(folder / 'empty', info, 'none').close(info)
    for name, topic in (('blind', 'wrist/image_raw'), ('numb', 'joint_states'),
                        ('untold', 'instruction')):
        copy_without(source, folder / name, topic)
    copy_episode(source, folder / 'other', info=replace(info, robot='another'))
    copy_episode(source, folder / 'astray', an_hour_on)
    write_twice(source, folder / 'jumping', 3600 * NS_PER_S)
    for name in ('torn', 'packed', 'foreign'):
        shutil.copytree(source, folder / name)
    os.truncate(storage(folder / 'torn'), storage(folder / 'torn').stat().st_size // 2)
    change_metadata(folder / 'packed', lambda told: told.update(
        compression_format='brotli', compression_mode='FILE'))
    change_metadata(folder / 'foreign', lambda told: told.update(custom_data={}))
    return folder


def test_bad_bags_are_named_and_the_others_judged(spoilt, small_checkpoint, tmp_path, capsys):
    """Catches a bad bag that ends the run, is passed over in silence, or looks like success."""
    code = run('--bags', spoilt, '--checkpoint', small_checkpoint, '--json', tmp_path / 'r.json',
               '--junit', tmp_path / 'r.xml')
    assert code == 3
    result, told = json.loads((tmp_path / 'r.json').read_text()), capsys.readouterr().out
    faults = {episode['path']: episode['fault'] for episode in result['episodes']}
    assert faults.pop(str(spoilt / 'good')) == ''
    for name, what in TOLD.items():
        fault = faults.pop(str(spoilt / name))
        assert str(spoilt / name) in fault and what in fault and fault in told
    assert not faults and result['decisions'] > 0
    assert result['figures']['action_error']['value'] > 0
    suite = ElementTree.parse(tmp_path / 'r.xml').find("testsuite[@name='recordings']")
    assert suite.get('errors') == str(len(TOLD)) == str(len(suite.findall('testcase/error')))
    assert not list(tmp_path.glob('*.partial'))


def test_threshold_that_is_passed_is_told_and_exited_with(episodes, small_checkpoint, tmp_path,
                                                          capsys):
    """Catches a checkpoint that CI lets through, and one that is kept out for nothing."""
    bags = ('--bags', episodes / 'seed_0', '--checkpoint', small_checkpoint)
    (tmp_path / 'strict.yaml').write_text(
        'action_error: {max: 1.0e-9}\naction_error.elbow_flex: {max: 10}\n')
    (tmp_path / 'kind.yaml').write_text('action_error: {max: 10}\nmissed: {max: 1}\n')
    assert run(*bags, '--thresholds', tmp_path / 'kind.yaml') == 0
    assert run(*bags, '--thresholds', tmp_path / 'strict.yaml', '--junit',
               tmp_path / 'r.xml') == 1
    assert 'action_error is' in capsys.readouterr().out
    suite = ElementTree.parse(tmp_path / 'r.xml').find("testsuite[@name='thresholds']")
    assert (suite.get('tests'), suite.get('failures')) == ('2', '1')
    assert 'at most 1e-09 rad' in suite.find('testcase/failure').get('message')


def test_worse_than_the_baseline_is_told_and_exited_with(
        episodes, small_checkpoint, moving_checkpoint, tmp_path, capsys):
    """Catches a checkpoint that CI lets through though the one in use is better."""
    file, bags = tmp_path / 'beside.yaml', ('--bags', episodes, '--replan-period-s', 0.1)
    file.write_text('action_error: {not_worse: true, margin: 1.0e+6}\nlate: {margin: 0}\n')
    pair = ('--checkpoint', moving_checkpoint, '--baseline', small_checkpoint)
    codes = [run(*bags, *sides, '--thresholds', file, '--json', tmp_path / f'{number}.json',
                 '--junit', tmp_path / f'{number}.xml', '--html', tmp_path / f'{number}.html')
             for number, sides in enumerate((pair, ('--checkpoint', small_checkpoint,
                                                    '--baseline', moving_checkpoint)))]
    results = [json.loads((tmp_path / f'{number}.json').read_text()) for number in (0, 1)]
    verdicts = [each['comparison']['measures']['action_error']['verdict'] for each in results]
    assert sorted(verdicts) == ['better', 'worse']
    assert codes == [int(verdict == 'worse') for verdict in verdicts]
    worse, kept = results[codes.index(1)], results[codes.index(0)]
    assert [each['ok'] for each in worse['thresholds']] == [False, True, True]
    assert all(each['ok'] for each in kept['thresholds'])
    error = worse['comparison']['measures']['action_error']
    assert [each['value'] for each in worse['thresholds'][:2]] == [error['low'], error['high']]
    assert capsys.readouterr().out.count(
        'action_error is worse than the baseline by at least') == 1
    suite = ElementTree.parse(tmp_path / f'{codes.index(1)}.xml').find(
        "testsuite[@name='thresholds']")
    assert [case.get('name') for case in suite.findall('testcase')] == [
        'action_error not_worse', 'action_error margin 1e+06', 'late margin 0']
    assert [case.get('name') for case in suite.findall('testcase[failure]')] == [
        'action_error not_worse']
    assert 'not shown worse' in (
        tmp_path / f'{codes.index(1)}.html').read_text()


def test_nothing_done_is_no_threshold_passed(episodes, small_checkpoint, tmp_path, capsys):
    """Catches a typing error that CI takes for a bad checkpoint."""
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'beside.yaml').write_text('action_error: {not_worse: true}\n')
    bags = ('--bags', episodes / 'seed_0', '--checkpoint', small_checkpoint)
    for arguments, told in (
            (('--bags', tmp_path, '--checkpoint', small_checkpoint), 'no episode'),
            (('--bags', episodes, '--checkpoint', tmp_path / 'empty'), 'is missing'),
            ((*bags, '--thresholds', tmp_path / 'none.yaml'), 'none.yaml'),
            ((*bags, '--thresholds', tmp_path / 'beside.yaml'), '--baseline'),
            ((*bags, '--tool-frame', 'gripper_frame_link'), 'which link is the tool'),
            (('--checkpoint', small_checkpoint, '--bags'), '--bags: name a folder'),
            ((*bags, '--replan-period-s', '-1'), '-1.0, expected 0.05 to 5 s'),
            ((*bags, '--replan-period-s', 'nan'), 'nan, expected 0.05 to 5 s'),
            ((*bags, '--tolerance-rad', '0'), '0.0, expected more than 0 rad'),
            ((*bags, '--rate', '2'), '--mode node only')):
        assert run(*arguments) == 2
        assert told in capsys.readouterr().err


def test_baseline_is_compared_and_the_page_written(episodes, small_checkpoint, moving_checkpoint,
                                                   tmp_path, capsys):
    """Catches a baseline that is judged by other moments, and a page without its numbers."""
    code = run('--bags', episodes, '--checkpoint', small_checkpoint, '--baseline',
               moving_checkpoint, '--json', tmp_path / 'r.json', '--html', tmp_path / 'r.html',
               '--urdf', shipped_scene().urdf, '--tool-frame',
               'gripper_frame_link', '--replan-period-s', 0.1)
    assert code == 0
    result = json.loads((tmp_path / 'r.json').read_text())
    for name in ('action_error', 'tool_error', 'jerk', 'within_tolerance'):
        compared = result['comparison']['measures'][name]
        assert compared['value'] == pytest.approx(result['figures'][name]['value'])
        assert compared['baseline'] == pytest.approx(result['baseline_figures'][name]['value'])
    assert set(result['figures']) <= set(MEASURES)
    assert len(result['instructions']) == len({each['instruction']
                                               for each in result['episodes']})
    assert 'baseline' in capsys.readouterr().out and (tmp_path / 'r.html').stat().st_size > 10_000


@pytest.mark.parametrize('option', ['json', 'html', 'junit'])
def test_file_that_cannot_be_written_is_refused_at_once(tmp_path, capsys, option):
    """Catches recordings judged for nothing, and half a file that is left behind."""
    (tmp_path / 'file').touch()
    for path in (tmp_path, tmp_path / 'file' / 'page'):
        assert run('--bags', tmp_path / 'none', '--checkpoint', tmp_path, f'--{option}',
                   path) == 2
        assert f'--{option}: {path} ' in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ['file']
    with pytest.raises(OSError):
        write_whole(tmp_path, '')
    assert not tmp_path.with_name(tmp_path.name + '.partial').exists()


def test_time_between_plans_is_the_nodes():
    """Catches a replay of what no node would do."""
    assert POLICY_NUMBERS['replan_period_s'][1:3] == REPLAN_PERIOD_S
