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

"""LeRobot datasets that others recorded: other units, names, images, and what is bad in them."""

import json
import os

from lerobot_data import (
    decode,
    LOOKS_THE_SAME_DB,
    observations,
    ONE_CAMERA,
    picture,
    psnr,
    ROBOT,
    write_version_2,
)
import numpy as np
import pytest

from trimodal_ros.record.episode import find_episodes, read_info
from trimodal_ros.record.lerobot.from_bags import export_episodes
from trimodal_ros.record.lerobot.schema import DatasetError
from trimodal_ros.record.lerobot.settings import ImportSettings, JointMapping
from trimodal_ros.record.lerobot.to_bags import Importer
from trimodal_ros.record.reader import read_messages


@pytest.fixture
def foreign(tmp_path):
    """A dataset v2.1 with SO-101 habits: degrees, grippers in percent, names with roles."""
    values = np.column_stack([np.linspace(-90, 90, 8), np.linspace(0, 45, 8),
                              np.linspace(0, 100, 8)])
    root = tmp_path / 'foreign'
    write_version_2(root, values, values + 1, {'motors': ['main_shoulder', 'elbow.pos',
                                                          'gripper.pos']},
                    ['pick'] * 5 + ['place'] * 3)
    return root


DEGREES = ImportSettings(joints=JointMapping({'shoulder': 'main_shoulder'}, 'deg', 'percent'))


def test_degrees_percent_names_and_tasks(foreign, tmp_path):
    """Catches a unit taken for another, a joint for its neighbour, a sentence said too late."""
    Importer(foreign, ONE_CAMERA, DEGREES).run(tmp_path / 'bags')
    path = tmp_path / 'bags/episode_000001'
    back = observations(path, ONE_CAMERA)
    assert np.allclose(back[0].position_J, [-np.pi / 2, 0, 0], atol=1e-6)
    assert np.allclose(back[-1].position_J, [np.pi / 2, np.pi / 4, 1], atol=1e-6)
    assert [each.instruction for each in back] == ['pick'] * 5 + ['place'] * 3
    assert [each.stamp_ns for each in back] == [10**9 + k * 10**8 for k in range(8)]
    assert psnr(back[3].images['front'], observations(path, ONE_CAMERA)[3].images['front']) > 90
    info = read_info(path)
    assert (info.source, info.instruction, info.robot) == ('teleoperation', 'pick',
                                                           ONE_CAMERA.content_hash)
    chunks = [message for topic, _, message in read_messages(path) if topic == 'joint_trajectory']
    assert np.allclose(chunks[0].points[0].positions, np.radians([-89, 1, np.degrees(0.01)]))


def test_an_episode_for_each_sentence(foreign, tmp_path):
    """Catches frames of one segment with the images or the sentence of another."""
    Importer(foreign, ONE_CAMERA, ImportSettings(joints=DEGREES.joints, split=True)).run(
        tmp_path / 'bags')
    paths = find_episodes(tmp_path / 'bags')
    assert [path.name for path in paths] == ['episode_000000_00', 'episode_000000_01',
                                             'episode_000001_00', 'episode_000001_01']
    assert [read_info(path).instruction for path in paths] == ['pick', 'place'] * 2
    frames = [message for topic, _, message in read_messages(paths[3])
              if topic == 'front/image_raw']
    shown = frames[0].data.reshape(64, 96, 3)
    assert len(frames) == 3 and psnr(shown, picture(1, 5)) > LOOKS_THE_SAME_DB


def test_jpeg_images(foreign, tmp_path):
    Importer(foreign, ONE_CAMERA, ImportSettings(joints=DEGREES.joints, images='jpeg')).run(
        tmp_path / 'bags')
    topics = {topic for topic, _, _ in read_messages(tmp_path / 'bags/episode_000000')}
    assert 'front/image_raw/compressed' in topics and 'front/image_raw' not in topics
    image = observations(tmp_path / 'bags/episode_000000', ONE_CAMERA)[2].images['front']
    assert image.shape == (48, 64, 3)
    export_episodes([tmp_path / 'bags'], tmp_path / 'again', ONE_CAMERA)
    shown = decode(tmp_path / 'again/videos/observation.images.front/chunk-000/file-000.mp4')
    assert len(shown) == 16 and psnr(shown[3], picture(0, 3)) > LOOKS_THE_SAME_DB


def test_other_joints_are_named(foreign):
    """Catches a dataset of another robot imported in its own order."""
    with pytest.raises(DatasetError) as error:
        Importer(foreign, ONE_CAMERA)
    for name in ("'shoulder'", 'main_shoulder', "'elbow', 'gripper'", '--joints.names'):
        assert name in str(error.value)
    with pytest.raises(DatasetError, match="no feature 'states'.*observation.state.*--state"):
        Importer(foreign, ONE_CAMERA, ImportSettings(state='states', joints=DEGREES.joints))
    with pytest.raises(DatasetError, match="no video for camera 'side'.*images.front"):
        Importer(foreign, ROBOT, DEGREES)


def test_another_unit_is_suspected(foreign, tmp_path):
    """Catches degrees commanded as radians."""
    settings = ImportSettings(joints=JointMapping({'shoulder': 'main_shoulder'}))
    with pytest.raises(DatasetError, match="'shoulder' goes from -90 to 90 rad.*another unit"):
        Importer(foreign, ONE_CAMERA, settings).run(tmp_path / 'bags')


def test_what_can_be_read_is_imported(foreign, tmp_path):
    """Catches one bad file that costs the other episodes, or goes by without a word."""
    [bad] = foreign.glob('data/*/episode_000000.parquet')
    os.truncate(bad, 700)
    [video] = foreign.glob('videos/*/*/episode_000001.mp4')
    os.truncate(video, video.stat().st_size // 2)
    first, second = Importer(foreign, ONE_CAMERA, DEGREES).run(tmp_path / 'bags')
    assert str(bad) in first.fault and not first.paths
    assert second.frames == 8 and str(video) in second.findings[0]
    health = read_info(second.paths[0]).health
    assert health['verdict'] == 'bad' and str(video) in health['findings'][0]
    video.unlink()
    _, second = Importer(foreign, ONE_CAMERA, DEGREES).run(tmp_path / 'other')
    assert second.findings == (f"camera 'front': no video {video}",)
    topics = {topic for topic, _, _ in read_messages(second.paths[0])}
    assert topics == {'joint_states', 'joint_trajectory', 'instruction'}


@pytest.mark.parametrize('change, message', [
    ({'codebase_version': 'v1.6'}, "'v1.6', can be read: v2.0, v2.1, v3.0"),
    ({'fps': 0}, 'fps 0'), ({'features': None}, 'damaged')])
def test_bad_info_is_named(foreign, change, message):
    path = foreign / 'meta/info.json'
    info = {**json.loads(path.read_text()), **change}
    path.write_text(json.dumps(info))
    with pytest.raises(DatasetError, match=message) as error:
        Importer(foreign, ONE_CAMERA, DEGREES)
    assert str(path) in str(error.value)
