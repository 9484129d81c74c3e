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

"""Disks that are full, queues that overflow, signals: injected for real."""

from contextlib import contextmanager
import os
from pathlib import Path
import signal
import subprocess

from graph import rclpy, spinning, wait_for
import pytest
from recorder_graph import CAMERA, make_recorder, recorder_graph, SENTENCE, Source, write_files
from recorder_session import make_session

# isort: split
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from trimodal_ros.nodes.private_graph import NodeProcesses
from trimodal_ros.record.episode import EpisodeError, find_episodes, read_info
from trimodal_ros.record.reader import read_messages

pytestmark = pytest.mark.usefixtures('ros')


@contextmanager
def small_disk(folder: Path, megabytes: int, *options: str):
    """Mount a file system of so many MB; skips where one may not."""
    folder.mkdir()
    what = ['mount', '-t', 'tmpfs', '-o', ','.join([f'size={megabytes}m', *options]), 'none',
            str(folder)]
    if subprocess.run(what, capture_output=True, check=False).returncode:
        pytest.skip('no right to mount a small file system')
    try:
        yield folder
    finally:
        subprocess.run(['umount', '-l', str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Take all the room there is."""
    ballast = disk / 'ballast'
    with ballast.open('wb') as file:
        try:
            while True:
                file.write(bytes(2**16))
                file.flush()
        except OSError:
            os.truncate(ballast, file.tell() // 4096 * 4096)
    return ballast


def test_full_disk_ends_the_episode_and_nothing_else(tmp_path):
    """Catches a recorder that dies, goes on in silence, or takes what was written with it."""
    with small_disk(tmp_path / 'out', 160) as disk, recorder_graph(
            tmp_path, min_free_mb=0, ring_s=0.0) as graph:
        told = []
        graph.client.create_subscription(DiagnosticArray, '/diagnostics', told.append, 10)
        graph.do('start')
        wait_for_bytes(disk, 100_000)
        ballast = fill(disk)
        wait_for(lambda: graph.session.failure, 'the disk to be full')
        assert 'No space left' in graph.session.failure
        assert 'No space left' in graph.refused('success')
        wait_for(lambda: told and any(
            status.level == DiagnosticStatus.ERROR and 'No space left' in status.message
            for status in told[-1].status), 'an error on /diagnostics')
        assert 'No space left' in graph.refused('discard')   # it isn't in anybody's way
        ballast.unlink()
        graph.do('start')
        graph.wait_for_more()
        path = graph.do('success')
        assert len(list(read_messages(path))) > 10
        assert (disk / 'episode_0000.partial').is_dir()
        with spinning(make_recorder(tmp_path, min_free_mb=0)):   # recovers it by itself
            wait_for(lambda: len(find_episodes(disk)) == 2, 'a recovered episode')
        recovered = disk / 'episode_0000'
        assert len(list(read_messages(recovered))) > 5
        assert read_info(recovered).instruction == SENTENCE


def test_recording_ends_before_the_disk_is_full(tmp_path):
    """Catches a disk filled to the last byte, and an episode that doesn't say it was cut."""
    with small_disk(tmp_path / 'out', 64) as disk, recorder_graph(
            tmp_path, min_free_mb=20) as graph:
        graph.do('start')
        graph.wait_for_more()
        (disk / 'ballast').write_bytes(bytes(50 * 10**6))
        wait_for(lambda: graph.session.failure, 'the recording to end')
        assert 'fewer than min_free_mb 20' in graph.refused('success')
        assert 'make room' in graph.refused('start') and 'make room' in graph.refused('keep')
        wait_for(lambda: (disk / 'episode_0000').is_dir(), 'the episode')
        info = read_info(disk / 'episode_0000')
        assert info.health['verdict'] == 'bad' and 'min_free_mb' in info.health['findings'][0]
        assert len(list(read_messages(disk / 'episode_0000'))) > 10


def test_read_only_disk_is_refused(tmp_path):
    """Catches a recorder that ends, or says it records, where nothing can be written."""
    with small_disk(tmp_path / 'out', 16, 'ro'), recorder_graph(
            tmp_path, min_free_mb=0) as graph:
        assert 'Read-only file system' in graph.refused('start')
        assert 'Read-only file system' in graph.refused('keep')
        assert graph.session.recording is None


def test_an_episode_that_can_not_be_finished_is_none(tmp_path):
    """Catches an episode that is counted, and discarded instead of another, and isn't there."""
    with small_disk(tmp_path / 'out', 16) as disk:
        session = make_session(disk)
        session.start([])
        fill(disk)
        done = session.end('success')
        with pytest.raises(EpisodeError, match='No space left'):
            done.result()
        assert dict(+session.ended.counts) == {'failed': 1} and 'No space left' in session.failure
        with pytest.raises(EpisodeError, match='No space left'):
            session.discard()
        session.close()


@contextmanager
def recording_process(folder: Path, **parameters):
    """Run a recorder in a process of its own, that records a source here; yields its pid."""
    source = Source()
    client = rclpy.create_node('client')
    with NodeProcesses(folder / 'log') as processes, spinning(source, client):
        processes.start('recorder', {'out': folder / 'out', 'min_free_mb': 1,
                                     **write_files(folder), **parameters})
        source.say(SENTENCE)
        processes.check()
        yield source, client, processes


def wait_for_bytes(folder: Path, count: int) -> None:
    wait_for(lambda: any(file.stat().st_size > count for file in folder.glob('*/*.mcap')),
             'bytes on the disk')


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_finish_the_episode(tmp_path, number):
    """Catches an episode lost to Ctrl-C, to systemd, or to a terminal that was closed."""
    with recording_process(tmp_path, automatic=True) as (_, _, processes):
        wait_for_bytes(tmp_path / 'out', 100_000)
        pid = processes.pid('recorder')
        os.kill(pid, number)
        wait_for(lambda: (tmp_path / 'out' / 'episode_0000').is_dir(), 'a whole episode')
        wait_for(lambda: Path(f'/proc/{pid}/stat').read_text().split()[2] == 'Z', 'its end')
    assert read_info(tmp_path / 'out' / 'episode_0000').instruction == SENTENCE
    assert len(list(read_messages(tmp_path / 'out' / 'episode_0000'))) > 5


def test_a_killed_recording_is_recovered_by_the_next_recorder(tmp_path):
    """Catches a session lost to a pulled plug, and one that must be repaired by hand."""
    with recording_process(tmp_path, automatic=True, operator='Ada') as (_, _, processes):
        wait_for_bytes(tmp_path / 'out', 300_000)
        os.kill(processes.pid('recorder'), signal.SIGKILL)
    assert not list((tmp_path / 'out').glob('episode_????'))
    with spinning(make_recorder(tmp_path)):
        wait_for(lambda: list((tmp_path / 'out').glob('episode_0000')), 'a recovered episode')
    info = read_info(tmp_path / 'out' / 'episode_0000')
    assert (info.instruction, info.operator) == (SENTENCE, 'Ada')
    assert 'recovered' in info.health
    assert any(topic == CAMERA for topic, _, _ in read_messages(tmp_path / 'out' / 'episode_0000'))
