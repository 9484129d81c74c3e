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

"""``record recover``, of leftovers, beside a recorder, interrupted, disk full; ``record list``."""

from pathlib import Path
import random
import shutil
import subprocess
import sys

from bags import (
    chunks,
    fill,
    message,
    mounted,
    numbers,
    START_NS,
    STARTED,
    STEP_NS,
    storage,
    write_bag,
)
import pytest

from trimodal_ros.record import recover as module
from trimodal_ros.record.__main__ import main
from trimodal_ros.record.episode import EpisodeError, EpisodeInfo, find_episodes, read_info
from trimodal_ros.record.reader import read_raw
from trimodal_ros.record.recover import recover, Recovery
from trimodal_ros.record.salvage import Salvage
from trimodal_ros.record.stage import STAGE
from trimodal_ros.record.writer import EpisodeWriter

COUNT = 60


def run(root: Path, thorough: bool = True) -> list[Recovery]:
    return recover(root, thorough, show_progress=False)


def tear(path: Path, end: int | None = None) -> Path:
    """Make of a whole bag what is left of it when it was not closed, cut at a byte."""
    (path / 'metadata.yaml').unlink()
    file = storage(path)
    file.write_bytes(file.read_bytes()[:end])
    return path.rename(path.with_name(f'{path.name}.partial'))


def torn(root: Path, name: str = 'one', count: int = COUNT) -> Path:
    """Leave an episode as a killed recorder does."""
    writer = EpisodeWriter(root / name, STARTED, sync_s=0.001)
    fill(writer, count)
    while writer.unsynced_s:
        pass
    writer.abandon()
    return root / f'{name}.partial'


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes()
            for path in root.rglob('*') if path.is_file()}


# -- what becomes of leftovers


def test_a_killed_recording_becomes_an_episode_that_says_so(tmp_path):
    """Catches a recovered episode that forgets what it is about, or passes for a closed one."""
    original = tree(torn(tmp_path))
    [recovery] = run(tmp_path)
    assert (recovery.result, recovery.messages) == ('recovered', COUNT)
    assert recovery.episode == tmp_path / 'one'
    assert tree(recovery.trash) == original and recovery.trash.parent == tmp_path / '.trash'
    assert numbers(tmp_path / 'one') == list(range(COUNT))
    info = read_info(tmp_path / 'one')
    assert (info.instruction, info.operator, info.outcome) == ('put it there', 'Ada', 'unknown')
    assert info.health['verdict'] == 'good'  # nothing is missing but the end
    told = info.health['recovered']
    assert told['from'] == 'one.partial' and told['missing'] == {}
    [loss] = told['losses']
    assert loss['what'] == 'ends without a footer'
    assert (loss['from_ns'], loss['to_ns']) == (START_NS + (COUNT - 1) * STEP_NS, None)
    assert any(finding.startswith('recovered: 60 messages') for finding in info.health['findings'])
    both = [(topic.qos, topic.type_hash, sent_ns) for topic, _, sent_ns, _
            in read_raw(tmp_path / 'one')]
    again = write_bag(tmp_path / 'again')
    assert both == [(topic.qos, topic.type_hash, sent_ns) for topic, _, sent_ns, _
                    in read_raw(again)]


def test_recovering_again_changes_nothing(tmp_path):
    """Catches a recovery that finds its own work, or its trash, in need of recovery."""
    torn(tmp_path), torn(tmp_path, 'two')
    write_bag(tmp_path / 'whole')
    assert [each.result for each in run(tmp_path)] == ['recovered', 'recovered']
    before = tree(tmp_path)
    assert run(tmp_path) == [] and tree(tmp_path) == before


def test_what_was_noted_last_is_known(tmp_path):
    """Catches a start record that hides what the recorder learned later."""
    writer = EpisodeWriter(tmp_path / 'one', STARTED, sync_s=0.001)
    fill(writer, 3)
    writer.note(EpisodeInfo(**{**vars(STARTED), 'checkpoint': 'abc', 'health': {
        'verdict': 'bad', 'findings': ['camera was frozen']}}))
    while writer.unsynced_s:
        pass
    writer.abandon()
    run(tmp_path)
    info = read_info(tmp_path / 'one')
    assert info.checkpoint == 'abc' and info.health['verdict'] == 'bad'
    assert info.health['findings'][0] == 'camera was frozen'


def test_a_closed_bag_without_metadata_loses_nothing(tmp_path):
    """Catches an outcome forgotten because the process died just before the last rename."""
    tear(write_bag(tmp_path / 'one', outcome='failure'))
    [recovery] = run(tmp_path)
    info = read_info(recovery.episode)
    assert recovery.losses == () and info.outcome == 'failure'
    assert info.health['verdict'] == 'good'


def test_bags_of_ros2_bag_record_are_recovered(tmp_path):
    """Catches leftovers of others passed over: no metadata.yaml, and files that were split."""
    first, second = write_bag(tmp_path / 'first'), write_bag(tmp_path / 'second')
    (first / 'metadata.yaml').unlink()
    shutil.move(storage(second), first / 'first_1.mcap')
    shutil.rmtree(second)
    [recovery] = run(tmp_path)
    assert numbers(recovery.episode) == sorted(2 * list(range(COUNT)))
    assert read_info(recovery.episode).instruction == 'put it there'


def test_folders_of_other_mcap_files_are_left_alone(tmp_path):
    """Catches a collection of recordings poured into one episode."""
    for name in ('monday', 'tuesday'):
        path = write_bag(tmp_path / name)
        shutil.move(storage(path), tmp_path / f'{name}.mcap')
        shutil.rmtree(path)
    before = tree(tmp_path)
    assert run(tmp_path) == [] and tree(tmp_path) == before


def test_an_unknown_episode_says_that_it_is(tmp_path):
    """Catches a made-up instruction, and a bag refused for having none."""
    writer = EpisodeWriter(tmp_path / 'one', sync_s=0.001)
    fill(writer, 3)
    while writer.unsynced_s:
        pass
    writer.abandon()
    run(tmp_path)
    info = read_info(tmp_path / 'one')
    assert (info.instruction, info.robot, info.source) == ('', '', 'unknown')
    assert 'recovered: nothing is known of what it is about' in info.health['findings']
    assert info.health['verdict'] == 'bad'


@pytest.mark.parametrize('content', [None, b'', b'\x89MCAP0\r\n', bytes(5000)])
def test_what_holds_no_message_goes_to_the_trash(tmp_path, content):
    """Catches a name that stays taken for ever by an empty leftover."""
    partial = tmp_path / 'one.partial'
    partial.mkdir()
    if content is not None:
        (partial / 'one_0.mcap').write_bytes(content)
    [recovery] = run(tmp_path)
    assert recovery.result == 'empty' and recovery.trash.is_dir() and not partial.exists()
    write_bag(tmp_path / 'one')


def test_a_taken_name_is_not_overwritten(tmp_path):
    """Catches a recovered episode in the place of a whole one."""
    torn(tmp_path)
    shutil.move(tmp_path / 'one.partial', tmp_path / 'aside')
    whole = tree(write_bag(tmp_path / 'one', 5))
    shutil.move(tmp_path / 'aside', tmp_path / 'one.partial')
    [recovery] = run(tmp_path)
    assert recovery.episode == tmp_path / 'one_2' and tree(tmp_path / 'one') == whole


def test_a_cut_off_at_any_byte_is_recovered(memory):
    """Catches an offset at which the rest of the file is lost, or something is made up."""
    whole = write_bag(memory / 'whole' / 'one')
    content, places, rng = storage(whole).read_bytes(), chunks(whole), random.Random(3)
    for end in [rng.randrange(len(content)) for _ in range(40)]:
        shutil.rmtree(memory / 'cut', ignore_errors=True)
        shutil.copytree(whole, memory / 'cut' / 'one')
        tear(memory / 'cut' / 'one', end)
        [recovery] = run(memory / 'cut', thorough=False)
        left = [n for _, last, in_it in places for n in in_it if last <= end]
        if left:
            assert numbers(recovery.episode) == left
        else:
            assert recovery.result == 'empty'


def test_a_damaged_episode_is_replaced_and_says_what_is_missing(tmp_path):
    """Catches a bad chunk in the middle of an episode that training then stumbles over."""
    path = write_bag(tmp_path / 'one')
    first, end, _ = chunks(path)[3]
    content = bytearray(storage(path).read_bytes())
    content[end - 5] ^= 1
    storage(path).write_bytes(content)
    damaged = tree(path)
    assert run(tmp_path, thorough=False) == []  # its frame is right
    [recovery] = run(tmp_path)
    assert recovery.episode == path and tree(recovery.trash) == damaged
    got, info = numbers(path), read_info(path)
    lost = sorted(set(range(COUNT)) - set(got))
    assert lost == list(range(lost[0], lost[-1] + 1)) and 5 < len(lost) < 12
    [loss] = recovery.losses
    assert (loss.offset, loss.length) == (first, end - first)
    assert loss.from_ns == START_NS + (lost[0] - 1) * STEP_NS
    assert loss.to_ns == START_NS + (lost[-1] + 1) * STEP_NS
    assert info.outcome == 'success' and info.health['verdict'] == 'bad'
    assert sum(info.health['recovered']['missing'].values()) == len(lost)


def test_reordered_chunks_are_put_in_order_and_told(tmp_path):
    """Catches an episode in which what came later comes first."""
    path = tmp_path / 'one'
    writer = EpisodeWriter(path, STARTED, sync_s=0.001)
    writer.add_topic('words', 'std_msgs/msg/String')
    for n in range(6):  # a chunk a message, 2 s apart
        writer.write('words', START_NS + n * 2 * 10**9, message(n))
        while writer.unsynced_s:
            pass
    writer.close(STARTED)
    content, places = storage(path).read_bytes(), chunks(path)
    (a, a_end, _), (b, b_end, _) = places[1], places[4]
    storage(path).write_bytes(content[:a] + content[b:b_end] + content[a_end:b]
                              + content[a:a_end] + content[b_end:])
    [recovery] = run(tmp_path)
    assert numbers(path) == list(range(6))
    findings = read_info(path).health['findings']
    assert any('go back by' in finding for finding in findings)
    assert read_info(path).health['verdict'] == 'bad' and recovery.messages == 6


# -- beside others, and interrupted


def test_what_is_being_written_is_left_alone(tmp_path):
    """Catches a recovery that takes a recorder's episode from under it."""
    writer = EpisodeWriter(tmp_path / 'one', STARTED)
    fill(writer, 10)
    [recovery] = run(tmp_path)
    assert recovery.result == 'in use'
    writer.write('words', START_NS + 10 * STEP_NS, message(10))
    assert numbers(writer.close(STARTED)) == list(range(11))
    assert run(tmp_path) == []


def test_what_others_write_without_a_lock_is_left_alone(tmp_path):
    """Catches a running ``ros2 bag record``, which has no metadata.yaml yet, taken apart."""
    path = write_bag(tmp_path / 'one')
    (path / 'metadata.yaml').unlink()
    before = tree(tmp_path)
    with storage(path).open('ab'):
        assert [each.result for each in run(tmp_path)] == ['in use']
        assert tree(tmp_path) == before
    assert [each.result for each in run(tmp_path)] == ['recovered']


def test_two_recoveries_at_a_time_make_one_episode(tmp_path):
    """Catches two that take each other's originals or stages apart."""
    for n in range(6):
        torn(tmp_path, f'episode_{n}')
    both = [subprocess.Popen([sys.executable, '-m', 'trimodal_ros.record', 'recover',
                              str(tmp_path)], stdout=subprocess.PIPE, text=True)
            for _ in range(2)]
    output = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], output
    assert [path.name for path in find_episodes(tmp_path)] == [f'episode_{n}' for n in range(6)]
    assert len(list((tmp_path / '.trash').iterdir())) == 6
    assert not (tmp_path / STAGE).exists()


@pytest.mark.parametrize('step', ['written', 'in the trash', 'almost whole'])
def test_an_interrupted_recovery_is_gone_on_with(tmp_path, monkeypatch, step):
    """Catches a moment at which a killed recovery leaves neither original nor episode."""
    torn(tmp_path)
    def die(*args):
        raise KeyboardInterrupt
    if step == 'written':
        monkeypatch.setattr(module, 'move_to_trash', die)
    elif step == 'in the trash':
        monkeypatch.setattr(module, 'place', die)
    else:
        monkeypatch.setattr(Salvage, 'missing', die)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    monkeypatch.undo()
    held = [path for path in (tmp_path / 'one.partial', tmp_path / '.trash' / 'one.partial')
            if path.exists()]
    assert len(held) == 1
    run(tmp_path)
    assert numbers(tmp_path / 'one') == list(range(COUNT))
    assert not (tmp_path / STAGE).exists() and not (tmp_path / 'one.partial').exists()
    assert find_episodes(tmp_path) == [tmp_path / 'one']


# -- disks that refuse


def test_a_disk_that_fills_up_while_recovering_loses_nothing(tmp_path, monkeypatch):
    """Catches an original given up for a copy that could not be finished."""
    with mounted(tmp_path / 'small', '-t', 'tmpfs', '-o', 'size=3m', 'tmpfs') as small:
        original = tree(torn(small, count=8000))
        [recovery] = run(small)
        assert recovery.result == 'failed' and 'MB free on the disk, expected' in recovery.reason
        monkeypatch.setattr(module, 'SPARE_BYTES', -10**9)  # another fills it meanwhile
        [recovery] = run(small)
        assert recovery.result == 'failed' and 'No space left on device' in recovery.reason
        assert tree(small / 'one.partial') == original
        assert [path.name for path in small.iterdir()] == ['one.partial']
        with pytest.raises(SystemExit) as ended:
            main(['recover', str(small)])
        assert ended.value.code == 1
        subprocess.run(['mount', '-o', 'remount,size=40m', str(small)], check=True)
        [recovery] = run(small)
        assert recovery.result == 'recovered' and recovery.messages == 8000


def test_a_read_only_disk_is_told_and_left_as_it_is(tmp_path):
    """Catches a traceback where recordings are on a disk that has turned read-only."""
    torn(tmp_path / 'disk')
    with mounted(tmp_path / 'seen', '--bind', str(tmp_path / 'disk')) as seen:
        subprocess.run(['mount', '-o', 'remount,bind,ro', str(seen)], check=True)
        before = tree(seen)
        [recovery] = run(seen)
        assert recovery.result == 'failed' and 'Read-only file system' in recovery.reason
        assert tree(seen) == before


# -- the command line


def test_list_is_a_table_that_leaves_nothing_out(tmp_path, capsys):
    """Catches an episode that can't be read and so is not even listed."""
    write_bag(tmp_path / 'day' / 'one')
    info = EpisodeInfo(**{**vars(STARTED), 'interventions': ((0, 10**9), (2 * 10**9, 35 * 10**8)),
                          'health': {'verdict': 'bad'}})
    EpisodeWriter(tmp_path / 'two').close(info)
    write_bag(tmp_path / 'three')
    (tmp_path / 'three' / 'metadata.yaml').write_text('')
    main(['list', str(tmp_path)])
    header, one, two, three = capsys.readouterr().out.splitlines()
    assert header.split() == ['episode', 'seconds', 'MB', 'source', 'operator', 'outcome',
                              'interventions', 'health', 'instruction']
    assert one.split()[:6] == ['day/one', '0.6', '0.0', 'policy', 'Ada', 'success']
    assert one.endswith('put it there')
    assert '2 (2.5 s)' in two and ' bad ' in two
    assert 'three: damaged metadata.yaml' in three


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


def test_partial_folders_of_others_are_left_alone(tmp_path):
    """Catches a checkpoint that is just being written, or whatever else, put into the trash."""
    (tmp_path / 'checkpoint.partial').mkdir()
    (tmp_path / 'checkpoint.partial' / 'model.safetensors').touch()
    (tmp_path / 'data.partial' / 'deep').mkdir(parents=True)
    assert run(tmp_path) == []
    assert (tmp_path / 'checkpoint.partial').exists() and (tmp_path / 'data.partial').exists()
