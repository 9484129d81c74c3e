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

"""A camera's view of an episode as pictures: a film strip and an animation."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..observe.image import to_rgb
from ..record.reader import read_messages

STRIP_FRAMES = 8
ANIMATION_HZ = 10


def camera_frames(episode: Path, topic: str) -> tuple[list[int], list[np.ndarray]]:
    """Return the stamps (ns, of receipt) and RGB images of one topic."""
    times_ns, images = [], []
    for name, time_ns, message in read_messages(episode):
        if name == topic:
            times_ns.append(time_ns)
            images.append(to_rgb(message, topic))
    if not images:
        raise ValueError(f'{episode} has no image on {topic!r}')
    return times_ns, images


def write_strip(images: list[np.ndarray], path: Path, frames: int = STRIP_FRAMES) -> None:
    """Write evenly spaced frames in two rows, the first and the last among them."""
    chosen = np.linspace(0, len(images) - 1, frames).round().astype(int)
    rows = [np.concatenate([images[index] for index in row], axis=1)
            for row in chosen.reshape(2, -1)]
    _write(path, np.concatenate(rows, axis=0))


def write_animation(times_ns: list[int], images: list[np.ndarray], path: Path) -> None:
    """Write an animated WebP at about 10 frames a second, in the episode's own time."""
    wanted_ns = np.arange(times_ns[0], times_ns[-1] + 1, 10**9 // ANIMATION_HZ)
    chosen = np.searchsorted(times_ns, wanted_ns)
    animation = cv2.Animation()
    animation.frames = [cv2.cvtColor(images[index], cv2.COLOR_RGB2BGRA) for index in chosen]
    animation.durations = [1000 // ANIMATION_HZ] * (len(chosen) - 1) + [1500]
    if not cv2.imwriteanimation(str(path), animation, [cv2.IMWRITE_WEBP_QUALITY, 80]):
        raise OSError(f'cannot write {path}')


def _write(path: Path, image: np.ndarray) -> None:
    if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
        raise OSError(f'cannot write {path}')
