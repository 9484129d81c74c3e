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

"""What the storage benchmarks record: two cameras and an arm."""

from __future__ import annotations

from pathlib import Path
import struct
import sys
import time

import numpy as np

from benchmarks.cameras import CameraRun, make_frames
from trimodal_ros.record.episode import EpisodeInfo
from trimodal_ros.record.messages import BAG_TYPES, serialize
from trimodal_ros.record.writer import EpisodeWriter
from trimodal_ros.spec import NS_PER_S

CAMERAS = CameraRun(cameras=2, width=640, height=480, hz=30.0)
JOINTS_HZ = 500.0
RECEIPT = struct.Struct('<Q')
INFO = EpisodeInfo('put it there', '', 'benchmark')


def image_messages(run: CameraRun) -> list[list[bytes]]:
    """Return some rgb8 images of each camera in CDR, with the noise of a sensor."""
    types = BAG_TYPES
    return [[serialize(types.Image(types.Header(types.Time(0, 0), 'camera'), run.height, run.width,
                                   'rgb8', 0, 3 * run.width, types.octets(frame.tobytes())))
             for frame in make_frames(run, camera)] for camera in range(run.cameras)]


def joint_message() -> bytes:
    types, names = BAG_TYPES, [f'joint_{n}' for n in range(6)]
    return serialize(types.JointState(types.Header(types.Time(0, 0), ''), names,
                                      *(types.floats(np.zeros(6)) for _ in range(3))))


def add_topics(writer: EpisodeWriter, run: CameraRun) -> None:
    for camera in range(run.cameras):
        writer.add_topic(f'camera_{camera}', 'sensor_msgs/msg/Image')
    writer.add_topic('joint_states', 'sensor_msgs/msg/JointState')


class Source:
    """Messages in the order in which they are due, each with its topic; all numbered."""

    def __init__(self, run: CameraRun = CAMERAS, joints_hz: float = JOINTS_HZ):
        self.images, self.joints = image_messages(run), joint_message()
        self._next = [(run.period_ns * camera // run.cameras, run.period_ns, camera)
                      for camera in range(run.cameras)]
        self._next.append((0, round(NS_PER_S / joints_hz), -1))
        self._count = 0

    def __iter__(self):
        """Yield (due in ns since the start, topic, data), for ever."""
        while True:
            due_ns, period_ns, camera = min(self._next)
            self._next[self._next.index((due_ns, period_ns, camera))] = (
                due_ns + period_ns, period_ns, camera)
            self._count += 1
            if camera < 0:
                yield due_ns, 'joint_states', self.joints
            else:
                frames = self.images[camera]
                yield due_ns, f'camera_{camera}', frames[self._count % len(frames)]


def record(path: Path, log: Path, width: int, height: int) -> None:
    """Record in real time until killed; the log has the time of receipt of each message."""
    run = CameraRun(2, width, height)
    source, writer = Source(run), EpisodeWriter(path, INFO)
    add_topics(writer, run)
    start_ns = time.time_ns()
    with log.open('wb', buffering=0) as receipts:
        for due_ns, topic, data in source:
            time.sleep(max(0.0, (start_ns + due_ns - time.time_ns()) / NS_PER_S))
            received_ns = time.time_ns()
            receipts.write(RECEIPT.pack(received_ns))
            writer.write(topic, received_ns, data)


if __name__ == '__main__':
    record(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
