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

"""A dataset that nobody here made: a real robot's, of an old version, with videos missing."""

from collections import Counter
from dataclasses import replace
import os
from pathlib import Path
import shutil
import subprocess
import sys

from conftest import small_settings
from lerobot_data import read_parquet
import numpy as np
import pytest
import yaml

from trimodal_ros.paths import share_dir
from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.record.episode import find_episodes, read_info
from trimodal_ros.record.lerobot.settings import ImportSettings
from trimodal_ros.record.lerobot.to_bags import Importer
from trimodal_ros.record.moments import Replay
from trimodal_ros.spec import RobotSpec
from trimodal_ros.train.loop import train

ASTRIBOT = Path(__file__).resolve().parents[2] / 'shared/data/astribot_s1'
ASTRIBOT_YAML = share_dir() / 'config/robots/astribot_s1.yaml'
ASTRIBOT_KEYS = {'state': 'joints_dict.joints_position_state',
                 'action': 'joints_dict.joints_position_command'}


@pytest.fixture(scope='module')
def astribot(tmp_path_factory) -> Path:
    """The first of the real episodes; its head videos are missing."""
    if not ASTRIBOT.is_dir():
        pytest.skip(f'{ASTRIBOT}, a recording of a real robot, is not beside this clone')
    root = tmp_path_factory.mktemp('astribot') / 'dataset'
    shutil.copytree(ASTRIBOT, root, ignore=shutil.ignore_patterns('*_000001.*'),
                    copy_function=os.symlink)
    episodes = (root / 'meta/episodes.jsonl').read_text().splitlines()
    (root / 'meta/episodes.jsonl').unlink()
    (root / 'meta/episodes.jsonl').write_text(episodes[0])
    return root


@pytest.fixture(scope='module')
def astribot_bags(astribot, tmp_path_factory) -> tuple[Path, str]:
    """An episode a segment, and what the command printed."""
    out = tmp_path_factory.mktemp('astribot') / 'bags'
    told = subprocess.run(
        [sys.executable, '-m', 'trimodal_ros.record', 'import', astribot, '--out', out, '--robot',
         ASTRIBOT_YAML, '--state', ASTRIBOT_KEYS['state'], '--action', ASTRIBOT_KEYS['action'],
         '--images', 'jpeg', '--task', '1', '--split'], check=True, capture_output=True, text=True)
    return out, told.stdout


def test_a_real_robot(astribot, astribot_bags):
    """Catches what only data nobody here made has: HEVC, v2.0, two sentences a frame."""
    out, told = astribot_bags
    assert 'images_dict.head.rgb: no camera of astribot_s1, left out; 1 of 1 videos are' in told
    assert '1 of 1 episodes, 236 frames' in told
    paths = find_episodes(out)
    assert [read_info(path).instruction for path in paths] == [
        'the right arm pick up the sika deer',
        'the right arm put down the sika deer in round woven basket', 'back home']
    robot = RobotSpec.from_yaml(ASTRIBOT_YAML)
    seen = [joined.observation() for joined in Replay(paths[0], robot).joined(0.02, Counter())]
    assert len(seen) == 112 and seen[0].images['left'].shape == (72, 128, 3)
    rows = read_parquet(astribot, 'data/*/*.parquet')
    measured = np.array(rows[ASTRIBOT_KEYS['state']])[:112, 3:]
    assert np.array_equal([each.position_J for each in seen], measured)


def test_imported_episodes_train(astribot_bags, tmp_path):
    """Catches episodes that can be read, and not be learned from."""
    settings = replace(small_settings(astribot_bags[0]), robot=str(ASTRIBOT_YAML), batch_size=2)
    train(settings, tmp_path / 'checkpoint', workers=1)
    assert load_checkpoint(tmp_path / 'checkpoint').robot.name == 'astribot_s1'


def test_a_missing_camera_is_not_fatal(astribot, tmp_path):
    """Catches a robot whose one camera that is not there costs all the others."""
    described = yaml.safe_load(ASTRIBOT_YAML.read_text())
    described['cameras']['head'] = {**described['cameras'].pop('right'), 'topic': 'head/image_raw'}
    (tmp_path / 'robot.yaml').write_text(yaml.safe_dump(described))
    [done] = Importer(astribot, RobotSpec.from_yaml(tmp_path / 'robot.yaml'), ImportSettings(
        **ASTRIBOT_KEYS, images='jpeg')).run(tmp_path / 'bags')
    assert done.frames == 236 and len(done.findings) == 1
    assert "camera 'head': no video" in done.findings[0]
