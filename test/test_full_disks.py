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

"""Disks that refuse, while an episode is written."""

from contextlib import suppress
from pathlib import Path
import shutil
import subprocess
import sys
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
)
import pytest

from trimodal_ros.record.episode import (
    EpisodeError,
)
from trimodal_ros.record.recover import recover
from trimodal_ros.record.writer import EpisodeWriter


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
            'from test_full_disks import write_on\n'
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
