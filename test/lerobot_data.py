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

"""Small episodes and LeRobot datasets, with other programs' means where they are read back."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
import json
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trimodal_ros.command.message import to_message
from trimodal_ros.record.episode import EpisodeInfo
from trimodal_ros.record.messages import BAG_TYPES, serialize
from trimodal_ros.record.moments import Replay
from trimodal_ros.record.qos import LATCHED
from trimodal_ros.record.sensor_messages import image_message, joint_state_message
from trimodal_ros.record.writer import EpisodeWriter
from trimodal_ros.spec import NS_PER_S, RobotSpec, Trajectory

ROBOT = replace(RobotSpec.make_example(), cameras=(
    *RobotSpec.make_example().cameras,
    replace(RobotSpec.make_example().cameras[0], name='side', topic='side/image_raw')))
ONE_CAMERA = RobotSpec.make_example()
LOOKS_THE_SAME_DB = 34   # once it was in a video, or two
SIZE = (96, 64)   # width, height: not that of the robot's spec
SENTENCE = 'put the red cube on the plate'
LATE_NS = 4_000_000   # after the stamp: of the side camera's image


def picture(seed: int, step: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return a soft pattern that moves: what a codec is made for."""
    rng = np.random.default_rng(seed)
    pattern = cv2.GaussianBlur(rng.uniform(0, 255, (size[1], size[0], 3)), (0, 0), 6)
    pattern = np.clip(128 + 4 * (pattern - pattern.mean()), 0, 255)
    return np.roll(pattern, 2 * step, axis=1).astype(np.uint8)


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio of two images, in dB."""
    error = np.square(first.astype(float) - second).mean()
    return float('inf') if error == 0 else 10 * np.log10(255**2 / error)


def jittered_stamps(count: int, seed: int, step_ns: int = ROBOT.step_ns) -> list[int]:
    """Return stamps about a step apart, as of a camera that is not quite regular."""
    jitter = np.random.default_rng(seed).integers(-step_ns // 10, step_ns // 10, count)
    return [1_700_000_000 * NS_PER_S + k * step_ns + int(jitter[k]) for k in range(count)]


def states(seed: int, count: int) -> np.ndarray:
    """Return what write_episode says was measured: [N, J] in rad."""
    return np.random.default_rng([seed, 1]).uniform(0.1, 0.9, (count, len(ROBOT.joints)))


def write_episode(path: Path, stamps: list[int], seed: int = 0, sentence: str = SENTENCE,
                  info: EpisodeInfo | None = None, size: tuple[int, int] = SIZE,
                  broken: int = -1) -> EpisodeInfo:
    """
    Write an episode of ROBOT, commanded at every frame by a chunk that the next replaces.

    The side camera's image of frame ``broken`` is in colours that don't exist.
    """
    info = info or EpisodeInfo(sentence, ROBOT.content_hash, 'teleoperation', 'success')
    writer = EpisodeWriter(path, info)
    for camera in ROBOT.cameras:
        writer.add_topic(camera.topic, 'sensor_msgs/msg/Image')
    writer.add_topic('joint_states', 'sensor_msgs/msg/JointState')
    writer.add_topic('instruction', 'std_msgs/msg/String', [LATCHED])
    writer.add_topic('joint_trajectory', 'trajectory_msgs/msg/JointTrajectory')
    writer.write('instruction', stamps[0] - LATE_NS, serialize(BAG_TYPES.String(data=sentence)))
    rng, state_NJ = np.random.default_rng(seed), states(seed, len(stamps))
    for step, stamp in enumerate(stamps):
        target_TJ = rng.uniform(0.1, 0.9, (4, 3))
        messages = [('joint_states', stamp - 1000, joint_state_message(
            ROBOT.joint_names, state_NJ[step], [], stamp - 1000, BAG_TYPES))]
        for late_ns, camera in zip((0, LATE_NS), ROBOT.cameras):
            image = picture(seed + late_ns, step, size)
            message = image_message(image, stamp + late_ns, camera.name, BAG_TYPES)
            if late_ns and step == broken:
                message.encoding = 'octarine8'
            messages.append((camera.topic, stamp + late_ns, message))
        chunk = Trajectory(ROBOT, stamp, (1 + np.arange(4)) / ROBOT.rate_hz, target_TJ)
        messages.append(('joint_trajectory', stamp + 2 * LATE_NS, to_message(chunk, BAG_TYPES)))
        for topic, received, message in messages:
            writer.write(topic, received, serialize(message))
    writer.close(info)
    return info


def read_parquet(root: Path, pattern: str) -> dict[str, list]:
    """Return the rows of parquet files, one after another, by column."""
    return pa.concat_tables(pq.read_table(path) for path in sorted(root.glob(pattern))).to_pydict()


def decode(path: Path) -> list[np.ndarray]:
    """Return all frames of a video."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]


def write_version_2(root: Path, state_NJ: np.ndarray, action_NJ: np.ndarray, names,
                    tasks: list[str], fps: int = 10, episodes: int = 2) -> None:
    """Write a LeRobot dataset v2.1 as LeRobot 0.2 lays it out; the same frames an episode."""
    count, key = len(state_NJ), 'observation.images.front'
    joints = {'dtype': 'float32', 'shape': [state_NJ.shape[1]], 'names': names}
    info = {'codebase_version': 'v2.1', 'fps': fps, 'chunks_size': 1000,
            'data_path': 'data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet',
            'video_path': 'videos/chunk-{episode_chunk:03d}/{video_key}/'
                          'episode_{episode_index:06d}.mp4',
            'features': {'observation.state': joints, 'action': joints,
                         key: {'dtype': 'video', 'shape': [SIZE[1], SIZE[0], 3], 'names': None},
                         **{name: {'dtype': 'int64', 'shape': [1], 'names': None}
                            for name in ('frame_index', 'episode_index', 'task_index')},
                         'timestamp': {'dtype': 'float32', 'shape': [1], 'names': None}}}
    (root / 'meta').mkdir(parents=True)
    (root / 'meta/info.json').write_text(json.dumps(info))
    told = list(dict.fromkeys(tasks))
    for name, rows in (
            ('tasks', [{'task_index': i, 'task': task} for i, task in enumerate(told)]),
            ('episodes', [{'episode_index': i, 'tasks': told, 'length': count}
                          for i in range(episodes)])):
        (root / f'meta/{name}.jsonl').write_text('\n'.join(map(json.dumps, rows)) + '\n')
    for episode in range(episodes):
        where = {'episode_chunk': 0, 'episode_index': episode}
        data, video = (root / info[kind].format(video_key=key, **where)
                       for kind in ('data_path', 'video_path'))
        data.parent.mkdir(parents=True, exist_ok=True)
        video.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({
            'observation.state': state_NJ.astype(np.float32).tolist(),
            'action': action_NJ.astype(np.float32).tolist(),
            'timestamp': np.arange(count, dtype=np.float32) / fps,
            'frame_index': np.arange(count), 'episode_index': np.full(count, episode),
            'task_index': [told.index(task) for task in tasks]}), data)
        _encode(video, [picture(episode, step) for step in range(count)], fps)


def _encode(path: Path, images: list[np.ndarray], fps: int) -> None:
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=fps, options={'crf': '10'})
        stream.width, stream.height, stream.pix_fmt = *SIZE, 'yuv420p'
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
        container.mux(stream.encode(None))


def observations(path: Path, robot: RobotSpec = ROBOT) -> list:
    joined = Replay(path, robot).joined(0.8 / robot.rate_hz, Counter())
    return [each.observation() for each in joined]
