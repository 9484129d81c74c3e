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

"""Recordings killed, or whose power is cut, at random moments: what is lost."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
import fcntl
import os
from pathlib import Path
import random
import signal
import struct
import subprocess
import sys
import time

import tyro

from benchmarks.recorder_rate import scratch
from benchmarks.recorder_source import RECEIPT
from trimodal_ros.progress import progress_bar
from trimodal_ros.record.reader import read_messages
from trimodal_ros.record.recover import recover
from trimodal_ros.spec import NS_PER_S

PROMISED_S = 1.0
MOMENTS_S = (1.0, 4.0)              # after the first message
EXT4_IOC_SHUTDOWN, NOLOGFLUSH = 0x8004587D, struct.pack('I', 2)
IMAGE_BYTES = 2**30


@dataclass(frozen=True)
class Lost:
    """
    What a recording lost: messages, and how old the oldest was at the end, in s.

    It is readable, unless it ended before anything was written to the disk.
    """

    messages: int
    written: int
    oldest_s: float
    is_readable: bool


def kill(disk: tyro.conf.Positional[Path], runs: int = 100, seed: int = 0, width: int = 640,
         height: int = 480) -> None:
    """
    Kill a recording (SIGKILL) at random moments, recover it, and print what it lost.

    Two cameras at 30 Hz and joints at 500 Hz. Each recovered episode is read to its end.

    :param disk: Folder on the disk to write to; a scratch folder in it is used.
    :param runs: How many recordings.
    :param seed: Of the moments.
    :param width: Of the images, in pixels.
    :param height: Of the images, in pixels.
    """
    rng, lost = random.Random(seed), []
    for _ in progress_bar(range(runs), desc='kill -9'):
        with scratch(disk) as folder, recording(folder, folder, width, height) as process:
            end_ns = after(process, folder, rng)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            lost.append(what_was_lost(folder, folder, end_ns))
    report('kill -9', lost)


def power(disk: tyro.conf.Positional[Path], runs: int = 20, seed: int = 0, width: int = 640,
          height: int = 480) -> None:
    """
    Cut the power of a disk at random moments, recover what is on it, and print what was lost.

    The disk is an ext4 in a file, mounted (as root) and shut down without its journal flushed:
    what the kernel had not written to it is gone, as when the plug is pulled. A drive that keeps
    in its own cache what it says it has written loses that too, which is not seen here.

    :param disk: Folder on the disk to write to; a scratch folder in it is used.
    :param runs: How many recordings.
    :param seed: Of the moments.
    :param width: Of the images, in pixels.
    :param height: Of the images, in pixels.
    """
    rng, lost = random.Random(seed), []
    for _ in progress_bar(range(runs), desc='power cut'):
        with scratch(disk) as folder:
            image, drive = make_drive(folder / 'image'), folder / 'drive'
            with mounted(image, drive), recording(
                    drive, folder, width, height) as process:
                end_ns = after(process, folder, rng)
                descriptor = os.open(drive, os.O_RDONLY)
                fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, NOLOGFLUSH)
                os.close(descriptor)
            with mounted(image, drive):
                lost.append(what_was_lost(drive, folder, end_ns))
    report('power cut', lost)


def make_drive(image: Path) -> Path:
    with image.open('wb') as file:
        file.truncate(IMAGE_BYTES)
    subprocess.run(['mkfs.ext4', '-q', str(image)], check=True)
    return image


@contextmanager
def mounted(image: Path, drive: Path):
    drive.mkdir(exist_ok=True)
    subprocess.run(['mount', '-o', 'loop', str(image), str(drive)], check=True)
    try:
        yield
    finally:
        subprocess.run(['umount', str(drive)], check=True)


@contextmanager
def recording(drive: Path, folder: Path, width: int, height: int):
    """Run a process that records to a drive; its log is in another folder."""
    process = subprocess.Popen(
        [sys.executable, '-m', 'benchmarks.recorder_source', str(drive / 'episode'),
         str(folder / 'log'), str(width), str(height)], stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def after(process: subprocess.Popen, folder: Path, rng: random.Random) -> int:
    """Wait for the first message and then for a random moment; return the time, in ns."""
    log = folder / 'log'
    while not log.exists() or not log.stat().st_size:
        if process.poll() is not None:
            raise SystemExit(f'error: nothing is recorded: {process.stderr.read().decode()}')
        time.sleep(0.01)
    time.sleep(rng.uniform(*MOMENTS_S))
    return time.time_ns()


def what_was_lost(drive: Path, folder: Path, end_ns: int) -> Lost:
    """Recover a recording, read it to its end, and compare it with the log."""
    log = (folder / 'log').read_bytes()
    log = log[:len(log) // RECEIPT.size * RECEIPT.size]
    received = [each for [each] in RECEIPT.iter_unpack(log) if each <= end_ns]
    [recovery] = recover(drive, show_progress=False)
    if recovery.result == 'failed':
        raise SystemExit(f'error: {recovery}')
    kept = [] if recovery.episode is None else [
        received_ns for _, received_ns, _ in read_messages(recovery.episode)]
    if kept[:len(received)] != received[:len(kept)]:
        raise SystemExit('error: what was recovered is not the beginning of what was written')
    lost = received[len(kept):]
    return Lost(len(lost), len(received), (end_ns - lost[0]) / NS_PER_S if lost else 0.0,
                recovery.episode is not None)


def report(what: str, lost: list[Lost]) -> None:
    """Print how old the oldest lost message was at its recording's end, over all of them."""
    ages = sorted(each.oldest_s for each in lost)
    print('| at random moments | readable after recover | oldest message lost: median, worst | '
          f'older than {PROMISED_S:g} s lost | messages lost |\n|---|---|---|---|---|')
    print(f'| {len(lost)} x {what} | {sum(each.is_readable for each in lost)} of {len(lost)} | '
          f'{ages[len(ages) // 2]:.2f} s, {ages[-1]:.2f} s | '
          f'in {sum(age > PROMISED_S for age in ages)} | '
          f'{sum(each.messages for each in lost)} of {sum(each.written for each in lost)} |')
