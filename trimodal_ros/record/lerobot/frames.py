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
An episode as a LeRobot dataset has it: one frame a step, joined as the live node joins.

Shapes: N frames, J joints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from .dataset_writer import Images
from .schema import DatasetError
from ..bag_metadata import message_counts
from ..episode import EpisodeError
from ..moments import Replay
from ..reader import read_messages
from ...command.message import from_message
from ...observe.freshness import Freshness
from ...observe.image import ImageError, to_rgb
from ...observe.observer import Joined, NotReady
from ...spec import NS_PER_S, RobotSpec

EARLY = 0.25            # of a step a frame may come before its turn: cameras jitter
SAME_STEP_S = 1e-6


class EpisodeFrames:
    """
    Reads one episode: ``frames`` yields its frames, then ``actions`` has what was commanded.

    The action of a frame is the position commanded one step after it; where the episode has
    messages on ``label_topic``, its frames are those of the labels, and the action is a label's
    first step: what should have been commanded. ``dropped`` counts the moments that come to
    nothing by reason, as in training.
    """

    def __init__(self, path: Path, robot: RobotSpec, fps: int, label_topic: str,
                 freshness: Freshness | None = None):
        self.path, self.robot, self.fps, self.label_topic = path, robot, fps, label_topic
        self._replay = Replay(path, replace(robot, rate_hz=float(fps), horizon=2), freshness)
        self._stamps: list[int] = []
        self._action_J: dict[int, np.ndarray] = {}   # by stamp
        self.dropped: Counter[str] = Counter()

    def frames(self) -> Iterator[tuple[Joined, Images]]:
        """
        Yield what was observed at each frame, with the images in the size they came in.

        Raises EpisodeError or DatasetError.
        """
        is_labelled = bool(self.label_topic) and message_counts(self.path).get(self.label_topic)
        for joined in self._labelled() if is_labelled else self._steps():
            try:
                images = {name: to_rgb(sample.message, name)
                          for name, sample in joined.samples.items()}
            except ImageError:
                self.dropped['unreadable image'] += 1
                continue
            self._stamps.append(joined.stamp_ns)
            yield joined, images

    def _steps(self) -> Iterator[Joined]:
        """Yield the first moment of each step, and ask what was commanded."""
        step_ns, first_ns, due_ns = self._replay.robot.step_ns, None, 0
        for joined in self._replay.joined(0.0, self.dropped):
            if joined.stamp_ns < due_ns:
                continue
            self._replay.chunks.ask(joined.stamp_ns)
            yield joined
            self._collect()
            first_ns = joined.stamp_ns if first_ns is None else first_ns
            steps = round((joined.stamp_ns - first_ns) / step_ns) + 1 - EARLY
            due_ns = first_ns + round(steps * step_ns)

    def _collect(self) -> None:
        self._action_J.update((stamp, chunk_TJ[0])
                              for stamp, chunk_TJ in self._replay.chunks.finished())

    def _labelled(self) -> Iterator[Joined]:
        """Yield the moment of each label."""
        self._replay.use_compressed(message_counts(self.path))
        for topic, time_ns, message in read_messages(
                self.path, [*self._replay.topics, self.label_topic]):
            if topic != self.label_topic:
                self._replay.feed(topic, time_ns, message)
                continue
            try:
                joined = self._replay.pilot.join()
            except NotReady as error:
                raise EpisodeError(f'{self.path}, {time_ns} ns: {error}') from error
            self._action_J[joined.stamp_ns] = self._first_step(message)
            yield joined

    def _first_step(self, message) -> np.ndarray:
        label = from_message(message, self._replay.robot)
        if abs(label.time_s_T[0] - 1 / self.fps) > SAME_STEP_S:
            raise DatasetError(
                f'{self.path}: a step on {self.label_topic!r} is {label.time_s_T[0]:.4f} s, one '
                f"at {self.fps} fps {1 / self.fps:.4f} s; give the labels' rate as --fps, or "
                "--label-topic '' to export what was commanded")
        return label.position_TJ[0]

    def actions(self) -> np.ndarray:
        """
        Return the action [N, J] in rad of every frame that was yielded.

        Where the recording ends before a frame's step, it is what was commanded last.
        """
        self._replay.chunks.end(self._replay.now_ns)
        self._collect()
        return np.stack([self._action_J[stamp] for stamp in self._stamps])

    def longest_gap_s(self) -> float:
        """Return the longest time between two frames, 0 for a single one."""
        return float(np.diff(self._stamps).max(initial=0)) / NS_PER_S

    def drift_s(self) -> float:
        """Return how far frame_index / fps is from the true time since the first frame."""
        true_s_N = (np.array(self._stamps) - self._stamps[0]) / NS_PER_S
        return float(np.abs(true_s_N - np.arange(len(true_s_N)) / self.fps).max())


def stamps_of(joined: Joined) -> list[int]:
    """Return the header stamps of all inputs in ns, in the order of ``stamp_names``."""
    cameras = [joined.samples[camera.name].stamp_ns for camera in joined.robot.cameras]
    return [joined.stamp_ns, *cameras, joined.joint_stamp_ns]
