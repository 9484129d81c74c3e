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

import json
import shutil

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from spoiled_checkpoint import record
import torch

from trimodal_ros.embed.language import EncoderNotFound, SentenceEncoder
from trimodal_ros.plan.checkpoint import CheckpointError, load_checkpoint
from trimodal_ros.plan.normalize import JointNormalizer, JointStatistics
from trimodal_ros.spec import Observation, RobotSpec


def test_normalizing_a_chunk_can_be_undone():
    """Catches a gripper treated as relative, or an offset with the wrong sign."""
    rng = np.random.default_rng(0)
    command_NJ, chunk_NTJ = rng.normal(size=(50, 3)), rng.normal(size=(50, 8, 3))
    is_gripper_J = np.array([False, False, True])
    statistics = JointStatistics.fit(command_NJ, chunk_NTJ, is_gripper_J)
    normalizer = JointNormalizer(statistics, is_gripper_J, np.zeros(3, dtype=bool))
    chunk_BTJ = torch.tensor(chunk_NTJ[:5], dtype=torch.float32)
    command_BJ = torch.tensor(command_NJ[:5], dtype=torch.float32)
    unit_BTJ = normalizer.chunk(chunk_BTJ, command_BJ)
    assert torch.allclose(normalizer.chunk_to_rad(unit_BTJ, command_BJ), chunk_BTJ, atol=1e-5)
    still_BTJ = command_BJ[:, None].expand(5, 8, 3)
    assert normalizer.chunk(still_BTJ, command_BJ)[..., :2].abs().max() == 0
    moved_BTJ = normalizer.chunk(chunk_BTJ, command_BJ + 1.0)
    assert torch.equal(moved_BTJ[..., 2], unit_BTJ[..., 2])


def test_a_lag_in_percent_is_as_large_as_one_in_rad():
    """Catches a gripper in percent whose lag, hundreds, drowns all else the network is told."""
    command_NJ, chunk_NTJ = np.zeros((5, 2)), np.zeros((5, 8, 2))
    is_gripper_J = np.array([False, True])
    statistics = JointStatistics.fit(command_NJ, chunk_NTJ, is_gripper_J)
    normalizer = JointNormalizer(statistics, is_gripper_J, is_gripper_J)
    command_BJ = torch.tensor([[0.05, 5.0]])
    state_BS = normalizer.state(torch.zeros(1, 2), command_BJ)
    assert state_BS[0, 2:].tolist() == pytest.approx([0.5, 0.5])


def test_same_observation_same_chunk(small_checkpoint, so101):
    """Catches dropout left on, and a chunk stamped with anything but the camera's time."""
    policy = load_checkpoint(small_checkpoint)
    observation = Observation.make_example(so101)
    first, second = policy.plan(observation), policy.plan(observation)
    assert np.array_equal(first.position_TJ, second.position_TJ)
    assert first.stamp_ns == observation.stamp_ns
    assert first.time_s_T.tolist() == pytest.approx([0.1 * (k + 1) for k in range(16)])


def test_the_three_modalities_share_one_space(small_checkpoint, so101):
    """Catches an encoder that leaves the unit sphere or has another dimension."""
    policy = load_checkpoint(small_checkpoint)
    images = {c.name: torch.zeros(2, 3, c.height, c.width, dtype=torch.uint8)
              for c in so101.cameras}
    tokens = policy.sentences.batch(['put it there', 'a longer sentence than the other'])
    joints_BJ = torch.zeros(2, 6)
    plan = policy(images, *tokens, joints_BJ, joints_BJ)
    z_motion_BD = policy.embed_motion(plan.chunk_BTJ)
    for z_BD in (plan.z_image_BD, plan.z_text_BD, plan.z_fused_BD, z_motion_BD):
        assert z_BD.shape == (2, 16)
        assert torch.allclose(z_BD.norm(dim=-1), torch.ones(2), atol=1e-5)


def test_padding_does_not_change_a_sentence(small_checkpoint):
    """Catches a mask the wrong way round: a sentence would depend on its neighbours."""
    policy = load_checkpoint(small_checkpoint)
    alone_BD = policy.language(*policy.sentences.batch(['put it there']))
    beside_BD = policy.language(*policy.sentences.batch(
        ['put it there', 'a much longer sentence that is not the same at all']))
    assert torch.allclose(alone_BD[0], beside_BD[0], atol=1e-5)


def test_checkpoint_holds_no_pickle_and_is_small(shipped):
    """Catches a stray file in the shipped checkpoint, or one too big to ship."""
    assert sorted(path.name for path in shipped.iterdir()) == [
        'README.md', 'config.json', 'model.safetensors']
    assert sum(path.stat().st_size for path in shipped.iterdir()) < 20e6


@pytest.fixture
def broken(small_checkpoint, tmp_path):
    return shutil.copytree(small_checkpoint, tmp_path / 'broken')


def test_missing_checkpoint_is_named(tmp_path):
    """Catches a traceback where a path is wrong."""
    with pytest.raises(CheckpointError, match='does not exist'):
        load_checkpoint(tmp_path / 'none')


@pytest.mark.parametrize('name', ['model.safetensors', 'config.json'])
def test_missing_file_is_named(broken, name):
    (broken / name).unlink()
    with pytest.raises(CheckpointError, match=f'{name} is missing'):
        load_checkpoint(broken)


@pytest.mark.parametrize('name', ['model.safetensors', 'config.json'])
def test_truncated_file_is_named(broken, name):
    """Catches weights half copied to the robot."""
    data = (broken / name).read_bytes()
    (broken / name).write_bytes(data[:len(data) // 2])
    with pytest.raises(CheckpointError, match=f'{name} is damaged'):
        load_checkpoint(broken)


def test_weights_of_another_architecture_are_refused(broken):
    """Catches weights that do not belong to their config."""
    weights = load_file(broken / 'model.safetensors')
    weights.pop('decoder.head.4.bias')
    save_file(weights, broken / 'model.safetensors')
    record(broken)
    with pytest.raises(CheckpointError, match='(?s)does not fit config.json.*decoder.head.4.bias'):
        load_checkpoint(broken)


def test_damaged_values_in_config_are_refused(broken):
    config = json.loads((broken / 'config.json').read_text())
    del config['robot']['joints']
    (broken / 'config.json').write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match='config.json is damaged'):
        load_checkpoint(broken)


def test_checkpoint_for_other_joints_is_refused(small_checkpoint):
    """Catches a policy that would drive another arm."""
    with pytest.raises(CheckpointError, match="was trained for joints .*'shoulder_pan'"):
        load_checkpoint(small_checkpoint, robot=RobotSpec.make_example())


@pytest.mark.parametrize('name', ['package:no_such_package', '/no/such/folder'])
def test_missing_language_encoder_is_named(name, monkeypatch):
    """Catches an offline robot that waits for a hub."""
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    with pytest.raises(EncoderNotFound, match=name):
        SentenceEncoder(name)
