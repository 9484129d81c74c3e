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

"""What the policy sees of a camera that is cropped and turned; the oracle picks single pixels."""

import numpy as np
import pytest

from trimodal_ros.observe.image import BAYER_TO_RGB, BYTES_PER_PIXEL, decode_image, ImageError
from trimodal_ros.record.compress import jpeg_message
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.spec import CameraSpec

HEIGHT, WIDTH = 24, 36
X, Y, W, H = CROP = (4, 2, 24, 16)   # even, so that a Bayer filter stays what it is


def picture() -> np.ndarray:
    """Return an image whose pixels say where they are, in colours that go well together."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.uint8)
    return np.stack([rows * 10, columns * 7, rows + columns], axis=2)


def message_of(image: np.ndarray, encoding: str = 'rgb8', padding: int = 0):
    """Return an Image with rubbish after each row."""
    rows = image.reshape(len(image), -1)
    rows = np.concatenate([rows, np.full((len(rows), padding), 77, np.uint8)], axis=1)
    return BAG_TYPES.Image(
        header=BAG_TYPES.header(0), height=image.shape[0], width=image.shape[1],
        encoding=encoding, is_bigendian=0, step=rows.shape[1], data=rows.reshape(-1))


def camera(rotation_deg: int = 0, crop_px=CROP, size=None) -> CameraSpec:
    width, height = size or ((H, W) if rotation_deg % 180 else (W, H))
    return CameraSpec('front', 'image', width, height, crop_px, rotation_deg)


SOURCE = {   # of the pixel that is seen at a row and column, by how the camera is turned
    0: lambda row, column: (Y + row, X + column),
    90: lambda row, column: (Y + H - 1 - column, X + row),
    180: lambda row, column: (Y + H - 1 - row, X + W - 1 - column),
    270: lambda row, column: (Y + column, X + W - 1 - row)}


@pytest.mark.parametrize('rotation_deg', SOURCE)
@pytest.mark.parametrize('padding', [0, 5])
def test_each_pixel_comes_from_where_it_should(rotation_deg, padding):
    """Catches x for y, a turn the wrong way, mirrored, before the crop, or padding cropped."""
    image = picture()
    seen = decode_image(message_of(image, padding=padding), camera(rotation_deg))
    expected = np.array([[image[SOURCE[rotation_deg](row, column)]
                          for column in range(seen.shape[1])] for row in range(seen.shape[0])])
    assert np.array_equal(seen, expected)
    assert seen.flags['C_CONTIGUOUS']   # as torch and what compares bytes take for granted


@pytest.mark.parametrize('encoding', BYTES_PER_PIXEL)
def test_every_encoding_is_cropped_and_turned_alike(encoding):
    """Catches a crop in bytes, or of a Bayer mosaic, which shifts its colours."""
    image = np.tile(np.uint8([200, 120, 40]), (HEIGHT, WIDTH, 1))
    image[:Y] = image[Y + H:] = image[:, :X] = image[:, X + W:] = 0
    sent = {'mono8': image[..., :1]}.get(encoding)
    if encoding in BAYER_TO_RGB:
        pattern = encoding.removeprefix('bayer_').removesuffix('8')
        sent = np.empty((HEIGHT, WIDTH, 1), np.uint8)
        for index, letter in enumerate(pattern):
            row, column = divmod(index, 2)
            sent[row::2, column::2, 0] = image[row::2, column::2, 'rgb'.index(letter)]
    elif sent is None:
        opaque = np.concatenate([image, np.full((HEIGHT, WIDTH, 1), 255, np.uint8)], axis=2)
        sent = opaque[..., ['rgba'.index(letter) for letter in encoding.removesuffix('8')]]
    seen = decode_image(message_of(sent, encoding, 3), camera(90))
    inside = seen[2:-2, 2:-2].astype(int)   # at its rim a mosaic is blended with what is beside
    expected = [200] * 3 if encoding == 'mono8' else [200, 120, 40]
    assert seen.shape == (W, H, 3) and np.abs(inside - expected).max() <= 1


def test_it_is_scaled_after_the_crop():
    """Catches an image scaled first, in which the crop is somewhere else."""
    image = picture()
    crop = image[Y:Y + H, X:X + W].astype(float)
    halves = crop.reshape(H // 2, 2, W // 2, 2, 3).mean(axis=(1, 3))
    seen = decode_image(message_of(image), camera(size=(W // 2, H // 2)))
    assert np.abs(seen - halves).max() <= 0.5


def test_a_compressed_image_is_seen_alike():
    """Catches a crop that only raw images get."""
    message = jpeg_message(picture(), BAG_TYPES.header(0), 100)
    seen = decode_image(message, camera(270))
    expected = decode_image(message_of(picture()), camera(270))
    assert np.abs(seen.astype(int) - expected).mean() < 4   # what JPEG makes of it


@pytest.mark.parametrize('crop_px', [(0, 0, WIDTH + 1, 8), (WIDTH - 7, 0, 8, 8),
                                     (0, HEIGHT - 7, 8, 8), (500, 500, 8, 8)])
def test_a_crop_outside_the_image_is_refused(crop_px):
    """Catches numpy's silence about slices that reach too far: a smaller picture, or none."""
    x, y, width, height = crop_px
    with pytest.raises(ImageError, match=f"camera 'front': got an image of 36x24 px, crop_px .*"
                                         f'needs at least {x + width}x{y + height}'):
        decode_image(message_of(picture()), camera(crop_px=crop_px, size=(8, 8)))


def test_without_either_nothing_changes():
    """Catches a copy, or a turn, of images of every camera there was before."""
    image = picture()
    seen = decode_image(message_of(image), CameraSpec('front', 'image', WIDTH, HEIGHT))
    assert np.array_equal(seen, image)
