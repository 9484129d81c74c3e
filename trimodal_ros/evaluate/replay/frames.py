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
Camera frames at wanted moments of recordings, as JPEG data URIs for a page.

Only the pieces of a bag that were received about then are read, and of a damaged bag what can be:
a frame that isn't found is left out.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from operator import attrgetter
from pathlib import Path

import cv2
import numpy as np

from .result import Episode, Result
from .stretches import CAMERAS, Wanted, wanted_frames
from ...observe.image import to_rgb
from ...progress import progress_bar
from ...record.bag_metadata import storage_files
from ...record.episode import EpisodeError, read_metadata
from ...record.mcap_file import McapFile
from ...record.messages import TYPESTORE
from ...record.piece import DamageError
from ...record.sample import COMPRESSED_IMAGE, header_stamp_ns, IMAGE
from ...record.scan import scan
from ...record.topic import Topic
from ...spec import CameraSpec, NS_PER_S, RobotSpec
from ...spec.camera import COMPRESSED_SUFFIX

QUALITY = 72                  # of JPEG, 0 to 100
WITHIN_NS = NS_PER_S // 2     # a frame captured further from the moment is of another one
# When frames of a moment were received, from it on.
BEFORE_NS, AFTER_NS = NS_PER_S // 2, 2 * NS_PER_S
IMAGE_TYPES = (IMAGE, COMPRESSED_IMAGE)
Pictures = Mapping[Wanted, Mapping[str, str]]   # data URIs by camera


def read_frames(result: Result, robot: RobotSpec) -> Pictures:
    """Return the frames that a page of the result shows, of the first CAMERAS cameras."""
    wanted: dict[str, list[Wanted]] = {}
    for each in wanted_frames(result):
        wanted.setdefault(each.episode, []).append(each)
    episodes = {episode.path: episode for episode in result.episodes}
    pictures: dict[Wanted, Mapping[str, str]] = {}
    for path, asked in progress_bar(wanted.items(), desc='frames', unit='bag'):
        with suppress(EpisodeError, OSError):  # of which the result tells
            pictures.update(frames_of(episodes[path], asked, robot.cameras[:CAMERAS]))
    return pictures


def frames_of(episode: Episode, wanted: Iterable[Wanted],
              cameras: Iterable[CameraSpec]) -> Iterator[tuple[Wanted, dict[str, str]]]:
    """Yield the frames at moments of one episode. Raises EpisodeError or OSError."""
    path = Path(episode.path)
    topics = {topic: camera.name for camera in cameras
              for topic in (camera.topic, camera.topic + COMPRESSED_SUFFIX)}
    with ExitStack() as opened:
        files = [opened.enter_context(scan(file))
                 for file in storage_files(path, read_metadata(path))]
        for each in sorted(set(wanted), key=attrgetter('time_s')):
            received_ns = episode.start_ns + round(each.time_s * NS_PER_S)
            found = _nearest(files, topics, each.stamp_ns, received_ns)
            yield each, {name: uri for name, (message, type_name) in sorted(found.items())
                         if (uri := _data_uri(message, type_name, name, each.width))}


def _nearest(files: list[McapFile], topics: Mapping[str, str], stamp_ns: int,
             received_ns: int) -> dict[str, tuple[bytes, str]]:
    """Return the image captured nearest to a stamp, raw and with its type, by camera."""
    best: dict[str, tuple[int, bytes, str]] = {}
    behind = set(topics.values())   # cameras of which no image from the stamp on was seen
    for topic, data in _received_about(files, topics, received_ns):
        name, captured_ns = topics[topic.name], header_stamp_ns(data)
        distance_ns = abs(captured_ns - stamp_ns)
        if distance_ns <= WITHIN_NS and (name not in best or distance_ns < best[name][0]):
            best[name] = distance_ns, bytes(data), topic.type_name
        if captured_ns >= stamp_ns:
            behind.discard(name)
            if not behind:
                break
    return {name: (data, type_name) for name, (_, data, type_name) in best.items()}


def _received_about(files: list[McapFile], topics: Collection[str],
                    received_ns: int) -> Iterator[tuple[Topic, memoryview]]:
    """Yield images in the pieces of files that were received about then; damaged ones are not."""
    for file in files:
        about = [piece for piece in file.pieces if piece.last_ns >= received_ns - BEFORE_NS
                 and piece.first_ns <= received_ns + AFTER_NS]
        for piece in sorted(about, key=attrgetter('first_ns')):
            with suppress(DamageError):
                for message in file.messages(piece):
                    topic = file.topic(message.channel)
                    if topic.name in topics and topic.type_name in IMAGE_TYPES:
                        yield topic, message.data


def _data_uri(data: bytes, type_name: str, camera: str, width: int) -> str:
    """Return an image, shrunk to a width where it is larger, or '' for one that can't be read."""
    try:
        image = to_rgb(TYPESTORE.deserialize_cdr(data, type_name), camera)
    except Exception:  # noqa: B902 - ImageError, and whatever CDR raises
        return ''
    return data_uri(image, width)


def data_uri(image: np.ndarray, width: int) -> str:
    """Return RGB uint8 [H, W, 3] as a JPEG in a data URI, at most ``width`` pixels wide."""
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    if image.shape[1] > width:
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode('.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR),
                              [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return 'data:image/jpeg;base64,' + base64.b64encode(encoded).decode()


def shape_of(uri: str) -> float:
    """
    Return how many times as wide as high the image in a data URI is.

    >>> shape_of(data_uri(np.zeros((3, 6, 3), np.uint8), 6))
    2.0
    """
    encoded = np.frombuffer(base64.b64decode(uri.partition(',')[2]), np.uint8)
    height, width, _ = cv2.imdecode(encoded, cv2.IMREAD_COLOR).shape
    return width / height
