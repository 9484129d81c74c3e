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
import numpy as np
import pytest
import yaml

from trimodal_ros.evaluate.__main__ import main
from trimodal_ros.evaluate.replay.catalogue import MEASURES
from trimodal_ros.evaluate.replay.clusters import Clusters, MOST_STRETCHES, STRETCH_S
from trimodal_ros.evaluate.replay.compare import compare, LEAST_EPISODES
from trimodal_ros.evaluate.replay.example import make_example
from trimodal_ros.evaluate.replay.junit import junit_xml
from trimodal_ros.evaluate.replay.result import Figure
from trimodal_ros.evaluate.replay.station import PolicyFailed
from trimodal_ros.evaluate.replay.thresholds import read_thresholds, Threshold, ThresholdError
from trimodal_ros.nodes.private_graph import GraphError
from trimodal_ros.paths import share_dir
from trimodal_ros.record.episode import read_info
from trimodal_ros.record.reader import read_raw
from trimodal_ros.record.sample import STAMP_AT
from trimodal_ros.record.writer import EpisodeWriter
from trimodal_ros.sim.scene_file import shipped_scene
from trimodal_ros.spec import NS_PER_S, RobotSpec

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


def test_nothing_done_is_no_threshold_passed(episodes, small_checkpoint, tmp_path, capsys):
    """Catches a typing error that CI takes for a bad checkpoint."""
    bags = ('--bags', episodes / 'seed_0', '--checkpoint', small_checkpoint)
    for arguments, told in (
            (('--bags', tmp_path, '--checkpoint', small_checkpoint), 'no episode'),
            (('--bags', episodes, '--checkpoint', tmp_path), 'is missing'),
            ((*bags, '--thresholds', tmp_path / 'none.yaml'), 'none.yaml'),
            ((*bags, '--tool-frame', 'gripper_frame_link'), 'which link is the tool'),
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


# -- thresholds


@pytest.mark.parametrize('text, told', [
    ('acton_error: {max: 1}', "no measure 'acton_error', did you mean 'action_error'?"),
    ('action_error.elbo: {max: 1}', "no joint 'elbo', did you mean 'elbow'?"),
    ('action_error: 1', 'expected min, max or both'), ('action_error: {most: 1}', 'expected min'),
    ('action_error: {max: big}', "'big', expected a number in rad"),
    ('action_error: {max: .nan}', 'expected a number'), ('', 'expected measures'),
    ('{', 'is not YAML')])
def test_thresholds_that_say_nothing_are_refused(tmp_path, text, told):
    """Catches a misspelt bound that every checkpoint keeps to."""
    file = tmp_path / 'thresholds.yaml'
    file.write_text(text)
    with pytest.raises(ThresholdError) as error:
        read_thresholds(file, RobotSpec.make_example())
    assert told in str(error.value) and str(file) in str(error.value)


def test_what_was_not_measured_keeps_to_nothing():
    """Catches a threshold that is kept because nobody looked."""
    assert not Threshold('late', '', 'max', 1.0).judge({}).ok
    assert not Threshold('late', 'elbow', 'max', 1.0).judge({'late': Figure(0.0, 1)}).ok
    assert Threshold('late', '', 'max', 1.0).judge({'late': Figure(1.0, 1)}).ok
    assert not Threshold('late', '', 'min', 1.1).judge({'late': Figure(1.0, 1)}).ok


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
