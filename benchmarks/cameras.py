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

"""Cameras of the latency benchmark: frames on image topics, from a process of their own."""

from __future__ import annotations

from dataclasses import dataclass
import time

import cv2
import numpy as np

FRAMES = 6  # that are sent in turn; no two of them are alike


@dataclass(frozen=True)
class CameraRun:
    """
    How many cameras send frames of which size, in pixels, how often.

    Those that run freely have their frames spread evenly over a period; others are triggered
    together.
    """

    cameras: int
    width: int
    height: int
    hz: float = 30.0
    triggered: bool = False

    @property
    def period_ns(self) -> int:
        return round(1e9 / self.hz)


def camera_topic(index: int) -> str:
    return f'camera_{index}/image_raw'


def make_frames(run: CameraRun, camera: int, count: int = FRAMES) -> list[np.ndarray]:
    """Return RGB uint8 frames: a scene with soft edges, and the noise of a sensor over it."""
    rng = np.random.default_rng([camera, run.width])
    scene = cv2.resize(rng.integers(0, 256, (9, 16, 3), np.uint8), (run.width, run.height),
                       interpolation=cv2.INTER_CUBIC)
    return [scene ^ (rng.integers(0, 256, scene.shape, np.uint8) & 3) for _ in range(count)]


class Camera:
    """Messages that are ready but for their stamps."""

    def __init__(self, node, run: CameraRun, index: int):
        from sensor_msgs.msg import Image

        from trimodal_ros.nodes.ros import ROS_TYPES, SENSOR_QOS
        from trimodal_ros.record.sensor_messages import image_message
        self._header = ROS_TYPES.header
        self._publisher = node.create_publisher(Image, camera_topic(index), SENSOR_QOS)
        self._messages = [image_message(frame, 0, '', ROS_TYPES)
                          for frame in make_frames(run, index)]
        self.sent, self.newest_ns = 0, 0  # the stamp of the newest pixels
        self.is_silent = self.is_frozen = False
        self._shown = 0

    def publish(self, now_ns: int) -> None:
        """Send the next frame, or the same again while it is frozen."""
        if self.is_silent:
            return
        if not self.is_frozen:
            self._shown, self.newest_ns = (self._shown + 1) % len(self._messages), now_ns
        message = self._messages[self._shown]
        message.header = self._header(now_ns)
        self._publisher.publish(message)
        self.sent += 1

    def has_reader(self) -> bool:
        return self._publisher.get_subscription_count() > 0


def run_cameras(run: CameraRun, pipe) -> None:
    """
    Send frames, once they are subscribed to, until told to end.

    Answers on the pipe: 'silence', 'freeze' and 'restore' a camera with the stamp of its newest
    pixels; 'halt' and 'go on' with how many frames each has sent.
    """
    import rclpy
    from rclpy.signals import SignalHandlerOptions
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node('cameras')
    cameras = [Camera(node, run, index) for index in range(run.cameras)]
    try:
        _send_frames(run, pipe, cameras)
    except (KeyboardInterrupt, EOFError):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def _send_frames(run: CameraRun, pipe, cameras: list[Camera]) -> None:
    turns = [cameras] if run.triggered else [[camera] for camera in cameras]
    turn, is_halted, due_ns = 0, False, time.time_ns()
    while True:
        time.sleep(max(0.0, (due_ns - time.time_ns()) / 1e9))
        while pipe.poll():
            what, index = pipe.recv()
            if what == 'end':
                return
            is_halted = {'halt': True, 'go on': False}.get(what, is_halted)
            pipe.send(_obey(what, cameras, index))
        now_ns = time.time_ns()
        if not is_halted and all(camera.has_reader() for camera in cameras):
            for camera in turns[turn]:
                camera.publish(now_ns)
        turn = (turn + 1) % len(turns)
        due_ns = max(due_ns + run.period_ns // len(turns), now_ns - run.period_ns)  # no burst


def _obey(what: str, cameras: list[Camera], index: int):
    camera = cameras[index]
    if what in ('halt', 'go on'):
        return [camera.sent for camera in cameras]
    camera.is_silent, camera.is_frozen = what == 'silence', what == 'freeze'
    return camera.newest_ns
