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

"""Small versions of the storage benchmarks: they run, check what they wrote, print tables."""

import pytest

from benchmarks import recorder_kill, recorder_rate
from trimodal_ros.record.reader import read_raw


def test_writing_is_measured_beside_a_bare_loop(tmp_path, capsys):
    """Catches a loop that writes other bytes, a table without its figures, files left over."""
    recorder_rate.rate(tmp_path, seconds=0.1, rounds=1)
    [row] = capsys.readouterr().out.splitlines()[2:]
    bare, ours, share, _ = row.strip('| ').split(' | ')
    assert float(bare) > 0 and float(ours) > 0 and share.endswith(' %')
    assert list(tmp_path.iterdir()) == []


def test_the_cost_is_told_for_each_compression(tmp_path, capsys):
    """Catches a compression that is not measured."""
    recorder_rate.cost(tmp_path, seconds=0.2)
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.strip('| ').split(' | ')[0] for row in rows] == ['none', 'lz4', 'zstd']


def test_lost_messages_are_not_overlooked(tmp_path, monkeypatch):
    """Catches a benchmark that calls a rate sustained though messages are missing."""
    messages = [('camera_0', b'\0' * 100)]
    recorder_rate.flat_out(tmp_path / 'whole', messages, 0.01)
    count = sum(1 for _ in read_raw(tmp_path / 'whole'))
    recorder_rate.check(tmp_path / 'whole', count)
    with pytest.raises(SystemExit, match=f'{count} messages, {count + 1} were written'):
        recorder_rate.check(tmp_path / 'whole', count + 1)


def test_a_killed_recording_is_recovered_and_measured(tmp_path, monkeypatch, capsys):
    """Catches a benchmark whose writer never starts, or that compares with the wrong log."""
    monkeypatch.setattr(recorder_kill, 'MOMENTS_S', (0.1, 0.5))
    recorder_kill.kill(tmp_path, runs=1, width=32, height=24)
    [row] = capsys.readouterr().out.splitlines()[2:]
    cells = row.strip('| ').split(' | ')
    assert cells[0] == '1 x kill -9' and cells[-1].split(' of ')[1] != '0'
    assert list(tmp_path.iterdir()) == []
