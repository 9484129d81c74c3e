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

"""``python -m trimodal_ros.record``: what is printed, and errors in one line."""

from bags import fill, STARTED, storage, torn, write_bag
from conftest import so101_yaml
import pytest
from test_sync import bag_of

from trimodal_ros.record.__main__ import main
from trimodal_ros.record.episode import EpisodeError, EpisodeInfo
from trimodal_ros.record.recover import recover
from trimodal_ros.record.writer import EpisodeWriter

COUNT = 60


def test_list_is_a_table_that_leaves_nothing_out(tmp_path, capsys):
    """Catches an episode that can't be read and so is not even listed."""
    write_bag(tmp_path / 'day' / 'one')
    info = EpisodeInfo(**{**vars(STARTED), 'interventions': ((0, 10**9), (2 * 10**9, 35 * 10**8)),
                          'health': {'verdict': 'bad'}})
    EpisodeWriter(tmp_path / 'two').close(info)
    write_bag(tmp_path / 'three')
    (tmp_path / 'three' / 'metadata.yaml').write_text('')
    main(['list', str(tmp_path)])
    header, one, two, three, cure = capsys.readouterr().out.splitlines()
    assert header.split() == ['episode', 'seconds', 'MB', 'source', 'operator', 'outcome',
                              'interventions', 'health', 'instruction']
    assert one.split()[:6] == ['day/one', '0.6', '0.0', 'policy', 'Ada', 'success']
    assert one.endswith('put it there')
    assert '2 (2.5 s)' in two and ' bad ' in two
    assert 'three: damaged metadata.yaml' in three and 'recover' in cure


def test_list_shows_what_is_to_be_recovered(tmp_path, capsys):
    """Catches a damaged episode called good, and a killed recording that nobody hears of."""
    torn(tmp_path / 'night')
    main(['list', str(tmp_path)])
    _, killed, cure = capsys.readouterr().out.splitlines()
    assert killed == 'night/one.partial: unfinished'
    assert f'record recover {tmp_path} makes' in cure
    good = EpisodeInfo(**{**vars(STARTED), 'health': {'verdict': 'good'}})
    for name in ('whole', 'cut'):
        writer = EpisodeWriter(tmp_path / name)
        fill(writer, 60)
        writer.close(good)
    storage(tmp_path / 'cut').write_bytes(storage(tmp_path / 'whole').read_bytes()[:-100])
    writer = EpisodeWriter(tmp_path / 'now', STARTED)
    main(['list', str(tmp_path)])
    writer.abandon()
    _, cut, whole, *unfinished, cure = capsys.readouterr().out.splitlines()
    assert ' damaged ' in cut and ' good ' in whole and 'recover' in cure
    assert unfinished == ['night/one.partial: unfinished', 'now.partial: being written now']


def test_recover_reports_each_leftover(tmp_path, capsys):
    """Catches a report that doesn't tell where the original and the episode are."""
    torn(tmp_path)
    main(['recover', str(tmp_path)])
    printed = capsys.readouterr().out
    assert f'one.partial: recovered as {tmp_path / "one"}, 60 messages' in printed
    assert str(tmp_path / '.trash' / 'one.partial') in printed
    assert 'ends without a footer' in printed and '1 of 1 leftovers recovered' in printed
    main(['recover', str(tmp_path)])
    assert capsys.readouterr().out == f'nothing to recover in {tmp_path}\n'


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(EpisodeError, match='nowhere is not a directory'):
        recover(tmp_path / 'nowhere')


@pytest.fixture
def other_robot(tmp_path):
    """A YAML of an arm with a joint of another name."""
    path = tmp_path / 'other.yaml'
    path.write_text(so101_yaml().read_text().replace('shoulder_pan', 'base'))
    return path


@pytest.mark.parametrize('command', ['export', 'sync'])
def test_another_robot_is_named(tmp_path, so101, other_robot, command, capsys):
    """Catches 'joint_states: missing' where they are there, and --robot is wrong."""
    bag_of(tmp_path / 'bags' / 'one', so101)
    out = ['--out', tmp_path / 'dataset'] if command == 'export' else []
    with pytest.raises(SystemExit) as ended:
        main([command, *map(str, [tmp_path / 'bags', '--robot', other_robot, *out])])
    told = f'{ended.value}{capsys.readouterr().out}'
    assert f'recorded on robot {so101.content_hash}, so101 is ' in told
    assert 'name the robot YAML that it was recorded with' in told


def test_sync_goes_on_where_one_is_damaged(tmp_path, so101, capsys):
    """Catches a report on a night of recordings that ends at the first damaged one."""
    for name in ('one', 'two'):
        bag_of(tmp_path / name, so101)
    (tmp_path / 'one' / 'metadata.yaml').write_text('{')
    with pytest.raises(SystemExit):
        main(['sync', str(tmp_path)])
    printed = capsys.readouterr().out
    assert 'fault: ' in printed and 'two: 10 of 10 moments can be used' in printed


@pytest.mark.parametrize('arguments, complaint', [
    (['sync'], 'no folder of episodes is named'),
    (['sync', '.', '--robot', 'no.yaml'], 'no.yaml: No such file or directory')])
def test_errors_are_one_line(arguments, complaint):
    """Catches a bare 'Errno 2', and a sentence without its object."""
    with pytest.raises(SystemExit, match=f'^error: {complaint}$'):
        main(arguments)
