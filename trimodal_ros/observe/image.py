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
An image as the policy sees it: RGB uint8 in the size of the camera's spec.

A message is a sensor_msgs/Image, or a CompressedImage (JPEG or PNG) as recorders write it.
"""

from __future__ import annotations

import io

import cv2
import numpy as np
import PIL.Image

from ..spec import CameraSpec

BAYER_TO_RGB = {
    'bayer_rggb8': cv2.COLOR_BayerRGGB2RGB, 'bayer_bggr8': cv2.COLOR_BayerBGGR2RGB,
    'bayer_gbrg8': cv2.COLOR_BayerGBRG2RGB, 'bayer_grbg8': cv2.COLOR_BayerGRBG2RGB,
}
BYTES_PER_PIXEL = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1,
                   **dict.fromkeys(BAYER_TO_RGB, 1)}
MAX_PIXELS = 4096 * 4096   # more can't be taken over and shrunk within any age budget
MAX_BYTES = 4 * MAX_PIXELS   # of a message, raw or compressed, with padding
COMPARED_BYTES = 1024      # at first, of two images


class ImageError(ValueError):
    """An image message that cannot be shown to the policy."""


def decode_image(message, camera: CameraSpec) -> np.ndarray:
    """
    Return RGB uint8 [H, W, 3] in the camera's size, area-averaged when it is smaller.

    It is what the camera's crop leaves, turned as the camera is. Raises ImageError, naming the
    camera, for an unknown encoding, an empty or huge image, a ``step`` or data length that does
    not fit the size, or a crop that is not inside the image.
    """
    image = _turned(_cropped(to_rgb(message, camera.name), camera), camera)
    if image.shape[:2] == (camera.height, camera.width):
        return np.ascontiguousarray(image)
    smaller = camera.width <= image.shape[1] and camera.height <= image.shape[0]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(image, (camera.width, camera.height), interpolation=how)


def _cropped(image: np.ndarray, camera: CameraSpec) -> np.ndarray:
    if camera.crop_px is None:
        return image
    x, y, width, height = camera.crop_px
    if x + width > image.shape[1] or y + height > image.shape[0]:
        raise ImageError(f'camera {camera.name!r}: got an image of {image.shape[1]}x'
                         f'{image.shape[0]} px, crop_px {list(camera.crop_px)} needs at least '
                         f'{x + width}x{y + height}')
    return image[y:y + height, x:x + width]


def _turned(image: np.ndarray, camera: CameraSpec) -> np.ndarray:
    quarters = camera.rotation_deg // 90   # np.rot90 turns the other way
    return np.ascontiguousarray(np.rot90(image, -quarters)) if quarters else image


def same_pixels(first, second) -> bool:
    """Tell whether the data of two images are the same; most that differ do so here and there."""
    first, second = (np.frombuffer(data, dtype=np.uint8) for data in (first, second))
    if len(first) != len(second):
        return False
    here_and_there = slice(None, None, 1 + len(first) // COMPARED_BYTES)
    return all((first[part] == second[part]).all() for part in (here_and_there, slice(None)))


def to_rgb(message, name: str) -> np.ndarray:
    """Return a message's pixels as RGB uint8 [H, W, 3] in the size they were sent in."""
    if is_compressed(message):
        return _decompress(message, name)
    rows = _unpad(message, name)
    try:
        return _convert(message, rows)
    except Exception as error:  # noqa: B902 - cv_bridge's vary: KeyError, TypeError, cv2.error
        raise ImageError(f'camera {name!r}: {message.width}x{message.height} {message.encoding} '
                         f'cannot be converted to rgb8: {error!r}') from error


def is_compressed(message) -> bool:
    """Tell a sensor_msgs/CompressedImage from an Image."""
    return hasattr(message, 'format')


def _decompress(message, name: str) -> np.ndarray:
    check_layout(message, name)
    _check_header(message, name)
    try:
        image = cv2.imdecode(np.frombuffer(message.data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ImageError(f'camera {name!r}: {message.format!r}: {error}') from error
    if image is None:
        raise _undecodable(message, name)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _check_header(message, name: str) -> None:
    """Raise ImageError for too many pixels, which a few bytes can ask for, before any is made."""
    try:
        with PIL.Image.open(io.BytesIO(message.data)) as image:
            width, height = image.size
    except PIL.UnidentifiedImageError as error:
        raise _undecodable(message, name) from error
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning, OSError,
            ValueError, SyntaxError) as error:
        raise ImageError(f'camera {name!r}: {message.format!r}: {error}') from error
    _check_pixels(width, height, name)


def _undecodable(message, name: str) -> ImageError:
    return ImageError(f'camera {name!r}: {len(message.data)} bytes of {message.format!r} are '
                      'no image that can be decoded')


def _check_pixels(width: int, height: int, name: str) -> None:
    if not 0 < height * width <= MAX_PIXELS:
        raise ImageError(f'camera {name!r}: {width}x{height} px is not 1 to {MAX_PIXELS} pixels')


def check_layout(message, name: str) -> None:
    """
    Raise ImageError, naming the camera, where encoding, size, step and data don't fit.

    A compressed image shows what is wrong with it only when it is decoded, but for an empty one.
    """
    if len(message.data) > MAX_BYTES:
        raise ImageError(f'camera {name!r}: {len(message.data)} bytes, at most {MAX_BYTES} are '
                         'taken')
    if is_compressed(message):
        if len(message.data) == 0:
            raise ImageError(f'camera {name!r}: a compressed image without data')
        return
    height, width, step = message.height, message.width, message.step
    if message.encoding not in BYTES_PER_PIXEL:
        raise ImageError(f'camera {name!r}: encoding {message.encoding!r} is not one of '
                         f'{", ".join(BYTES_PER_PIXEL)}')
    _check_pixels(width, height, name)
    row_bytes = width * BYTES_PER_PIXEL[message.encoding]
    if step < row_bytes or len(message.data) != step * height:
        raise ImageError(f'camera {name!r}: {len(message.data)} bytes with step {step} do not '
                         f'hold {width}x{height} {message.encoding}')


def _unpad(message, name: str) -> np.ndarray:
    """Check the layout and drop padding: cv_bridge from PyPI ignores ``step``."""
    check_layout(message, name)
    rows = np.frombuffer(message.data, dtype=np.uint8).reshape(message.height, message.step)
    row_bytes = message.width * BYTES_PER_PIXEL[message.encoding]
    return np.ascontiguousarray(rows[:, :row_bytes])


def _convert(message, rows: np.ndarray) -> np.ndarray:
    if message.encoding == 'rgb8':
        return rows.reshape(message.height, message.width, 3)
    if message.encoding in BAYER_TO_RGB:  # cv_bridge from PyPI lacks one of them
        return cv2.cvtColor(rows, BAYER_TO_RGB[message.encoding])
    from cv_bridge import CvBridge  # needs sensor_msgs, so only where rgb8 does not do
    unpadded = type('Unpadded', (), {
        'encoding': message.encoding, 'height': message.height, 'width': message.width,
        'is_bigendian': False, 'step': rows.shape[1], 'data': rows.reshape(-1)})
    return np.ascontiguousarray(CvBridge().imgmsg_to_cv2(unpadded, 'rgb8'))
