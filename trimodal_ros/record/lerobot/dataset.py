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
A LeRobot dataset of version 2.0, 2.1 or 3.0 as it lies on disk: what it says, episode by episode.

Version 2 has a parquet file and videos an episode, version 3 shares files among episodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .schema import (
    DatasetError,
    EPISODE_COLUMN,
    FILES_PER_CHUNK,
    INFO_PATH,
    TASKS_PATH,
    VERSION,
)

VERSIONS = ('v2.0', 'v2.1', VERSION)


@dataclass(frozen=True)
class VideoPlace:
    """A video file and the time in it, in s, at which the episode begins."""

    path: Path
    from_s: float = 0.0


@dataclass(frozen=True)
class EpisodeEntry:
    """Where an episode lies; ``info`` is what this package exported about it, if it did."""

    index: int
    data: Path
    videos: Mapping[str, VideoPlace]
    info: str = ''


@dataclass(frozen=True)
class Dataset:
    """What info.json says, the sentences by number and the episodes in order."""

    root: Path
    version: str
    fps: float
    features: Mapping[str, dict]
    tasks: Mapping[int, str]
    episodes: list[EpisodeEntry]
    video_keys: list[str] = field(default_factory=list)


def open_dataset(root: Path) -> Dataset:
    """Read the metadata of a dataset. Raises DatasetError, naming the file."""
    info = _read_info(root)
    version, features = info['codebase_version'], info['features']
    if version not in VERSIONS:
        raise DatasetError(f'{root / INFO_PATH}: codebase_version {version!r}, can be read: '
                           f'{", ".join(VERSIONS)}')
    keys = [key for key, feature in features.items() if feature['dtype'] == 'video']
    read = _read_version_3 if version == VERSION else _read_version_2
    tasks, episodes = read(root, info, keys)
    return Dataset(root, version, float(info['fps']), features, tasks, episodes, keys)


def _read_info(root: Path) -> dict:
    path = root / INFO_PATH
    if not path.is_file():
        raise DatasetError(f'{root} is no LeRobot dataset: it has no {INFO_PATH}')
    try:
        info = json.loads(path.read_text())
        needed = [info[key] for key in ('codebase_version', 'fps', 'data_path', 'features')]
        for feature in needed[-1].values():
            feature['dtype'], tuple(feature['shape'])
        fps = float(info['fps'])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f'{path}: damaged: {error!r}') from error
    if not fps > 0:
        raise DatasetError(f'{path}: fps {fps}, expected above 0')
    return info


def _read_version_3(root: Path, info: dict, keys: list[str]) -> tuple[dict, list[EpisodeEntry]]:
    table = read_table(root / TASKS_PATH)
    name = next(name for name in table.column_names if name != 'task_index')
    tasks = dict(zip(table['task_index'].to_pylist(), table[name].to_pylist()))
    files = sorted(root.glob('meta/episodes/*/*.parquet'))
    if not files:
        raise DatasetError(f'{root}: no meta/episodes/*/*.parquet')
    rows = [row for file in files for row in _episode_rows(file)]
    return tasks, [_entry_3(root, info, keys, row) for row in rows]


def _episode_rows(file: Path) -> list[dict]:
    """Return the rows without the statistics, which are most of the file."""
    names = [name for name in _parquet(lambda: pq.read_schema(file), file).names
             if not name.startswith('stats/')]
    return read_table(file, columns=names).to_pylist()


def _entry_3(root: Path, info: dict, keys: list[str], row: dict) -> EpisodeEntry:
    def place(prefix: str) -> dict:
        return {name: row[f'{prefix}/{name}'] for name in ('chunk_index', 'file_index')}
    try:
        videos = {key: VideoPlace(
            root / info['video_path'].format(video_key=key, **place(f'videos/{key}')),
            row[f'videos/{key}/from_timestamp']) for key in keys}
        return EpisodeEntry(int(row['episode_index']),
                            root / info['data_path'].format(**place('data')), videos,
                            row.get(EPISODE_COLUMN) or '')
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f'{root}: {INFO_PATH} and meta/episodes do not say where episode '
                           f'{row.get("episode_index")} lies: {error!r}') from error


def _read_version_2(root: Path, info: dict, keys: list[str]) -> tuple[dict, list[EpisodeEntry]]:
    tasks = {row['task_index']: row['task'] for row in _read_lines(root / 'meta/tasks.jsonl',
                                                                   ('task_index', 'task'))}
    rows = _read_lines(root / 'meta/episodes.jsonl', ('episode_index',))
    return tasks, [_entry_2(root, info, keys, row['episode_index']) for row in rows]


def _entry_2(root: Path, info: dict, keys: list[str], index: int) -> EpisodeEntry:
    try:
        where = {'episode_index': int(index),
                 'episode_chunk': int(index) // info.get('chunks_size', FILES_PER_CHUNK)}
        videos = {key: VideoPlace(root / info['video_path'].format(video_key=key, **where))
                  for key in keys}
        return EpisodeEntry(int(index), root / info['data_path'].format(**where), videos)
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f'{root / INFO_PATH} does not say where episode {index!r} lies: '
                           f'{error!r}') from error


def _read_lines(path: Path, keys: tuple[str, ...]) -> list[dict]:
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        for row in rows:
            for key in keys:
                row[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f'{path}: damaged or missing: {error!r}') from error
    return rows


def read_table(path: Path, **options) -> pa.Table:
    """Read a parquet file, with checksums where it has some. Raises DatasetError, naming it."""
    return _parquet(lambda: pq.read_table(path, page_checksum_verification=True, **options), path)


def _parquet(read, path: Path):
    try:
        return read()
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f'{path}: damaged or missing: {error}') from error


def read_episode(dataset: Dataset, entry: EpisodeEntry) -> dict[str, np.ndarray]:
    """
    Return the frames of an episode, each feature of numbers as an array [N, D].

    Raises DatasetError, naming the file, where it is damaged or frames are missing.
    """
    columns = [name for name, feature in dataset.features.items()
               if feature['dtype'] not in ('video', 'image', 'string', 'language')]
    present = _parquet(lambda: pq.read_schema(entry.data), entry.data).names
    table = read_table(entry.data, columns=[name for name in columns if name in present],
                       filters=[('episode_index', '==', entry.index)])
    if not table.num_rows:
        raise DatasetError(f'{entry.data}: no frame of episode {entry.index}')
    return {name: _array(table[name], entry.data) for name in table.column_names}


def _array(column: pa.ChunkedArray, path: Path) -> np.ndarray:
    values, rows = column.combine_chunks(), len(column)
    while pa.types.is_list(values.type) or pa.types.is_fixed_size_list(values.type):
        values = values.flatten()
    if column.null_count or values.null_count or len(values) % rows:
        raise DatasetError(f'{path}: damaged: frames without a value, or of another length')
    return values.to_numpy(zero_copy_only=False).reshape(rows, -1)
