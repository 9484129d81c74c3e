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

"""How much memory replay takes for a small and a large recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import multiprocessing
from pathlib import Path
import resource
import shutil
import tempfile
import time

import numpy as np

from benchmarks.replay_bags import write_long
from benchmarks.replay_speed import EVERY_IMAGE_S, make_recordings, SHIPPED
from trimodal_ros.evaluate.replay.assemble import put_together
from trimodal_ros.evaluate.replay.offline import Job, judge_recordings
from trimodal_ros.evaluate.replay.station import Settings
from trimodal_ros.record.messages import BAG_TYPES, serialize, TYPESTORE
from trimodal_ros.record.reader import Recorded
from trimodal_ros.record.sample import IMAGE

SOURCE_S = 6
NOISES = 16


@dataclass(frozen=True)
class Use:
    """What it took to judge a recording."""

    gigabytes: float
    decisions: int
    duration_s: float
    took_s: float
    peak_mb: float


def memory(out: Path, gigabytes: float = 4.0, width: int = 640, height: int = 480,
           checkpoint: Path = SHIPPED) -> None:
    """
    Print the most memory that judging a recording takes, of one and of an eighth of its size.

    Images are noise, of two cameras at 10 Hz, and each is decided on by one process. The
    recordings are deleted at the end.

    :param out: Folder on a disk with as much room; what is written is deleted.
    :param gigabytes: Size of the larger recording.
    :param width: Width of the images in pixels; small ones make for more decisions.
    :param height: Height of the images in pixels.
    :param checkpoint: Checkpoint folder, for the simulated robot.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        [short] = make_recordings(Path(folder) / 'source', checkpoint, 1, SOURCE_S)
        print('| recording, GB | s | decisions | judged in, s | peak memory, MB |')
        print('|---:|---:|---:|---:|---:|')
        for size in (gigabytes / 8, gigabytes):
            path = write_long(short, Path(folder) / 'long', _until(size), _noisy(width, height))
            use = in_a_process(_judge, path, checkpoint)
            print(f'| {use.gigabytes:.2f} | {use.duration_s:.0f} | {use.decisions} | '
                  f'{use.took_s:.0f} | {use.peak_mb:.0f} |', flush=True)
            shutil.rmtree(path)


def _until(gigabytes: float) -> Callable[[int, int], bool]:
    return lambda gone_s, size: size < gigabytes * 1e9


def _noisy(width: int, height: int) -> Callable[[Recorded, bytes], bytes]:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (NOISES, height, 3 * width), np.uint8)
    count = iter(range(10**9))

    def change(recorded: Recorded, data: bytes) -> bytes:
        if recorded.topic.type_name != IMAGE:
            return data
        stamp = TYPESTORE.deserialize_cdr(data, IMAGE).header
        rows = np.roll(pixels[next(count) % NOISES], next(count) % height, axis=0)
        return serialize(BAG_TYPES.Image(
            header=stamp, height=height, width=width, encoding='rgb8', is_bigendian=0,
            step=3 * width, data=BAG_TYPES.octets(rows.tobytes())))
    return change


def in_a_process(function, *arguments):
    """Call a function in a process of its own: the peak of its memory is its alone."""
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        return pool.apply(function, arguments)


def _judge(path: Path, checkpoint: Path) -> Use:
    job = Job((checkpoint,), Settings(EVERY_IMAGE_S))
    began_s = time.monotonic()
    [outcome] = judge_recordings([path], job, workers=1)
    result = put_together([outcome], job.robot(), ['of the checkpoint'], {}, 'offline')
    if result.faults:
        raise ValueError(result.faults[0].fault)
    size = sum(file.stat().st_size for file in path.iterdir())
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Use(size / 1e9, result.decisions, result.duration_s, time.monotonic() - began_s,
               peak_mb)
