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

"""Writing episodes: what is refused, and what survives of unfinished ones."""

from contextlib import suppress
import os
from pathlib import Path
import shutil
import signal
import subprocess
import threading
import time

from bags import (
    cut_the_power,
    fill,
    find_unfinished,
    make_disk,
    message,
    mounted,
    numbers,
    START_NS,
    STARTED,
    STEP_NS,
    storage,
    write_bag,
    writing,
)
import pytest

from trimodal_ros.record.episode import (
    episode_path,
    EpisodeError,
    find_episodes,
)
from trimodal_ros.record.reader import read_raw
from trimodal_ros.record.recover import recover
from trimodal_ros.record.scan import scan
from trimodal_ros.record.writer import EpisodeWriter

COMPRESSIONS = ('none', 'lz4', 'zstd')


# -- what is refused


@pytest.mark.parametrize('name', ['../other', '/tmp/other', 'a/b', '..', '.hidden', '', 'a\0b',
                                  'torn.partial'])
def test_no_episode_lies_outside_of_its_folder(tmp_path, name):
    """Catches a name, as a parameter or a service may give one, that writes anywhere."""
    with pytest.raises(EpisodeError, match='is not the name of an episode'):
        episode_path(tmp_path, name)
    assert episode_path(tmp_path, 'episode_0001') == tmp_path / 'episode_0001'


def test_two_of_one_name_are_refused(tmp_path):
    """Catches a second recorder that writes into the first one's file."""
    first = EpisodeWriter(tmp_path / 'one')
    with pytest.raises(EpisodeError, match='another one is writing it'):
        EpisodeWriter(tmp_path / 'one')
    first.close(STARTED)
    with pytest.raises(EpisodeError, match='exists already'):
        EpisodeWriter(tmp_path / 'one')


def test_what_takes_its_place_meanwhile_is_not_overwritten(tmp_path):
    """Catches a rename that replaces what somebody put there while we recorded."""
    writer = EpisodeWriter(tmp_path / 'one')
    fill(writer, 3)
    (tmp_path / 'one').mkdir()
    with pytest.raises(EpisodeError, match='exists already'):
        writer.close(STARTED)
    assert list((tmp_path / 'one').iterdir()) == []
    assert [each.messages for each in recover(tmp_path, show_progress=False)] == [3]


def test_messages_nobody_can_place_are_refused(tmp_path):
    """Catches a message without a topic, one of two types, and a time no ROS clock shows."""
    writer = EpisodeWriter(tmp_path / 'one')
    writer.add_topic('words', 'std_msgs/msg/String')
    with pytest.raises(EpisodeError, match="'wrods' was never added; known are 'words'"):
        writer.write('wrods', START_NS, message(0))
    with pytest.raises(EpisodeError, match="'words' is there already.*std_msgs/msg/Bool"):
        writer.add_topic('words', 'std_msgs/msg/Bool')
    with pytest.raises(EpisodeError, match=r"'words'.*-5 ns"):
        writer.write('words', -5, message(0))
    writer.close(STARTED)
    with pytest.raises(EpisodeError, match='closed already'):
        writer.write('words', START_NS, message(0))
    with pytest.raises(ValueError, match=r"compression: 'gzip', expected one of 'none'"):
        EpisodeWriter(tmp_path / 'two', compression='gzip')
    assert [path.name for path in tmp_path.iterdir()] == ['one']


def test_discarded_episodes_are_kept_in_the_trash(tmp_path):
    """Catches a discard that deletes, one that clobbers the last, and trash among episodes."""
    for _ in range(3):
        writer = EpisodeWriter(tmp_path / 'one', STARTED)
        fill(writer, 5)
        writer.discard()
    trash = tmp_path / '.trash'
    assert {path.name for path in trash.iterdir()} == {
        'one.partial', 'one.partial_2', 'one.partial_3'}
    whole = write_bag(tmp_path / 'one')
    shutil.copytree(whole, trash / 'whole')
    assert find_episodes(tmp_path) == [whole]
    assert recover(tmp_path, show_progress=False) == []


# -- what survives


def test_what_many_threads_write_is_all_there(tmp_path):
    """Catches messages mangled, lost or miscounted between threads and the one that syncs."""
    writer = EpisodeWriter(tmp_path / 'one', sync_s=0.001)
    writer.add_topic('words', 'std_msgs/msg/String')

    def write(first: int) -> None:
        for n in range(first, 2000, 4):
            writer.write('words', START_NS + n * STEP_NS, message(n))
    threads = [threading.Thread(target=write, args=[first]) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.counts == {'words': 2000}
    with suppress(EpisodeError):  # threads that far apart, if they are, are no recorder's
        list(read_raw(writer.close(STARTED)))
    [recovered] = recover_renamed(tmp_path / 'one')
    assert recovered.messages == 2000


def recover_renamed(path: Path):
    """Recover a whole bag as if it had never been closed."""
    (path / 'metadata.yaml').unlink()
    path.rename(path.with_name(f'{path.name}.partial'))
    return recover(path.parent, show_progress=False)


def until(process: subprocess.Popen, start: str, count: int = 1) -> int:
    """Read what a writing process prints up to a line; return how many messages were safe."""
    safe = 0
    for line in process.stdout:
        if line.startswith('safe'):
            safe = int(line.split()[1])
        if line.startswith(start):
            count -= 1
            if count == 0:
                return safe
    raise AssertionError('the writing process ended')


@pytest.mark.parametrize('compression, moment', [
    ('none', 1), ('none', 150), ('lz4', 400), ('zstd', 777), ('none', 1500)])
def test_kill_9_takes_only_the_last_moment(tmp_path, compression, moment):
    """Catches messages kept in Python's or the library's buffers for longer than was said."""
    with writing(tmp_path / 'torn', compression) as process:
        safe = until(process, 'safe', moment)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert find_unfinished(tmp_path) == ['torn.partial']
    with pytest.raises(EpisodeError, match='no episode'):
        find_episodes(tmp_path)
    recoveries = recover(tmp_path, show_progress=False)
    if safe or recoveries[0].result == 'recovered':
        got = numbers(tmp_path / 'torn')
        assert got == list(range(len(got))) and len(got) >= safe


def test_what_was_written_is_synced_though_nothing_follows(tmp_path):
    """Catches a sync that waits for the next message: an arm at rest, a paused policy."""
    with writing(tmp_path / 'torn', count=7) as process:
        assert until(process, 'safe 7') == 7
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    recover(tmp_path, show_progress=False)
    assert numbers(tmp_path / 'torn') == list(range(7))


def test_a_power_cut_leaves_what_was_synced(tmp_path):
    """Catches bytes, or the name of the file, that never left the operating system's memory."""
    image, disk = make_disk(tmp_path / 'image'), tmp_path / 'disk'
    with mounted(disk, '-o', 'loop', str(image)):
        with writing(disk / 'torn') as process:
            safe = until(process, 'safe', 500)
            cut_the_power(disk)
    with mounted(disk, '-o', 'loop', str(image)):
        assert safe > 0 and find_unfinished(disk) == ['torn.partial']
        recover(disk, show_progress=False)
        got = numbers(disk / 'torn')
    assert got == list(range(len(got))) and len(got) >= safe


def test_whatever_was_not_synced_may_be_cut_off_at_any_byte(memory):
    """Catches a recovery that needs more than what the writer had synced."""
    synced_bytes = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, 'fdatasync', lambda descriptor: synced_bytes.append(
            os.fstat(descriptor).st_size))
        writer = EpisodeWriter(memory / 'torn', STARTED, sync_s=0.02)
        fill(writer, 40)
        while writer.unsynced_s:
            time.sleep(0.001)
        for n in range(40, 5000):
            writer.write('words', START_NS + n * STEP_NS, message(n))
        writer.abandon()
    torn = memory / 'torn.partial'
    whole = storage(torn).read_bytes()
    for end in range(synced_bytes[0], len(whole), len(whole) // 20):
        shutil.rmtree(memory / 'cut', ignore_errors=True)
        (memory / 'cut' / 'torn.partial').mkdir(parents=True)
        (memory / 'cut' / 'torn.partial' / 'torn_0.mcap').write_bytes(whole[:end])
        recover(memory / 'cut', show_progress=False)
        got = numbers(memory / 'cut' / 'torn')
        assert got == list(range(len(got))) and len(got) >= 40


def test_scan_sees_the_whole_file(tmp_path):
    """Catches a reader that stops before the end of the file, or calls whole what is not."""
    path = write_bag(tmp_path / 'one')
    with scan(storage(path)) as found:
        assert found.is_ended and not found.damages and len(found.pieces) > 5
        assert found.statistics.message_count == 60
