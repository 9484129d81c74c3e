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

"""Copying and decoding the images of a decision, with nothing round it: what can't be saved."""

from __future__ import annotations

import multiprocessing
import time

import numpy as np

from benchmarks.cameras import CameraRun, make_frames
from trimodal_ros.observe.image import decode_image
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.record.sensor_messages import image_message
from trimodal_ros.spec import CameraSpec

SEEN_PX = (128, 96)  # what the policy sees of each camera: width, height


def time_bare_loop(run: CameraRun, turns: int, period_s: float) -> list[float]:
    """
    Return how long, in ms, one image a camera takes to be copied and decoded, each turn.

    In a process of its own, at the rate of decisions: back to back the images would stay in the
    processor's cache, which those of a camera never are.
    """
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        return pool.apply(_time, [run, turns, period_s])


def _time(run: CameraRun, turns: int, period_s: float) -> list[float]:
    seen = CameraSpec('camera', 'image_raw', *SEEN_PX)
    messages = [[image_message(frame, 0, '', BAG_TYPES) for frame in make_frames(run, camera)]
                for camera in range(run.cameras)]
    times_ms = []
    for turn in range(turns):
        time.sleep(period_s)
        started = time.perf_counter()
        for frames in messages:
            _copy_and_decode(frames[turn % len(frames)], seen)
        times_ms.append(1e3 * (time.perf_counter() - started))
    return times_ms


def _copy_and_decode(message, seen: CameraSpec) -> np.ndarray:
    message.data = np.array(message.data)
    return decode_image(message, seen)
