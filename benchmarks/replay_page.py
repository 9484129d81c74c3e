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
How large the page of an hour of recording is, whatever it was recorded in.

    python -m benchmarks.replay page

The result is made up, its frames are noise, which JPEG can't make small: real ones are smaller.
"""

from __future__ import annotations

from dataclasses import replace
import itertools
from pathlib import Path
import tempfile
import time

import numpy as np

from trimodal_ros.evaluate.replay.example import make_example
from trimodal_ros.evaluate.replay.frames import data_uri
from trimodal_ros.evaluate.replay.page import write_replay_page
from trimodal_ros.evaluate.replay.result import Result
from trimodal_ros.evaluate.replay.stretches import CAMERAS, wanted_frames
from trimodal_ros.paths import shipped
from trimodal_ros.spec import RobotSpec

REPLAN_S = 0.6             # between decisions of the made-up result
HOUR = round(3600 / REPLAN_S)
HEIGHT, WIDTH = 480, 640   # px of a frame
SHIPPED = shipped().robot


def page(robot: Path = SHIPPED, joints: int = 25, cameras: int = CAMERAS,
         recordings: tuple[int, ...] = (1, 60, 240, 1000)) -> None:
    """
    Print the size of the page of an hour in one recording and in many.

    :param robot: YAML of a robot.
    :param joints: Joints of another robot, with as many more of the first one's.
    :param cameras: Cameras of both.
    :param recordings: In how many recordings the hour lies.
    """
    small = RobotSpec.from_yaml(robot)
    large = replace(small, joints=tuple(
        replace(small.joints[n % len(small.joints)], name=f'joint_{n}') for n in range(joints)))
    print('| recordings | joints | page, MB | written in, s |\n|---:|---:|---:|---:|')
    for each in (small, large):
        for count in recordings:
            result = of_all_kinds(make_example(each, count, HOUR // count - 1))
            size, took_s = page_size(result, cameras)
            print(f'| {count} | {len(each.joints)} | {size / 1e6:.1f} | {took_s:.1f} |')


def of_all_kinds(result: Result) -> Result:
    """Return a result whose worst moments are so by several measures: more of them are shown."""
    kinds = itertools.cycle(('action_error', 'boundary_jump', 'refused'))
    return replace(result, worst=tuple(
        replace(moment, measure=kind) for moment, kind in zip(result.worst, kinds)))


def page_size(result: Result, cameras: int = CAMERAS) -> tuple[int, float]:
    """Return the bytes of a result's page with frames of noise, and seconds to write it."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    pictures = {wanted: {f'camera_{n}': data_uri(np.roll(noise, n), wanted.width)
                         for n in range(cameras)} for wanted in wanted_frames(result)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'page.html'
        begin = time.monotonic()
        write_replay_page(path, result, pictures)
        return path.stat().st_size, time.monotonic() - begin

