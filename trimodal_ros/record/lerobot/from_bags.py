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

"""Episodes to a LeRobotDataset v3.0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from .dataset_writer import DatasetWriter, Images
from .frames import EpisodeFrames, stamps_of
from .schema import DatasetError
from .settings import Encoding
from ..episode import EpisodeInfo, find_episodes, of_other_robot, read_info
from ...observe.freshness import Freshness
from ...observe.observer import Joined
from ...progress import progress_bar
from ...spec import RobotSpec
from ...spec.topics import LABEL_TOPIC


@dataclass(frozen=True)
class Exported:
    """
    What became of one episode.

    ``gap_s`` is the longest time between two frames, ``drift_s`` how far frame_index / fps is
    from the true time, ``dropped`` has the number of moments that came to nothing by
    reason; ``fault`` is why it was left out, or where it was cut short.
    """

    path: Path
    frames: int = 0
    gap_s: float = 0.0
    drift_s: float = 0.0
    dropped: Mapping[str, int] = field(default_factory=dict)
    fault: str = ''


def export_episodes(roots: Sequence[Path], out: Path, robot: RobotSpec, fps: int | None = None,
                    label_topic: str = LABEL_TOPIC, encoding: Encoding | None = None,
                    dtype: str = 'float64', freshness: Freshness | None = None) -> list[Exported]:
    """
    Write every episode below ``roots`` to a new dataset and return what became of each.

    Images keep the size they were recorded in. An episode that is damaged is exported as far as
    it can be read, and marked; one without a single frame is left out. Raises DatasetError when
    ``out`` exists or nothing can be exported; then, and when interrupted, nothing is left there.
    """
    paths = find_episodes(*roots)
    writer = DatasetWriter(out, robot, frame_rate(robot, fps), encoding or Encoding(), dtype)
    try:
        bar = progress_bar(paths, desc='export', unit='ep')
        done = [_export_episode(writer, EpisodeFrames(
            path, robot, writer.fps, label_topic, freshness)) for path in bar]
        if not writer.episodes:
            raise DatasetError(f'no episode could be exported; {done[0].fault}')
        writer.close()
    except BaseException:
        writer.discard()
        raise
    return done


def frame_rate(robot: RobotSpec, fps: int | None) -> int:
    """Return the frames a second of a dataset: by default the robot's rate. A whole number."""
    rate_hz = robot.rate_hz if fps is None else fps
    if rate_hz != round(rate_hz) or rate_hz < 1:
        raise DatasetError(f'{rate_hz} fps: LeRobot takes a whole number from 1; give --fps')
    return round(rate_hz)


def _export_episode(writer: DatasetWriter, episode: EpisodeFrames) -> Exported:
    path = episode.path
    try:
        info, fault = read_info(path), ''
        for joined, images in episode.frames():
            _add(writer, joined, images, info)
    except ValueError as error:      # of the episode, or a message in it that can't be read
        fault = str(error) if str(path) in str(error) else f'{path}: {error}'
    if not writer.episode_frames:
        reasons = ', '.join(episode.dropped) or 'no camera image'
        if not fault and (other := of_other_robot(info, episode.robot)):
            reasons += f'; {other}'
        return Exported(path, dropped=episode.dropped,
                        fault=fault or f'{path}: nothing can be observed: {reasons}')
    frames = writer.episode_frames
    writer.end_episode(episode.actions()[:frames], _marked(info, fault))
    return Exported(path, frames, episode.longest_gap_s(), episode.drift_s(), episode.dropped,
                    fault)


def _add(writer: DatasetWriter, joined: Joined, images: Images, info: EpisodeInfo) -> None:
    intervention = any(start <= joined.received_ns <= end for start, end in info.interventions)
    writer.add_frame(images, joined.position_J, stamps_of(joined), joined.instruction,
                     intervention)


def _marked(info: EpisodeInfo, fault: str) -> EpisodeInfo:
    """Return the info of an episode that was cut short with that among its findings."""
    if not fault:
        return info
    findings = [*info.health.get('findings', []), f'cut short when exported: {fault}']
    return replace(info, health={**info.health, 'verdict': 'bad', 'findings': findings})
