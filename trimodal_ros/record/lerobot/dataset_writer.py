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

"""Writes a LeRobotDataset v3.0: frame after frame, episode after episode, whole at the end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .dataset_files import arrow_schema, CameraFiles, DataFiles, write_tasks
from .schema import (
    ACTION,
    DatasetError,
    EPISODE_COLUMN,
    EPISODES_PATH,
    INDICES,
    INFO_PATH,
    INTERVENTION,
    make_features,
    make_info,
    STAMPS,
    STATE,
    STATS_PATH,
    TASKS_PATH,
    video_key,
    write_json,
)
from .settings import Encoding
from .statistics import flatten, number_statistics
from ..durable import move
from ..episode import EpisodeInfo, PARTIAL_SUFFIX
from ...spec import RobotSpec

Images = Mapping[str, np.ndarray]   # camera -> RGB uint8 [H, W, 3]


class DatasetWriter:
    """
    Writes to ``out``; nothing is there until ``close``, but beside it under ``*.partial``.

    Frames are added with what was seen; what was commanded is given at the end of the episode.
    Remembers the numbers of all frames, for the statistics, and no image.
    """

    def __init__(self, out: Path, robot: RobotSpec, fps: int, encoding: Encoding,
                 dtype: str = 'float64'):
        self.out, self.robot, self.fps = Path(out), robot, fps
        self.encoding, self.dtype = encoding, dtype
        self._partial = self.out.with_name(self.out.name + PARTIAL_SUFFIX)
        for folder, reason in ((self.out, 'nothing is overwritten'),
                               (self._partial, 'it is left of an interrupted run; move it away')):
            if folder.exists():
                raise DatasetError(f'{folder} exists already; {reason}')
        self._partial.mkdir(parents=True)
        self._data = DataFiles(self._partial, arrow_schema(make_features(robot, {}, dtype)))
        self._videos: dict[str, CameraFiles] = {}
        self._rows: list[dict] = []          # of the episode under way
        self._numbers: dict[str, list] = {}  # of every episode, for the statistics
        self._episodes: list[dict] = []
        self._tasks: dict[str, int] = {}
        self.frames = 0                      # of the episodes that have ended

    @property
    def episode_frames(self) -> int:
        """Frames of the episode under way."""
        return len(self._rows)

    @property
    def episodes(self) -> int:
        return len(self._episodes)

    def add_frame(self, images: Images, state_J: np.ndarray, stamps_ns: list[int],
                  instruction: str, intervention: bool) -> None:
        """
        Append a frame: measured joints (rad) and the stamps of all inputs, by ``stamp_names``.

        Raises DatasetError for images of another size than the dataset's.
        """
        for camera, image in images.items():
            self._videos_of(camera, image).check(image)
        for camera, image in images.items():
            self._videos[camera].add(image)
        self._rows.append({
            STATE: state_J, STAMPS: stamps_ns, INTERVENTION: intervention,
            'task_index': self._tasks.setdefault(instruction, len(self._tasks))})

    def _videos_of(self, camera: str, image: np.ndarray) -> CameraFiles:
        if camera not in self._videos:
            self._videos[camera] = CameraFiles(
                self._partial, camera, image.shape[:2], self.fps, self.encoding)
        return self._videos[camera]

    def end_episode(self, action_NJ: np.ndarray, info: EpisodeInfo) -> None:
        """Finish the episode under way with what was commanded at each of its frames, in rad."""
        columns = self._columns(action_NJ)
        self._episodes.append(self._entry(columns, info))
        for name, values in columns.items():
            self._numbers.setdefault(name, []).append(values)
        self.frames += len(self._rows)
        self._rows = []

    def _columns(self, action_NJ: np.ndarray) -> dict[str, np.ndarray]:
        count = len(self._rows)
        index_N = np.arange(count)
        joints = {ACTION: action_NJ, STATE: [row[STATE] for row in self._rows]}
        return {
            **{name: np.asarray(values, self.dtype) for name, values in joints.items()},
            STAMPS: np.array([row[STAMPS] for row in self._rows], np.int64),
            INTERVENTION: np.array([row[INTERVENTION] for row in self._rows], bool),
            'timestamp': (index_N / self.fps).astype(np.float32),
            **dict(zip(INDICES, (
                index_N, np.full(count, self.episodes), self.frames + index_N,
                np.array([row['task_index'] for row in self._rows], np.int64))))}

    def _entry(self, columns: dict[str, np.ndarray], info: EpisodeInfo) -> dict:
        """Return the episode's row of meta/episodes."""
        told = list(self._tasks)
        statistics = {name: number_statistics(values) for name, values in columns.items()}
        entry = {
            'episode_index': self.episodes, 'length': len(self._rows),
            'tasks': [told[index] for index in dict.fromkeys(columns['task_index'].tolist())],
            'dataset_from_index': self.frames,
            'dataset_to_index': self.frames + len(self._rows), **self._data.append(columns)}
        for camera, videos in self._videos.items():
            place, statistics[video_key(camera)] = videos.end_episode()
            entry.update(place)
        return {**entry, 'outcome': info.outcome, 'source': info.source,
                EPISODE_COLUMN: info.to_json(), **flatten(statistics),
                'meta/episodes/chunk_index': 0, 'meta/episodes/file_index': 0}

    def _features(self) -> dict[str, dict]:
        return make_features(self.robot, {camera: videos.feature
                                          for camera, videos in self._videos.items()}, self.dtype)

    def close(self) -> Path:
        """Finish the dataset and return where it lies."""
        self._data.close()
        for videos in self._videos.values():
            videos.close()
        episodes = self._partial / EPISODES_PATH.format(chunk_index=0, file_index=0)
        episodes.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(self._episodes), episodes, write_page_checksum=True)
        write_tasks(self._partial / TASKS_PATH, list(self._tasks))
        statistics = {name: number_statistics(np.concatenate(parts))
                      for name, parts in self._numbers.items()}
        statistics.update((video_key(camera), videos.pixels.statistics())
                          for camera, videos in self._videos.items())
        write_json(self._partial / STATS_PATH, statistics)
        write_json(self._partial / INFO_PATH, make_info(
            self.robot, self.fps, self._features(), self.episodes, self.frames,
            len(self._tasks)))
        move(self._partial, self.out)
        return self.out

    def discard(self) -> None:
        """Remove what was written so far, after an error or an interrupt."""
        try:
            self._data.close()
            for videos in self._videos.values():
                videos.close()
        finally:
            shutil.rmtree(self._partial)

