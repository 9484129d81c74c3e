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

"""Raw images to JPEG on the way to the disk, on threads of their own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
import threading

import cv2
import numpy as np

from .messages import message_class, serialize, TYPESTORE
from .sample import COMPRESSED_IMAGE, IMAGE, Sample
from ..observe.image import ImageError, to_rgb
from ..spec.camera import COMPRESSED_SUFFIX

FORMAT = 'rgb8; jpeg compressed bgr8'   # in the words of image_transport
PENDING = 8                             # images a worker may be behind


def to_jpeg(sample: Sample, quality: int) -> Sample:
    """
    Return a sensor_msgs/Image as a CompressedImage of the topic beside it.

    Header and times stay. Raises ImageError, naming the topic, for an image that can't be read.
    """
    image = TYPESTORE.deserialize_cdr(sample.data, IMAGE)
    message = jpeg_message(to_rgb(image, sample.topic), image.header, quality)
    return sample._replace(topic=sample.topic + COMPRESSED_SUFFIX, data=serialize(message))


def jpeg_message(image: np.ndarray, header, quality: int):
    """Return RGB uint8 [H, W, 3] as a CompressedImage; ``quality`` is from 0 to 100 (best)."""
    _, encoded = cv2.imencode('.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR),
                              [cv2.IMWRITE_JPEG_QUALITY, quality])
    return message_class(COMPRESSED_IMAGE)(
        header=header, format=FORMAT, data=np.asarray(encoded, np.uint8).reshape(-1))


class Compressor:
    """Worker threads; OpenCV lets go of the interpreter while it compresses."""

    def __init__(self, quality: int, workers: int):
        self._quality, self._most = quality, workers * PENDING
        self._pool = ThreadPoolExecutor(workers, 'jpeg')
        self._pending: set[Future] = set()
        self._lock = threading.Lock()

    def submit(self, sample: Sample, store: Callable[[Sample], None],
               fail: Callable[[str], None]) -> bool:
        """
        Have an image compressed and stored, or ``fail`` told why it can't be.

        Returns False, and leaves it out, when the workers are too far behind.
        """
        with self._lock:
            if len(self._pending) >= self._most:
                return False
            future = self._pool.submit(self._work, sample, store, fail)
            self._pending.add(future)
        future.add_done_callback(self._forget)
        return True

    def _work(self, sample: Sample, store, fail) -> None:
        try:
            store(to_jpeg(sample, self._quality))
        except (ImageError, ValueError) as error:
            fail(str(error))

    def _forget(self, future: Future) -> None:
        with self._lock:
            self._pending.discard(future)

    def settle(self) -> None:
        """Wait for those under way now."""
        with self._lock:
            pending = set(self._pending)
        wait(pending)

    def close(self) -> None:
        self._pool.shutdown()
