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

"""How fast episodes are written, beside a bare loop; and what writing costs at a usual rate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import os
from pathlib import Path
import shutil
import tempfile
import time

import tyro

from benchmarks.recorder_source import add_topics, CAMERAS, INFO, Source
from trimodal_ros.progress import progress_bar
from trimodal_ros.record.reader import check_pieces, open_bag
from trimodal_ros.record.writer import EpisodeWriter, SYNC_S
from trimodal_ros.spec import NS_PER_S

COMPRESSIONS = ('none', 'lz4', 'zstd')


@contextmanager
def scratch(disk: Path) -> Iterator[Path]:
    """Give a folder on a disk that is gone at the end."""
    disk.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix='recorder_', dir=disk))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@dataclass(frozen=True)
class Run:
    """Bytes of messages, seconds with the last sync, seconds of a core, the longest of a call."""

    size: int
    seconds: float
    core_s: float
    longest_s: float

    @property
    def mb_s(self) -> float:
        return self.size / 1e6 / self.seconds


def rate(disk: tyro.conf.Positional[Path], seconds: float = 10.0, rounds: int = 3) -> None:
    """
    Print the highest rate at which images are written, and that of a bare loop.

    The loop calls write(2) with the same bytes on the same disk and syncs as often. The two take
    turns. Each episode is read back, its checksums and its number of messages compared.

    :param disk: Folder on the disk to measure; a scratch folder in it is used.
    :param seconds: Of each measurement.
    :param rounds: How often the two are measured.
    """
    source, rows = Source(), []
    messages = [(f'camera_{camera}', data) for data_of in zip(*source.images)
                for camera, data in enumerate(data_of)]
    for _ in progress_bar(range(rounds), desc='rounds'):
        with scratch(disk) as folder:
            rows.append((bare_loop(folder / 'bare', messages, seconds),
                         flat_out(folder / 'episode', messages, seconds)))
    print('| bare loop, MB/s | EpisodeWriter, MB/s | share | longest write(), ms |\n'
          '|---|---|---|---|')
    for bare, ours in rows:
        print(f'| {bare.mb_s:.0f} | {ours.mb_s:.0f} | {100 * ours.mb_s / bare.mb_s:.0f} % | '
              f'{1e3 * ours.longest_s:.0f} |')


def bare_loop(path: Path, messages: list[tuple[str, bytes]], seconds: float) -> Run:
    """Write messages to a file as fast as the disk takes them."""
    with path.open('xb', buffering=0) as file:
        start_s = synced_s = time.monotonic()
        core_s, size, n = time.process_time(), 0, 0
        while (now_s := time.monotonic()) < start_s + seconds:
            size += file.write(messages[n % len(messages)][1])
            n += 1
            if now_s >= synced_s + SYNC_S:
                os.fdatasync(file.fileno())
                synced_s = now_s
        os.fsync(file.fileno())
    path.unlink()
    return Run(size, time.monotonic() - start_s, time.process_time() - core_s, 0.0)


def flat_out(path: Path, messages: list[tuple[str, bytes]], seconds: float) -> Run:
    """Write an episode as fast as its writer takes messages, and read it back."""
    writer = EpisodeWriter(path, INFO)
    add_topics(writer, CAMERAS)
    start_s, core_s, size, n, longest_s = time.monotonic(), time.process_time(), 0, 0, 0.0
    while (now_s := time.monotonic()) < start_s + seconds:
        topic, data = messages[n % len(messages)]
        writer.write(topic, time.time_ns(), data)
        longest_s = max(longest_s, time.monotonic() - now_s)
        size += len(data)
        n += 1
    writer.close(INFO)
    run = Run(size, time.monotonic() - start_s, time.process_time() - core_s, longest_s)
    check(path, n)
    return run


def check(path: Path, expected: int) -> None:
    """Raise where an episode is damaged, or has another number of messages."""
    with open_bag(path) as scans:
        check_pieces(scans, lambda size: None)
        found = sum(scan.statistics.message_count for scan in scans)
    if found != expected:
        raise SystemExit(f'error: {path}: {found} messages, {expected} were written')


def cost(disk: tyro.conf.Positional[Path], seconds: float = 20.0) -> None:
    """
    Print what it costs to write two 640x480 cameras at 30 Hz and joints at 500 Hz in real time.

    Of one core, for writing alone: where messages come from is not counted (see ``node``).

    :param disk: Folder on the disk to measure; a scratch folder in it is used.
    :param seconds: Of each measurement.
    """
    print('| compression | of a core | MB/s written | bytes on disk | longest write(), ms | '
          'oldest unsynced, s |\n|---|---|---|---|---|---|')
    for compression in COMPRESSIONS:
        with scratch(disk) as folder:
            print(in_real_time(folder / 'episode', compression, seconds), flush=True)


def in_real_time(path: Path, compression: str, seconds: float) -> str:
    """Record for some seconds and return a row."""
    source, writer = Source(), EpisodeWriter(path, INFO, compression)
    add_topics(writer, CAMERAS)
    size = count = 0
    longest_s = oldest_s = 0.0
    start_ns, core_s = time.time_ns(), time.process_time()
    for due_ns, topic, data in source:
        if due_ns > seconds * NS_PER_S:
            break
        time.sleep(max(0.0, (start_ns + due_ns - time.time_ns()) / NS_PER_S))
        before_s = time.monotonic()
        writer.write(topic, time.time_ns(), data)
        longest_s = max(longest_s, time.monotonic() - before_s)
        oldest_s = max(oldest_s, writer.unsynced_s)
        size, count = size + len(data), count + 1
    writer.close(INFO)
    core_s, took_s = time.process_time() - core_s, (time.time_ns() - start_ns) / NS_PER_S
    check(path, count)
    share = sum(file.stat().st_size for file in path.iterdir()) / size
    return (f'| {compression} | {100 * core_s / took_s:.1f} % | {size / 1e6 / took_s:.1f} | '
            f'{100 * share:.1f} % | {1e3 * longest_s:.0f} | {oldest_s:.2f} |')
