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

"""
How fast recordings become training data, and in how much memory.

    python -m benchmarks.cache --seconds 60 600

Writes a recording as of a real arm to disk: two raw cameras of 640x480 at 30 Hz, joints at
500 Hz, a trajectory each 0.1 s. A process of its own builds the training cache of it and reads the
bag's bytes alone, after the bag has been dropped from the page cache. The recording is deleted.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
import multiprocessing
import os
from pathlib import Path
import resource
import tempfile
import time

import numpy as np
import tyro

from trimodal_ros.command.message import to_message
from trimodal_ros.evaluate.page import write_json
from trimodal_ros.paths import shipped
from trimodal_ros.progress import progress_bar
from trimodal_ros.record.episode import EpisodeInfo
from trimodal_ros.record.messages import BAG_TYPES, serialize
from trimodal_ros.record.qos import LATCHED
from trimodal_ros.record.sensor_messages import image_message, joint_state_message
from trimodal_ros.record.writer import EpisodeWriter
from trimodal_ros.spec import NS_PER_S, RobotSpec, Trajectory
from trimodal_ros.spec.topics import LABEL_TOPIC
from trimodal_ros.train.cache import open_frames
from trimodal_ros.train.parts import CACHE_DIR

ROBOT = shipped().robot
WIDTH, HEIGHT, CAMERA_HZ = 640, 480, 30
JOINTS_HZ, COMMANDS_HZ = 500, 10
SENTENCE = 'put the red cube on the left plate'
START_NS = 1_000 * NS_PER_S
LATENCY_NS = 8_000_000   # of an image
PICTURES = 16            # different ones a camera
MIB = 1024


def main(seconds: tuple[float, ...] = (60.0, 600.0), episodes: int = 1, compress: bool = False,
         workers: int = 2, folder: Path | None = None, json_file: Path | None = None) -> None:
    """
    Print the speed beside real time, and the largest process.

    :param seconds: Lengths of the recordings, one measured after another.
    :param episodes: How many of each length; several are read in parallel.
    :param compress: Chunks compressed by zstd, as the simulator's.
    :param workers: Processes that read.
    :param folder: Where the recordings are written, about 55 MB a second; needs that much room.
    :param json_file: File that gets the figures.
    """
    rows = []
    for length_s in seconds:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            rows.append(measure(Path(place) / 'bags', length_s, episodes, compress, workers))
        print(describe(rows[-1]))
    if json_file is not None:
        write_json(json_file, {'compress': compress, 'workers': workers, 'rows': rows})


def measure(root: Path, length_s: float, episodes: int, compress: bool, workers: int) -> dict:
    """Write recordings, and measure what becomes of them in a process of its own."""
    robot = RobotSpec.from_yaml(ROBOT)
    for number in range(episodes):
        write_recording(root / f'episode_{number:04d}', robot, length_s, compress)
    size = forget_pages(root)
    bare_s = read_bytes(root)
    forget_pages(root)
    with ProcessPoolExecutor(1, multiprocessing.get_context('spawn')) as pool:
        figures = pool.submit(build, root, workers).result()
    total_s = length_s * episodes
    return {'seconds': length_s, 'episodes': episodes, 'bytes': size, 'bare_read_s': bare_s,
            **figures, 'times_real_time': total_s / figures['build_s']}


def write_recording(path: Path, robot: RobotSpec, length_s: float, compress: bool) -> None:
    """Write a policy run as a recorder would."""
    writer = EpisodeWriter(path, compression='zstd' if compress else 'none')
    for camera in robot.cameras:
        writer.add_topic(camera.topic, 'sensor_msgs/msg/Image')
    writer.add_topic('joint_states', 'sensor_msgs/msg/JointState')
    writer.add_topic('instruction', 'std_msgs/msg/String', [LATCHED])
    writer.add_topic('joint_trajectory', 'trajectory_msgs/msg/JointTrajectory')
    writer.write('instruction', START_NS, serialize(BAG_TYPES.String(data=SENTENCE)))
    pictures = make_pictures()
    for tick in progress_bar(range(round(length_s * JOINTS_HZ)), desc='write', unit='tick'):
        write_tick(writer, robot, tick, pictures)
    writer.close(EpisodeInfo(instruction=SENTENCE, robot=robot.content_hash, source='policy',
                             outcome='success'))


def write_tick(writer: EpisodeWriter, robot: RobotSpec, tick: int,
               pictures: list[np.ndarray]) -> None:
    """Write what came in one period of the joints."""
    now_ns = START_NS + tick * NS_PER_S // JOINTS_HZ
    position_J = at(robot, now_ns)
    writer.write('joint_states', now_ns, serialize(joint_state_message(
        robot.joint_names, position_J, np.zeros_like(position_J), now_ns, BAG_TYPES)))
    frame = tick * CAMERA_HZ // JOINTS_HZ
    if frame != (tick - 1) * CAMERA_HZ // JOINTS_HZ:
        for number, camera in enumerate(robot.cameras):
            picture = pictures[(frame + number) % PICTURES]
            writer.write(camera.topic, now_ns, serialize(image_message(
                picture, now_ns - LATENCY_NS, camera.name, BAG_TYPES)))
    if tick % (JOINTS_HZ // COMMANDS_HZ) == 0:
        writer.write('joint_trajectory', now_ns, serialize(to_message(
            planned(robot, now_ns), BAG_TYPES)))


def make_pictures() -> list[np.ndarray]:
    """Return smooth pictures with a sensor's noise."""
    rng = np.random.default_rng(0)
    smooth = (np.indices((HEIGHT, WIDTH)).sum(0) // 5 % 200)[..., None] + np.array([0, 20, 40])
    return [(smooth + rng.integers(0, 4, smooth.shape)).astype(np.uint8)
            for _ in range(PICTURES)]


def at(robot: RobotSpec, time_ns: int) -> np.ndarray:
    """Return where the arm is: a slow swing."""
    middle_J, half_J = (robot.upper_J + robot.lower_J) / 2, (robot.upper_J - robot.lower_J) / 2
    return middle_J + 0.3 * half_J * np.sin((time_ns - START_NS) / NS_PER_S)


def planned(robot: RobotSpec, now_ns: int) -> Trajectory:
    time_s_T = (1 + np.arange(robot.horizon)) / robot.rate_hz
    position_TJ = np.stack([at(robot, now_ns + round(time_s * NS_PER_S)) for time_s in time_s_T])
    return Trajectory(robot, now_ns, time_s_T, position_TJ)


def forget_pages(root: Path) -> int:
    """Drop files from the page cache; return their size."""
    size = 0
    for path in root.rglob('*.mcap'):
        with path.open('rb') as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        size += path.stat().st_size
    return size


def read_bytes(root: Path) -> float:
    """Return how long it takes to read the files and nothing else."""
    started = time.perf_counter()
    for path in root.rglob('*.mcap'):
        with path.open('rb', buffering=0) as file:
            while file.read(1 << 22):
                pass
    return time.perf_counter() - started


def build(root: Path, workers: int) -> dict:
    """Build the cache; the largest process is one of the readers, or this one."""
    started = time.perf_counter()
    frames = open_frames([root], RobotSpec.from_yaml(ROBOT), LABEL_TOPIC, workers)
    build_s = time.perf_counter() - started
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    largest_kib = max(each.ru_maxrss for each in used)
    size = sum(path.stat().st_size for path in (root / CACHE_DIR).rglob('*.npy'))
    return {'build_s': build_s, 'cpu_s': sum(each.ru_utime + each.ru_stime for each in used),
            'frames': len(frames.episode_N), 'largest_mib': largest_kib / MIB,
            'cache_bytes': size, 'dropped': dict(frames.dropped[0])}


def describe(row: dict) -> str:
    return (f'{row["episodes"]} of {row["seconds"]:g} s, {row["bytes"] / 1e9:.2f} GB: '
            f'{row["times_real_time"]:.1f} times real time ({row["build_s"]:.1f} s, of CPU '
            f'{row["cpu_s"]:.1f} s, the bare bytes {row["bare_read_s"]:.1f} s), largest '
            f'process {row["largest_mib"]:.0f} MiB, {row["frames"]} frames in '
            f'{row["cache_bytes"] / 1e6:.0f} MB; dropped {row["dropped"]}')


if __name__ == '__main__':
    tyro.cli(main)
