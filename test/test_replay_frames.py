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
"""Frames of recordings on the page of a replay: those of the moment, from bags as they are."""

import base64
from dataclasses import replace

from bags import small_chunks, START_NS, storage
import cv2
import numpy as np
import pytest

from trimodal_ros.evaluate.replay.example import make_example
from trimodal_ros.evaluate.replay.frames import frames_of, read_frames
from trimodal_ros.evaluate.replay.result import Episode
from trimodal_ros.evaluate.replay.stretches import of_moment, Wanted, wanted_frames
from trimodal_ros.record.compress import jpeg_message
from trimodal_ros.record.episode import EpisodeInfo, start_of
from trimodal_ros.record.messages import BAG_TYPES, serialize
from trimodal_ros.record.scan import scan
from trimodal_ros.record.writer import EpisodeWriter
from trimodal_ros.spec import CameraSpec, RobotSpec

CAMERAS = (CameraSpec('front', 'front/image_raw', 64, 48), CameraSpec('wrist', 'hand', 64, 48))
STEP_NS = 100_000_000
COUNT = 24
DELAY_NS = {'front': 60_000_000, 'wrist': 20_000_000}   # until an image is received
OFFSET_NS = {'front': 0, 'wrist': 30_000_000}           # of capture


def gray(n, width=64):
    return np.full((width * 3 // 4, width, 3), 10 * n, np.uint8)


def image(n, camera, stamp_ns, kind):
    if kind == 'raw':
        return serialize(BAG_TYPES.Image(
            header=BAG_TYPES.header(stamp_ns, camera), height=48, width=64, encoding='rgb8',
            is_bigendian=0, step=192, data=gray(n).reshape(-1)))
    return serialize(jpeg_message(gray(n), BAG_TYPES.header(stamp_ns, camera), 90))


def write_views(path, kind='raw'):
    """Write a bag of two cameras whose n-th image has the brightness 10 n, some in a chunk."""
    with small_chunks():
        info = EpisodeInfo('look', 'hash', 'policy')
        writer = EpisodeWriter(path, info, sync_s=1e6)
        suffix = '' if kind == 'raw' else '/compressed'
        type_name = 'sensor_msgs/msg/' + ('Image' if kind == 'raw' else 'CompressedImage')
        for camera in CAMERAS:
            writer.add_topic(camera.topic + suffix, type_name)
        messages = sorted((captured(n, camera.name) + DELAY_NS[camera.name], n, camera)
                          for n in range(COUNT) for camera in CAMERAS)
        for received_ns, n, camera in messages:
            writer.write(camera.topic + suffix, received_ns,
                         image(n, camera.name, captured(n, camera.name), kind))
        return writer.close(info)


def captured(n, camera='front'):
    return START_NS + n * STEP_NS + OFFSET_NS[camera]


def episode(path):
    return Episode(str(path), start_ns=start_of(path))


def wanted(path, n, width=64):
    return Wanted(str(path), captured(n), (captured(n) - start_of(path)) / 1e9, width)


def shown(uri):
    """Return the number of a picture in a page, and its size."""
    data = base64.b64decode(uri.removeprefix('data:image/jpeg;base64,'))
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return round(float(pixels.mean()) / 10), pixels.shape[:2]


@pytest.mark.parametrize('kind', ['raw', 'compressed'])
def test_frames_are_those_of_the_moment(tmp_path, kind):
    """Catches a frame of another moment or camera, and one left out at either end."""
    path = write_views(tmp_path / 'bag', kind)
    asked = [wanted(path, n) for n in (17, 0, 5, COUNT - 1)]
    found = dict(frames_of(episode(path), asked, CAMERAS))
    assert {each: {camera: shown(uri) for camera, uri in pictures.items()}
            for each, pictures in found.items()} == {
        each: dict.fromkeys(('front', 'wrist'), (n, (48, 64)))
        for each, n in zip(asked, (17, 0, 5, COUNT - 1))}


def test_frames_are_small_and_never_blown_up(tmp_path):
    """Catches a page with frames as large as a camera's."""
    path = write_views(tmp_path / 'bag')
    asked = [wanted(path, 3, 32), wanted(path, 3, 500)]
    found = dict(frames_of(episode(path), asked, CAMERAS[:1]))
    assert [shown(found[each]['front'])[1] for each in asked] == [(24, 32), (48, 64)]


def test_only_what_was_received_about_then_is_read(tmp_path, monkeypatch):
    """Catches a bag of 100 GB read again for a few frames."""
    path = write_views(tmp_path / 'bag')
    with scan(storage(path)) as whole:
        assert len(whole.pieces) > COUNT
    read, messages = [], type(whole).messages
    monkeypatch.setattr(type(whole), 'messages', lambda self, piece: (
        read.append(piece), messages(self, piece))[1])
    assert dict(frames_of(episode(path), [wanted(path, 2)], CAMERAS))[wanted(path, 2)]
    assert 0 < len(read) < COUNT


def test_a_damaged_bag_shows_what_can_be_read(tmp_path):
    """Catches pictures of a damaged recording lost, though the rest of it was judged."""
    path = write_views(tmp_path / 'bag')
    with scan(storage(path)) as whole:
        broken = whole.pieces[len(whole.pieces) // 2]
    data = bytearray(storage(path).read_bytes())
    data[broken.data_offset + 3000] ^= 0xff
    storage(path).write_bytes(data[:-200])
    found = dict(frames_of(episode(path), [wanted(path, n) for n in range(COUNT)], CAMERAS))
    numbers = [shown(pictures['front'])[0] for pictures in found.values() if 'front' in pictures]
    assert numbers[:5] == [0, 1, 2, 3, 4] and len(numbers) > COUNT - 8


def test_bags_that_are_gone_are_left_out(tmp_path):
    """Catches a page that is not written because one recording can't be read any more."""
    robot = replace(RobotSpec.make_example(), cameras=CAMERAS)
    path = write_views(tmp_path / 'bag')
    result = make_example(robot, episodes=2)
    first = replace(result.episodes[0], path=str(path), start_ns=start_of(path))
    moment = replace(result.worst[0], episode=str(path), stamp_ns=captured(4),
                     time_s=wanted(path, 4).time_s)
    changed = replace(result, episodes=(first, *result.episodes[1:]), worst=(moment,))
    pictures = read_frames(changed, robot)
    assert set(pictures) < set(wanted_frames(changed))
    assert {each.episode for each in pictures} == {str(path)}
    assert shown(pictures[of_moment(moment)]['wrist'])[0] == 4
