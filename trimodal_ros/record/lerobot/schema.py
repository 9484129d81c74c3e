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
The files of a LeRobotDataset v3.0, as LeRobot 0.4 to 0.6 read them: names, features, info.json.

Several episodes share a parquet file and a video file; `meta/episodes` says where each lies.
"""

from __future__ import annotations

from collections.abc import Mapping
import json
from pathlib import Path

from ...spec import RobotSpec

VERSION = 'v3.0'
FILE = 'chunk-{chunk_index:03d}/file-{file_index:03d}'
DATA_PATH = f'data/{FILE}.parquet'
VIDEO_PATH = f'videos/{{video_key}}/{FILE}.mp4'
EPISODES_PATH = f'meta/episodes/{FILE}.parquet'
TASKS_PATH = 'meta/tasks.parquet'
INFO_PATH = 'meta/info.json'
STATS_PATH = 'meta/stats.json'
FILES_PER_CHUNK, DATA_FILE_MB, VIDEO_FILE_MB = 1000, 100, 200   # LeRobot's own
STATE, ACTION, IMAGES = 'observation.state', 'action', 'observation.images.'
# Ours. Not under `observation.` or `action`: LeRobot would make them inputs of a policy.
STAMPS, INTERVENTION = 'stamp_ns', 'intervention'
EPISODE_COLUMN = 'trimodal_ros'   # of meta/episodes: the EpisodeInfo as JSON
INDICES = ('frame_index', 'episode_index', 'index', 'task_index')


class DatasetError(ValueError):
    """A folder that is no readable LeRobot dataset, or does not fit the robot."""


def video_key(camera: str) -> str:
    """Return LeRobot's name of a camera's images."""
    return IMAGES + camera


def stamp_names(robot: RobotSpec) -> list[str]:
    """Return whose header stamps a frame carries: the observation's, each camera's, joints'."""
    return ['observation', *(camera.name for camera in robot.cameras), 'joints']


def make_features(robot: RobotSpec, videos: Mapping[str, dict], dtype: str) -> dict[str, dict]:
    """Return the features of an export; ``videos`` has each camera's shape and encoding."""
    joints = {'dtype': dtype, 'shape': [len(robot.joints)], 'names': list(robot.joint_names),
              'info': {'units': [joint.unit for joint in robot.joints]}}
    one = {'shape': [1], 'names': None}
    names = stamp_names(robot)
    return {
        ACTION: joints, STATE: joints,
        **{video_key(camera): feature for camera, feature in videos.items()},
        STAMPS: {'dtype': 'int64', 'shape': [len(names)], 'names': names,
                 'info': {'unit': 'ns'}},
        INTERVENTION: {'dtype': 'bool', **one},
        'timestamp': {'dtype': 'float32', **one},
        **{name: {'dtype': 'int64', **one} for name in INDICES}}


def video_feature(width: int, height: int, fps: int, codec: str, pixel_format: str) -> dict:
    """Return the feature of a camera: what LeRobot would read from the encoded file."""
    return {'dtype': 'video', 'shape': [height, width, 3],
            'names': ['height', 'width', 'channels'],
            'info': {'video.height': height, 'video.width': width, 'video.codec': codec,
                     'video.pix_fmt': pixel_format, 'video.is_depth_map': False,
                     'video.fps': fps, 'video.channels': 3, 'has_audio': False}}


def make_info(robot: RobotSpec, fps: int, features: dict, episodes: int, frames: int,
              tasks: int) -> dict:
    """Return what info.json says."""
    return {
        'codebase_version': VERSION, 'robot_type': robot.name, 'fps': fps,
        'total_episodes': episodes, 'total_frames': frames, 'total_tasks': tasks,
        'chunks_size': FILES_PER_CHUNK, 'data_files_size_in_mb': DATA_FILE_MB,
        'video_files_size_in_mb': VIDEO_FILE_MB, 'splits': {'train': f'0:{episodes}'},
        'data_path': DATA_PATH, 'video_path': VIDEO_PATH, 'features': features}


def write_json(path: Path, data: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=4, ensure_ascii=False) + '\n')
