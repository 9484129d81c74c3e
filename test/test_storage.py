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

"""Writing episodes: what other programs see of them, and what survives of unfinished ones."""

from contextlib import suppress
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import threading
import time

from bags import (
    fill,
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
from mcap.reader import make_reader
import pytest
from rosbags.interfaces import QosDurability, QosReliability
from rosbags.rosbag2 import Reader
import yaml

from trimodal_ros.record.episode import (
    episode_path,
    EpisodeError,
    find_episodes,
    METADATA_KEY,
)
from trimodal_ros.record.reader import read_raw
from trimodal_ros.record.recover import recover
from trimodal_ros.record.scan import scan
from trimodal_ros.record.writer import EpisodeWriter

COMPRESSIONS = ('none', 'lz4', 'zstd')


# -- what other programs see


@pytest.mark.parametrize('compression', COMPRESSIONS)
def test_mcap_and_rosbags_read_the_same_as_we(tmp_path, compression):
    """Catches a bag that only this package can read, or that means something else elsewhere."""
    path = write_bag(tmp_path / 'one', 60, compression)
    ours = [(topic.name, received_ns, bytes(data))
            for topic, received_ns, _, data in read_raw(path)]
    with Reader(path) as reader:
        rosbags = [(connection.topic, time_ns, bytes(data))
                   for connection, time_ns, data in reader.messages()]
    with storage(path).open('rb') as file:
        reader = make_reader(file, validate_crcs=True)
        mcap = [(channel.topic, each.log_time, each.data)
                for _, channel, each in reader.iter_messages()]
    assert len(ours) == 60 and ours == rosbags == mcap


def test_mcap_has_what_rosbag2_looks_for(tmp_path):
    """Catches a bag that ``ros2 bag play`` refuses, or plays with other QoS."""
    path = write_bag(tmp_path / 'one')
    assert storage(path).name == 'one_0.mcap'
    with storage(path).open('rb') as file:
        reader = make_reader(file)
        assert reader.get_header().profile == 'ros2'
        summary = reader.get_summary()
        records = {record.name: record.metadata for record in reader.iter_metadata()}
    assert {(schema.name, schema.encoding, schema.data) for schema in summary.schemas.values()} \
        == {('std_msgs/msg/String', 'ros2msg', b'string data\n')}
    channels = {channel.topic: channel for channel in summary.channels.values()}
    for channel in channels.values():
        assert channel.message_encoding == 'cdr'
        assert channel.metadata['topic_type_hash'].startswith('RIHS01_')
    [qos] = yaml.safe_load(channels['instruction'].metadata['offered_qos_profiles'])
    assert (qos['reliability'], qos['durability']) == ('reliable', 'transient_local')
    told = yaml.safe_load(records['rosbag2']['serialized_metadata'])
    assert told['version'] == 9 and told['message_count'] == 60


def test_metadata_yaml_is_that_of_jazzy(tmp_path):
    """Catches a field that rosbag2's YAML decoder of version 9 would throw on."""
    path = write_bag(tmp_path / 'one')
    told = yaml.safe_load((path / 'metadata.yaml').read_text())['rosbag2_bagfile_information']
    assert (told['version'], told['storage_identifier'], told['message_count']) == (9, 'mcap', 60)
    assert told['relative_file_paths'] == ['one_0.mcap']
    assert told['starting_time'] == {'nanoseconds_since_epoch': START_NS}
    assert told['duration'] == {'nanoseconds': 59 * STEP_NS}
    assert told['files'] == [{'path': 'one_0.mcap', 'starting_time': told['starting_time'],
                              'duration': told['duration'], 'message_count': 60}]
    assert told['compression_format'] == told['compression_mode'] == ''
    assert all(isinstance(text, str) for text in told['custom_data'].values())
    assert METADATA_KEY in told['custom_data'] and told['ros_distro'] == 'jazzy'
    topics = {each['topic_metadata']['name']: each for each in told['topics_with_message_count']}
    assert {name: each['message_count'] for name, each in topics.items()} == {
        'words': 40, 'instruction': 20}
    words = topics['words']['topic_metadata']
    assert set(words) == {'name', 'type', 'serialization_format', 'offered_qos_profiles',
                          'type_description_hash'}
    assert set(words['offered_qos_profiles'][0]) == {
        'history', 'depth', 'reliability', 'durability', 'deadline', 'lifespan', 'liveliness',
        'liveliness_lease_duration', 'avoid_ros_namespace_conventions'}
    with Reader(path) as reader:
        offered = {each.topic: each.ext.offered_qos_profiles[0] for each in reader.connections}
    assert offered['words'].reliability == QosReliability.BEST_EFFORT
    assert offered['instruction'].durability == QosDurability.TRANSIENT_LOCAL


def test_both_times_are_kept(tmp_path):
    """Catches a stamp overwritten by the time of receipt."""
    path = write_bag(tmp_path / 'one')
    assert all(sent_ns == received_ns - 1_000_000 for _, received_ns, sent_ns, _ in read_raw(path))
    with storage(path).open('rb') as file:
        assert all(each.publish_time == each.log_time - 1_000_000
                   for _, _, each in make_reader(file).iter_messages())


def test_a_type_of_ones_own_is_kept_with_its_definition(tmp_path):
    """Catches a custom message that nobody can read any more, for want of its definition."""
    writer = EpisodeWriter(tmp_path / 'one')
    with pytest.raises(EpisodeError, match=r"'glove'.*unknown message type 'own_msgs/msg/Glove'"):
        writer.add_topic('glove', 'own_msgs/msg/Glove')
    writer.add_topic('glove', 'own_msgs/msg/Glove', definition='float64 bend\n')
    writer.write('glove', START_NS, b'\0\1\0\0' + bytes(8))
    path = writer.close(STARTED)
    with Reader(path) as reader:
        assert reader.connections[0].msgdef.data == 'float64 bend\n'


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
    with pytest.raises(EpisodeError, match='go back'):  # threads that far apart are no recorder's
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


def find_unfinished(root: Path) -> list[str]:
    return [path.name for path in root.glob('*.partial')]


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


def make_disk(image: Path) -> Path:
    """Make an ext4 of 200 MB in a file that takes only what is in it."""
    with image.open('wb') as file:
        file.truncate(200 * 2**20)
    subprocess.run(['mkfs.ext4', '-q', str(image)], check=True)
    return image


def cut_the_power(disk: Path) -> None:
    """Let a mounted ext4 forget, at once, all that is not on its device."""
    code = ('import fcntl, os, sys\n'
            'fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, b"\\2\\0\\0\\0")\n')
    subprocess.run([sys.executable, '-c', code, str(disk)], check=True)  # NOLOGFLUSH


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


# -- disks that refuse


def test_a_full_disk_is_told_at_once_and_loses_nothing_that_was_written(tmp_path):
    """Catches a recorder that goes on as if nothing had happened, and a bag past recovery."""
    with mounted(tmp_path / 'small', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs') as small:
        writer = EpisodeWriter(small / 'one', STARTED)
        writer.add_topic('words', 'std_msgs/msg/String')
        with pytest.raises(EpisodeError, match=r'one\.partial: .*No space left.*recover'):
            write_on(writer, 20_000)
        assert writer.failure is not None
        with pytest.raises(EpisodeError, match='No space left'):
            writer.close(STARTED)
        failed = recover(small, show_progress=False)
        assert [each.result for each in failed] == ['failed'] and 'MB free' in failed[0].reason
        assert find_unfinished(small) == ['one.partial']
        shutil.copytree(small / 'one.partial', tmp_path / 'roomy' / 'one.partial')
    recover(tmp_path / 'roomy', show_progress=False)
    got = numbers(tmp_path / 'roomy' / 'one')
    assert got == list(range(len(got))) and len(got) * 200 > 2**19


def write_on(writer: EpisodeWriter, count: int) -> None:
    for n in range(count):
        writer.write('words', START_NS + n * STEP_NS, message(n))


def test_a_file_that_may_not_grow_is_told_where_nothing_can_be_mounted(tmp_path):
    """Catches the same without a full disk: a limit of the process on the size of files."""
    code = ('import resource, sys\n'
            'sys.path.insert(0, sys.argv[2])\n'
            'from pathlib import Path\n'
            'from bags import STARTED\n'
            'from test_storage import write_on\n'
            'from trimodal_ros.record.writer import EpisodeWriter\n'
            'resource.setrlimit(resource.RLIMIT_FSIZE, (3 * 2**20, 3 * 2**20))\n'
            'writer = EpisodeWriter(Path(sys.argv[1]), STARTED)\n'
            'writer.add_topic("words", "std_msgs/msg/String")\n'
            'write_on(writer, 20_000)\n')
    ended = subprocess.run([sys.executable, '-c', code, str(tmp_path / 'one'),
                            str(Path(__file__).parent)], capture_output=True, text=True)
    assert 'EpisodeError' in ended.stderr and 'File too large' in ended.stderr
    recover(tmp_path, show_progress=False)
    got = numbers(tmp_path / 'one')
    assert got == list(range(len(got))) and got


def test_a_disk_that_turns_read_only_is_told_while_nothing_is_written(tmp_path):
    """Catches a failed sync that nobody hears of until the next message."""
    disk = tmp_path / 'disk'
    with mounted(disk, '-t', 'tmpfs', '-o', 'size=8m', 'tmpfs'):
        subprocess.run(['mount', '-o', 'remount,ro', str(disk)], check=True)
        with pytest.raises(EpisodeError, match='Read-only file system'):
            EpisodeWriter(disk / 'one')
    image = make_disk(tmp_path / 'image')
    with mounted(disk, '-o', 'loop', str(image)):
        writer = EpisodeWriter(disk / 'one', STARTED, sync_s=0.05)
        fill(writer, 10)
        cut_the_power(disk)
        with suppress(EpisodeError):  # it may know already
            writer.write('words', START_NS + 10**9, message(10))
        while writer.failure is None:
            time.sleep(0.001)
        with pytest.raises(EpisodeError, match=r'one\.partial'):
            writer.close(STARTED)


def test_scan_sees_the_whole_file(tmp_path):
    """Catches a reader that stops before the end of the file, or calls whole what is not."""
    path = write_bag(tmp_path / 'one')
    with scan(storage(path)) as found:
        assert found.is_ended and not found.damages and len(found.pieces) > 5
        assert found.statistics.message_count == 60
