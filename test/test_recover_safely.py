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

"""``record recover`` beside others, interrupted, and on disks that refuse."""

from pathlib import Path
import subprocess
import sys

from bags import (
    COUNT,
    fill,
    message,
    mounted,
    numbers,
    START_NS,
    STARTED,
    STEP_NS,
    storage,
    torn,
    tree,
    write_bag,
)
import pytest

from trimodal_ros.record import recover as module, room
from trimodal_ros.record.__main__ import main
from trimodal_ros.record.episode import find_episodes
from trimodal_ros.record.recover import recover, Recovery
from trimodal_ros.record.salvage import Salvage
from trimodal_ros.record.stage import STAGE
from trimodal_ros.record.writer import EpisodeWriter


def run(root: Path, thorough: bool = True) -> list[Recovery]:
    return recover(root, thorough, show_progress=False)


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
        monkeypatch.setattr(room, 'SPARE_BYTES', -10**9)  # another fills it meanwhile
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
