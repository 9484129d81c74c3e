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

"""Cutting: what is there stays there, what is damaged or asked for wrongly is refused."""

import shutil

from bags import edit, mounted, storage, tree, write_bag
from cutting import cut, said
import pytest

from trimodal_ros.record import room
from trimodal_ros.record.__main__ import main
from trimodal_ros.record.cut import cut_recordings, Cuts, STAGE
from trimodal_ros.record.episode import EpisodeError
from trimodal_ros.record.writer import EpisodeWriter


def test_the_same_command_keeps_what_is_there_and_another_is_refused(tmp_path):
    """Catches parts written anew, and a changed recording that nobody hears of."""
    whole = write_bag(tmp_path / 'bags' / 'one')
    originals = tree(tmp_path / 'bags')
    parts = cut(tmp_path / 'bags', tmp_path / 'parts', every_s=0.2)
    shutil.rmtree(parts[1])
    there = tree(tmp_path / 'parts')
    [done] = cut_recordings([tmp_path / 'bags'], tmp_path / 'parts', Cuts(every_s=0.2), False)
    assert (done.written, len(done.parts)) == (1, 3)
    after = tree(tmp_path / 'parts')
    assert there.items() <= after.items() and tree(tmp_path / 'bags') == originals
    with pytest.raises(EpisodeError, match='one_00 exists already, and is not this part'):
        cut(tmp_path / 'bags', tmp_path / 'parts', every_s=0.3)
    shutil.rmtree(whole)
    write_bag(whole, count=70)
    with pytest.raises(EpisodeError, match='one_00 exists already, and is not this part'):
        cut(tmp_path / 'bags', tmp_path / 'parts', every_s=0.2)
    assert tree(tmp_path / 'parts') == after


@pytest.mark.parametrize('where', ['append', 'close'])
def test_interrupted_it_leaves_nothing_half_written(tmp_path, monkeypatch, where):
    """Catches half a part that is taken for one, and a leftover that stops the next call."""
    for name in ('one', 'two'):
        write_bag(tmp_path / 'bags' / name)
    calls, real = [], getattr(EpisodeWriter, where)

    def interrupted(self, *arguments, **options):
        calls.append(self.path.name)
        if calls.count('two_01') == 1:
            raise KeyboardInterrupt
        return real(self, *arguments, **options)
    monkeypatch.setattr(EpisodeWriter, where, interrupted)
    command = ['cut', str(tmp_path / 'bags'), '--out', str(tmp_path / 'parts'), '--every-s', '0.2']
    with pytest.raises(SystemExit, match='interrupted; call it again to go on'):
        main(command)
    monkeypatch.undo()
    names = sorted(path.name for path in (tmp_path / 'parts').iterdir())
    assert names == ['one_00', 'one_01', 'one_02']
    main(command)
    assert len(list((tmp_path / 'parts').iterdir())) == 6


def test_what_a_killed_run_left_is_cleared(tmp_path):
    """Catches a folder that is refused, or kept for ever, after kill -9."""
    write_bag(tmp_path / 'bags' / 'one')
    (tmp_path / 'parts' / STAGE / 'one_00.partial').mkdir(parents=True)
    cut(tmp_path / 'bags', tmp_path / 'parts', every_s=0.5)
    assert sorted(path.name for path in (tmp_path / 'parts').iterdir()) == ['one_00', 'one_01']


def test_a_damaged_recording_has_no_parts_and_others_do(tmp_path, capsys):
    """Catches parts of what is not whole, and a night's work lost to one recording."""
    for name in ('one', 'two'):
        write_bag(tmp_path / 'bags' / name)
    end = storage(tmp_path / 'bags' / 'one').stat().st_size // 2
    edit(tmp_path / 'bags' / 'one', lambda data: (
        data[:end] + bytes([data[end] ^ 1]) + data[end + 1:]))
    with pytest.raises(SystemExit) as ended:
        main(['cut', str(tmp_path / 'bags'), '--out', str(tmp_path / 'parts'), '--every-s', '0.2'])
    assert ended.value.code == 1
    printed = capsys.readouterr().out
    assert 'fault: ' in printed and 'damaged' in printed and 'two: 3 parts' in printed
    assert sorted(path.name for path in (tmp_path / 'parts').iterdir()) == [
        'two_00', 'two_01', 'two_02']


def test_a_full_disk_is_told_and_nothing_is_left(tmp_path, monkeypatch):
    """Catches a cut that fills the disk, and half a part on it."""
    write_bag(tmp_path / 'bags' / 'one', count=20_000)
    with mounted(tmp_path / 'small', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs') as small:
        with pytest.raises(EpisodeError, match='MB free on the disk, expected.*nothing was'):
            cut(tmp_path / 'bags', small / 'parts', every_s=40)
        monkeypatch.setattr(room, 'SPARE_BYTES', -10**9)   # another fills it meanwhile
        [done] = cut_recordings([tmp_path / 'bags'], small / 'parts', Cuts(every_s=40), False)
        assert "can't be written: " in done.fault and 'make room and cut again' in done.fault
        assert not tree(small)


# -- what is refused


@pytest.mark.parametrize('arguments, complaint', [
    ([], 'where to cut'), (['--every-s', '1', '--at-s', '1'], 'where to cut'),
    (['--every-s', '0'], 'expected seconds above 0'),
    (['--every-s', 'nan'], 'expected seconds above 0'),
    (['--every-s', 'inf'], 'expected seconds above 0'), (['--at-s', 'inf'], 'each later than'),
    (['--at-s', '0.2', '0.1'], 'each later than'), (['--at-s', '0'], 'above 0')])
def test_wrong_times_are_refused_by_what_they_are(tmp_path, arguments, complaint):
    """Catches a traceback, and parts that nobody asked for."""
    write_bag(tmp_path / 'bags' / 'one')
    with pytest.raises(SystemExit, match=f'^error: .*{complaint}'):
        main(['cut', str(tmp_path / 'bags'), '--out', str(tmp_path / 'parts'), *arguments])
    assert not (tmp_path / 'parts').exists()


def test_a_recording_that_ends_before_is_left_out_alone(tmp_path):
    """Catches a whole night that isn't cut for one short recording."""
    said(tmp_path / 'bags' / 'long', (0.0, 'said', 'begin'), (9.0, 'said', 'end'))
    said(tmp_path / 'bags' / 'short', (0.0, 'said', 'begin'), (0.5, 'said', 'end'))
    long, short = cut_recordings([tmp_path / 'bags'], tmp_path / 'parts', Cuts(at_s=(7.0,)), False)
    assert len(long.parts) == 2 and not long.fault
    assert 'short: --at-s 7: it ends after 0.500 s' in short.fault and not short.parts


def test_parts_among_recordings_are_refused(tmp_path):
    """Catches parts that are cut again, or trained on beside their whole."""
    write_bag(tmp_path / 'bags' / 'one')
    with pytest.raises(EpisodeError, match='taken for further recordings; name a folder elsew'):
        cut(tmp_path / 'bags', tmp_path / 'bags' / 'parts', every_s=1)


def test_recordings_of_one_name_are_refused_and_folders_are_kept(tmp_path):
    """Catches parts of one recording among those of another."""
    for day in ('monday', 'tuesday'):
        write_bag(tmp_path / day / 'one')
    with pytest.raises(EpisodeError, match='2 recordings are called one, one of them'):
        cut_recordings([tmp_path / 'monday', tmp_path / 'tuesday'], tmp_path / 'parts',
                       Cuts(every_s=1), False)
    days = cut_recordings([tmp_path], tmp_path.with_name('parts of it'), Cuts(every_s=1), False)
    assert [each.parts[0].parent.name for each in days] == ['monday', 'tuesday']
