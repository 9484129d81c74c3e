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

"""The files that episodes share, filled up to a size, then the next one is begun; the tasks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .schema import (
    DATA_FILE_MB,
    DATA_PATH,
    DatasetError,
    FILES_PER_CHUNK,
    video_feature,
    VIDEO_FILE_MB,
    video_key,
    VIDEO_PATH,
)
from .statistics import PixelCounts
from .video import Encoding, VideoWriter


class Place:
    """Which file of which chunk is being written."""

    def __init__(self, prefix: str):
        self._prefix, self._number = prefix, 0

    def entries(self) -> dict[str, int]:
        """Return the columns of meta/episodes that lead to the file."""
        return {f'{self._prefix}/{name}': value for name, value in self.indices().items()}

    def indices(self) -> dict[str, int]:
        chunk, file = divmod(self._number, FILES_PER_CHUNK)
        return {'chunk_index': chunk, 'file_index': file}

    def advance(self) -> None:
        self._number += 1


class DataFiles:
    """The parquet files: one row group an episode."""

    def __init__(self, root: Path, schema: pa.Schema):
        self._root, self._schema, self._place = root, schema, Place('data')
        self._writer: pq.ParquetWriter | None = None

    def append(self, columns: dict[str, np.ndarray]) -> dict:
        """Write an episode's frames and return where they are."""
        path = self._root / DATA_PATH.format(**self._place.indices())
        if self._writer is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(path, self._schema, write_page_checksum=True)
        self._writer.write_table(pa.table(
            [_arrow(columns[field.name], field.type) for field in self._schema],
            schema=self._schema))
        entries = self._place.entries()
        if path.stat().st_size > DATA_FILE_MB * 2**20:
            self.close()
            self._place.advance()
        return entries

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None


def _arrow(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    if not pa.types.is_fixed_size_list(kind):
        return pa.array(values, kind)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1), kind.value_type),
                                             type=kind)


def arrow_schema(features: dict[str, dict]) -> pa.Schema:
    """Return the columns of the data files: a number, or a list of fixed length, each frame."""
    numbers = {name: feature for name, feature in features.items() if feature['dtype'] != 'video'}
    return pa.schema([(name, _arrow_type(feature)) for name, feature in numbers.items()])


def _arrow_type(feature: dict) -> pa.DataType:
    number = pa.bool_() if feature['dtype'] == 'bool' else pa.type_for_alias(feature['dtype'])
    return number if feature['names'] is None else pa.list_(number, feature['shape'][0])


class CameraFiles:
    """The videos of one camera, all of one size."""

    def __init__(self, root: Path, camera: str, size: tuple[int, int], fps: int,
                 encoding: Encoding):
        self._root, self._camera, self._fps, self._encoding = root, camera, fps, encoding
        self._height, self._width = size
        encoding.check_size(camera, self._width, self._height)
        self._place = Place(f'videos/{video_key(camera)}')
        self._writer: VideoWriter | None = None
        self._first = 0     # frame of the file the episode begins with
        self.pixels, self.episode_pixels = PixelCounts(), PixelCounts()

    @property
    def feature(self) -> dict:
        return video_feature(self._width, self._height, self._fps, self._encoding.codec,
                             self._encoding.pixel_format)

    def check(self, image: np.ndarray) -> None:
        """Raise DatasetError for an image of another size."""
        if image.shape[:2] != (self._height, self._width):
            raise DatasetError(f'camera {self._camera!r}: an image of {image.shape[1]}x'
                               f'{image.shape[0]} px, those before have {self._width}x'
                               f'{self._height}: a dataset has one size a camera')

    def add(self, image: np.ndarray) -> None:
        """Append a frame to the episode."""
        if self._writer is None:
            path = VIDEO_PATH.format(video_key=video_key(self._camera), **self._place.indices())
            self._writer = VideoWriter(self._root / path, self._width, self._height, self._fps,
                                       self._encoding)
            self._first = 0
        self._writer.add(image, first=self._writer.frames == self._first)
        self.episode_pixels.add(image)

    def end_episode(self) -> tuple[dict, dict]:
        """Return where the episode's frames are, and their statistics."""
        frames, statistics = self._writer.frames, self.episode_pixels.statistics()
        prefix = f'videos/{video_key(self._camera)}'
        entries = {**self._place.entries(), f'{prefix}/from_timestamp': self._first / self._fps,
                   f'{prefix}/to_timestamp': frames / self._fps}
        self.pixels.merge(self.episode_pixels)
        self.episode_pixels, self._first = PixelCounts(), frames
        if self._writer.bytes > VIDEO_FILE_MB * 2**20:
            self.close()
            self._place.advance()
        return entries, statistics

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None


def write_tasks(path: Path, tasks: list[str]) -> None:
    """Write the sentences as pandas does a table indexed by them: LeRobot reads it with pandas."""
    table = pa.table({'task_index': pa.array(range(len(tasks)), pa.int64()),
                      'task': pa.array(tasks, pa.string())})
    columns = [{'name': name, 'field_name': name, 'pandas_type': kind, 'numpy_type': dtype,
                'metadata': None}
               for name, kind, dtype in (('task_index', 'int64', 'int64'),
                                         ('task', 'unicode', 'object'))]
    pandas = {'index_columns': ['task'], 'column_indexes': [], 'columns': columns}
    pq.write_table(table.replace_schema_metadata({'pandas': json.dumps(pandas)}), path,
                   write_page_checksum=True)
