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
A LeRobot dataset to episodes of this package.

Shapes: N frames, J joints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .bag_messages import FrameMessages, runs_of
from .dataset import Dataset, EpisodeEntry, open_dataset, VideoPlace
from .episode_numbers import NumberReader, Numbers
from .schema import DatasetError
from .settings import ImportSettings
from .video import read_frames
from ..episode import EpisodeError, EpisodeInfo
from ..lock import locked
from ..writer import EpisodeWriter, put_partial_away
from ...progress import progress_bar
from ...spec import NS_PER_S, RobotSpec


@dataclass(frozen=True)
class Imported:
    """What became of one episode of the dataset: its bags, and what is missing in them."""

    index: int
    paths: tuple[Path, ...] = ()
    frames: int = 0
    findings: tuple[str, ...] = ()
    fault: str = ''


class Importer:
    """One dataset for one robot. Raises DatasetError where they don't fit."""

    def __init__(self, root: Path, robot: RobotSpec, settings: ImportSettings | None = None):
        self.settings = settings or ImportSettings()
        self.robot, self.dataset = robot, open_dataset(Path(root))
        self.camera_keys = find_cameras(self.dataset, robot, self.settings.cameras)
        self._reader = NumberReader(self.dataset, robot, self.settings, list(self.camera_keys))

    @property
    def unused(self) -> list[str]:
        """Video features that no camera of the robot takes."""
        return [key for key in self.dataset.video_keys if key not in self.camera_keys.values()]

    def run(self, out: Path) -> list[Imported]:
        """
        Write every episode to ``out`` and return what became of each.

        Episodes already there are kept, so that an interrupted run goes on. What can't be read is
        left out and told. Raises DatasetError when nothing can be imported.
        """
        out.mkdir(parents=True, exist_ok=True)
        with locked(out, wait=False):
            bar = progress_bar(self.dataset.episodes, desc='import', unit='ep')
            done = [self._import_episode(out, entry) for entry in bar]
        if not any(each.paths for each in done):
            raise DatasetError(f'no episode could be imported; {done[0].fault}' if done else
                               f'{self.dataset.root} has no episode')
        return done

    def _import_episode(self, out: Path, entry: EpisodeEntry) -> Imported:
        try:
            numbers = self._reader.read(entry)
            info = EpisodeInfo.from_json(entry.info) if entry.info else EpisodeInfo(
                '', '', self.settings.source)
        except (DatasetError, EpisodeError) as error:
            return Imported(entry.index, fault=str(error))
        spans = list(runs_of(numbers.sentences)) if self.settings.split else [
            (0, len(numbers.state_NJ))]
        paths, findings = [], []
        for part, span in enumerate(spans):
            suffix = f'_{part:02d}' if self.settings.split else ''
            path = out / f'episode_{entry.index:06d}{suffix}'
            if not path.exists():
                put_partial_away(path)
                findings += self._write(path, entry, numbers, span, info)
            paths.append(path)
        return Imported(entry.index, tuple(paths), len(numbers.state_NJ),
                        tuple(dict.fromkeys(findings)))

    def _write(self, path: Path, entry: EpisodeEntry, numbers: Numbers, span: tuple[int, int],
               info: EpisodeInfo) -> list[str]:
        """Write frames ``span`` to an episode and return what is missing in it."""
        first, end = span
        info = replace(info, instruction=numbers.sentences[first], robot=self.robot.content_hash,
                       interventions=numbers.interventions(first, end))
        videos = [_Video(camera, entry.videos[key], numbers.time_s_N[first:end], self.dataset.fps)
                  for camera, key in self.camera_keys.items()]
        writer = EpisodeWriter(path, info)
        try:
            cameras = [self.robot.camera(video.camera) for video in videos if not video.fault]
            messages = FrameMessages(writer, self.robot, cameras, self.settings.images,
                                     round(NS_PER_S / self.dataset.fps))
            for frame in range(first, end):
                images = {video.camera: next(video.images) for video in videos}
                messages.write(numbers, frame, {name: image for name, image in images.items()
                                                if image is not None})
            findings = [f'camera {video.camera!r}: {video.fault}' for video in videos
                        if video.fault]
            writer.close(_with_findings(info, findings))
        except BaseException:
            writer.discard()
            raise
        return findings


class _Video:
    """The images of one camera, None from where they are missing on; ``fault`` says why."""

    def __init__(self, camera: str, place: VideoPlace, time_s_N: np.ndarray, fps: float):
        self.camera = camera
        self.fault = '' if place.path.is_file() else f'no video {place.path}'
        self.images = self._read(place.path, place.from_s + time_s_N, fps)

    def _read(self, path: Path, time_s_N: Sequence[float], fps: float) -> Iterator:
        try:
            if not self.fault:
                yield from read_frames(path, time_s_N, fps)
        except DatasetError as error:
            self.fault = str(error)
        while True:
            yield None


def _with_findings(info: EpisodeInfo, findings: list[str]) -> EpisodeInfo:
    if not findings:
        return info
    return replace(info, health={**info.health, 'verdict': 'bad', 'findings': [
        *info.health.get('findings', []), *findings]})


def find_cameras(dataset: Dataset, robot: RobotSpec, given: Mapping[str, str]) -> dict[str, str]:
    """Return the video feature of each camera. Raises DatasetError, with the names of both."""
    keys = {}
    for camera in robot.cameras:
        wanted = given.get(camera.name)
        found = [key for key in dataset.video_keys
                 if key == wanted or (wanted is None and camera.name in key.split('.'))]
        if len(found) != 1:
            raise DatasetError(
                f'{dataset.root}: {"no" if not found else "more than one"} video for camera '
                f'{camera.name!r}; the dataset has {dataset.video_keys}, {robot.name} has '
                f'{[each.name for each in robot.cameras]}; give --cameras CAMERA VIDEO')
        keys[camera.name] = found[0]
    return keys
