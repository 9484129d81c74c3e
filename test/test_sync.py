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

"""How streams go together: what is dropped, why, and that it is told."""

import json
import os

import cv2
import numpy as np
import pytest

from trimodal_ros.observe.freshness import Freshness
from trimodal_ros.record.__main__ import main
from trimodal_ros.record.episode import EpisodeInfo
from trimodal_ros.record.messages import BAG_TYPES, message_class, serialize
from trimodal_ros.record.qos import LATCHED
from trimodal_ros.record.sensor_messages import image_message, joint_state_message
from trimodal_ros.record.sync import describe_sync, measure_sync
from trimodal_ros.record.writer import EpisodeWriter
from trimodal_ros.spec import NS_PER_S

START_NS, STEP_NS, SENTENCE = 1000 * NS_PER_S, 100_000_000, 'put it there'
FRAMES = 10
COMPRESSED = 'sensor_msgs/msg/CompressedImage'


class Bag:
    """Writes what a recorder would of a robot whose inputs are complete each 0.1 s."""

    def __init__(self, path, robot, jpeg=False):
        self.path, self.robot, self.jpeg = path, robot, jpeg
        self.writer = EpisodeWriter(path)
        for camera in robot.cameras:
            self.writer.add_topic(self.topic(camera), COMPRESSED if jpeg
                                  else 'sensor_msgs/msg/Image')
        self.writer.add_topic('joint_states', 'sensor_msgs/msg/JointState')
        self.writer.add_topic('instruction', 'std_msgs/msg/String', [LATCHED])
        self.say(START_NS, SENTENCE)

    def topic(self, camera) -> str:
        return camera.topic + ('/compressed' if self.jpeg else '')

    def say(self, time_ns, text):
        self.writer.write('instruction', time_ns, serialize(BAG_TYPES.String(data=text)))

    def joints(self, time_ns, late_ns=0, position=0.1):
        names = self.robot.joint_names
        self.writer.write('joint_states', time_ns, serialize(joint_state_message(
            names, np.full(len(names), position), [], time_ns - late_ns, BAG_TYPES)))

    def image(self, camera, time_ns, late_ns=0, pixels=None, picture=None, **changes):
        if picture is None:
            picture = np.random.default_rng(time_ns if pixels is None else pixels).integers(
                0, 256, (camera.height, camera.width, 3), np.uint8)
        message = image_message(picture, time_ns - late_ns, camera.name, BAG_TYPES)
        if self.jpeg:
            data = cv2.imencode('.jpg', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
            message = message_class(COMPRESSED)(
                header=message.header, format='rgb8; jpeg compressed bgr8', data=data.ravel())
        for name, value in changes.items():
            setattr(message, name, value)
        self.writer.write(self.topic(camera), time_ns, serialize(message))

    def frame(self, number, without=(), **of):
        """Write one complete set, but for what is left out or changed."""
        time_ns = START_NS + number * STEP_NS
        if 'joints' not in without:
            self.joints(time_ns, **of.get('joints', {}))
        for camera in self.robot.cameras:
            if camera.name not in without:
                self.image(camera, time_ns, **of.get(camera.name, {}))

    def close(self, **changes):
        return self.writer.close(EpisodeInfo(**{
            'instruction': SENTENCE, 'robot': self.robot.content_hash, 'source': 'policy',
            **changes}))


def bag_of(path, robot, frame=lambda number: {}, **options):
    bag = Bag(path, robot, **options)
    for number in range(FRAMES):
        bag.frame(number, **frame(number))
    return bag.close()


def smooth(camera):
    """Return a picture that JPEG keeps, with another ramp in each colour."""
    rows, columns = np.indices((camera.height, camera.width))
    return np.stack([rows, columns, 200 - rows], axis=-1).astype(np.uint8)


def test_a_good_episode_has_its_skew_and_age(so101, tmp_path):
    """Catches skew of the wrong sign, stream or unit."""
    late = {'joints': {'late_ns': 30_000_000}, 'wrist': {'late_ns': 20_000_000},
            'front': {'late_ns': 8_000_000}}
    found = measure_sync(bag_of(tmp_path / 'bag', so101, lambda number: late), so101)
    assert (found.moments, found.dropped, found.refused) == (FRAMES, {}, {})
    skews = {name: stream.skew_ms.max for name, stream in found.streams.items()}
    assert skews == {'front': 12.0, 'wrist': 0.0, 'joints': 10.0}
    assert found.streams['joints'].age_ms.p50 == 30.0


@pytest.mark.parametrize('frame, why, count', [
    (lambda n: {'without': ('joints',) if n >= 5 else ()}, 'joint_states: stale', 3),
    (lambda n: {'without': ('joints',) if n < 5 else ()}, 'joint_states: missing', 4),
    (lambda n: {'without': ('wrist',) if n < 5 else ()}, "camera 'wrist': missing", 5),
    (lambda n: {'wrist': {'late_ns': 300_000_000 * (n > 6)}}, "camera 'wrist': stale", 3),
    (lambda n: {'without': ('wrist',) if n == 4 else ()}, 'cameras: no image to go with it', 1),
    (lambda n: {'front': {'pixels': 0}}, "camera 'front' is frozen", 4),
    (lambda n: {'front': {'encoding': 'what'} if n == 4 else {}}, 'unreadable image', 1),
    (lambda n: {'front': {'late_ns': START_NS + n * STEP_NS} if n == 4 else {}},
     "camera 'front': stale", 1)])
def test_what_is_dropped_is_counted_by_its_reason(so101, tmp_path, frame, why, count):
    """Catches frames that vanish without a word, and the same one counted twice."""
    found = measure_sync(bag_of(tmp_path / 'bag', so101, frame), so101)
    assert found.dropped == {why: count}
    assert why in describe_sync(found)


def test_a_stream_may_have_an_age_of_its_own(so101, tmp_path):
    """Catches a slow stream that the fast ones' maximum leaves out, or one that counts for all."""
    def frame(number):
        return {'joints': {'late_ns': 400_000_000}}
    path = bag_of(tmp_path / 'bag', so101, frame)
    slow = Freshness(stream_max_age_s={'joints': 0.5})
    assert measure_sync(path, so101).moments == 0
    assert measure_sync(path, so101, slow).moments == FRAMES
    other = Freshness(stream_max_age_s={'front': 0.5})
    assert measure_sync(path, so101, other).moments == 0
    with pytest.raises(ValueError, match="'nose' is not an input.*front, wrist, joints"):
        measure_sync(path, so101, Freshness(stream_max_age_s={'nose': 1.0}))


def test_cameras_that_are_not_together_are_told_so(so101, tmp_path):
    """Catches images of two moments joined, and a camera that is behind counted as missing."""
    path = bag_of(tmp_path / 'bag', so101, lambda number: {'wrist': {'late_ns': 20_000_000}})
    found = measure_sync(path, so101, Freshness(camera_skew_s=0.01))
    assert found.dropped == {'cameras: skewed': FRAMES}
    behind = bag_of(tmp_path / 'behind', so101, lambda number: {'wrist': {'late_ns': 60_000_000}})
    found = measure_sync(behind, so101)  # each with the front image before: 40 ms
    assert (found.moments, sum(found.dropped.values())) == (FRAMES - 1, 1)


def test_what_the_robot_was_not_told_is_no_training(so101, tmp_path):
    """Catches frames of another sentence under this one's name."""
    from collections import Counter

    from trimodal_ros.record.moments import read_commanded, Sampling
    bag = Bag(tmp_path / 'bag', so101)
    for number in range(30):
        if number == 4:
            bag.say(START_NS + number * STEP_NS - 1, 'something else')
        if number == 6:
            bag.say(START_NS + number * STEP_NS - 1, '')
        if number == 7:
            bag.say(START_NS + number * STEP_NS - 1, SENTENCE)
        bag.frame(number)
    dropped = Counter()
    moments = list(read_commanded(bag.close(), so101, Sampling(), dropped))
    assert dropped == {'told something else': 2, 'told nothing': 1}
    assert len(moments) == 27  # it rests all the time: so it goes on


def test_compressed_images_are_read_where_there_are_no_others(so101, tmp_path):
    """Catches a recorder that saves room, whose episodes then have no camera."""
    from collections import Counter

    from trimodal_ros.record.moments import read_commanded, Sampling
    path = bag_of(tmp_path / 'bag', so101, lambda number: {'front': {'picture': smooth(
        so101.cameras[0])}} if number == 0 else {}, jpeg=True)
    assert measure_sync(path, so101).moments == FRAMES
    moment = next(read_commanded(path, so101, Sampling(), Counter()))
    camera = so101.cameras[0]
    error = moment.observation.images[camera.name].astype(int) - smooth(camera)
    assert np.abs(error).mean() < 3


def test_a_jpeg_that_is_none_is_dropped(so101, tmp_path):
    """Catches one bad frame that ends the reading of a whole episode."""
    from collections import Counter

    from trimodal_ros.record.moments import read_commanded, Sampling
    path = bag_of(tmp_path / 'bag', so101, lambda n: (
        {'front': {'data': np.arange(9, dtype=np.uint8)}} if n == 4 else {}), jpeg=True)
    dropped = Counter()
    assert len(list(read_commanded(path, so101, Sampling(), dropped))) == FRAMES - 1
    assert dropped == {'unreadable image': 1}


def test_a_bag_cut_short_is_measured_up_to_there(so101, tmp_path):
    """Catches the good part of a damaged episode that nobody is told of."""
    path = bag_of(tmp_path / 'bag', so101)
    storage, = path.glob('*.mcap')
    os.truncate(storage, storage.stat().st_size // 2)
    found = measure_sync(path, so101)
    assert 'bag' in found.fault and found.fault in describe_sync(found)


def test_command_line_writes_the_report_and_judges(so101, tmp_path, capsys):
    """Catches an exit code that lets unusable recordings through, and options not heeded."""
    bag_of(tmp_path / 'bags' / 'good', so101)
    bag_of(tmp_path / 'bags' / 'still', so101, lambda n: {'front': {'pixels': 0}})
    report = tmp_path / 'sync.json'
    with pytest.raises(SystemExit) as ended:
        main(['sync', str(tmp_path / 'bags'), '--json', str(report)])
    assert ended.value.code == 0
    good, still = json.loads(report.read_text())['episodes']
    assert (good['moments'], still['moments']) == (FRAMES, FRAMES - 4)
    assert 'is frozen' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(['sync', str(tmp_path / 'bags'), '--frozen-s', '0'])
    assert 'frozen' not in capsys.readouterr().out
    bag_of(tmp_path / 'bags' / 'blind', so101, lambda n: {'without': ('wrist',)})
    with pytest.raises(SystemExit) as ended:
        main(['sync', str(tmp_path / 'bags')])
    assert ended.value.code == 1
