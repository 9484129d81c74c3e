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

"""Encoders in checkpoints and folders: what is stored, named, and refused."""

from dataclasses import asdict, replace
import json
import shutil

from conftest import small_settings
import numpy as np
import pytest
import torch
from transformers import (
    Dinov2Config,
    Dinov2Model,
)
from zoo import make_policy, MINILM, one_step, save, SMALL, VIT, weights

from trimodal_ros.embed.language import SentenceEncoder
from trimodal_ros.embed.pretrained import encoder_source, EncoderNotFound
from trimodal_ros.embed.pretrained_vision import VisionBackbone
from trimodal_ros.plan.checkpoint import (
    CheckpointError,
    content_hash,
    load_checkpoint,
)
from trimodal_ros.plan.policy import PolicyConfig
from trimodal_ros.spec import Observation
from trimodal_ros.train.loop import train


def test_trained_encoders_live_in_the_checkpoint(copy, so101, tmp_path):
    """Catches a checkpoint that needs the folders it was trained from, or names this machine."""
    vision, language = copy('siglip'), copy('bert')
    policy = make_policy(so101, replace(
        SMALL, vision_encoder=str(vision), language_encoder=str(language), language_frozen=False))
    one_step(policy, so101)
    identity = save(tmp_path / 'checkpoint', policy.eval())
    observation = Observation.make_example(so101)
    expected = policy.plan(observation).position_TJ
    shutil.rmtree(vision), shutil.rmtree(language)
    loaded = load_checkpoint(tmp_path / 'checkpoint')
    assert np.array_equal(loaded.plan(observation).position_TJ, expected)
    assert save(tmp_path / 'again', loaded) == identity == loaded.content_hash
    described = json.loads((tmp_path / 'checkpoint' / 'config.json').read_text())['encoders']
    assert str(tmp_path) not in json.dumps(described)
    assert 'trained further' in (tmp_path / 'checkpoint' / 'README.md').read_text()
    (tmp_path / 'again' / 'tokenizer' / 'tokenizer.json').write_text('{}')
    assert content_hash(tmp_path / 'again') != identity
    config = json.loads((tmp_path / 'again' / 'config.json').read_text())
    (tmp_path / 'again' / 'config.json').write_text(json.dumps({**config, 'encoders': {
        'vision': {}}}))
    with pytest.raises(CheckpointError, match='encoders in config.json are damaged'):
        load_checkpoint(tmp_path / 'again')


def test_frozen_encoders_are_named_and_not_stored(copy, so101, tmp_path):
    """Catches a frozen encoder stored, or another in its place at loading."""
    folder = copy('clip')
    policy = make_policy(so101, replace(
        SMALL, vision_encoder=str(folder), vision_frozen=True, language_encoder=str(folder)))
    identity = save(tmp_path / 'checkpoint', policy)
    assert not any('backbone' in name or 'sentences' in name for name in policy.state_dict())
    observation = Observation.make_example(so101)
    loaded = load_checkpoint(tmp_path / 'checkpoint')
    assert np.array_equal(loaded.plan(observation).position_TJ,
                          policy.plan(observation).position_TJ)
    assert save(tmp_path / 'checkpoint', loaded) == identity
    assert weights(loaded.double().vision.backbone).dtype == torch.float64  # moves along
    shutil.rmtree(folder)
    with pytest.raises(EncoderNotFound, match='language_encoder'):
        load_checkpoint(tmp_path / 'checkpoint')


def test_encoder_of_other_dimensions_is_named(copy, so101, tmp_path):
    """Catches an encoder swapped under a checkpoint, with a size mismatch deep in torch."""
    folder, language = copy('dinov2'), copy('bert')
    policy = make_policy(so101, replace(SMALL, vision_encoder=str(folder), vision_frozen=True,
                                        language_encoder=str(language)))
    save(tmp_path / 'checkpoint', policy)
    Dinov2Model(Dinov2Config(**{**VIT, 'hidden_size': 64})).save_pretrained(folder)
    with pytest.raises(ValueError, match="vision_encoder '.*dinov2': weights do not fit"):
        load_checkpoint(tmp_path / 'checkpoint')
    shutil.copytree(encoder_source('language_encoder', MINILM), language, dirs_exist_ok=True)
    config = json.loads((tmp_path / 'checkpoint' / 'config.json').read_text())
    config['policy'].update(vision_encoder='', vision_frozen=False)
    (tmp_path / 'checkpoint' / 'config.json').write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match='language_encoder .* 384 numbers.* 32'):
        load_checkpoint(tmp_path / 'checkpoint')


def test_plain_configuration_is_built_and_rebuilt(so101, tmp_path):
    """Catches a configuration that is looked for on the robot, or frozen at random weights."""
    path = tmp_path / 'vit.json'
    path.write_text(json.dumps({'model_type': 'vit', **VIT}))
    policy = make_policy(so101, replace(SMALL, vision_encoder=str(path)))
    assert policy.vision.backbone.preprocessing.resize == (32, 32)
    save(tmp_path / 'checkpoint', policy)
    path.unlink()
    observation = Observation.make_example(so101)
    assert np.array_equal(load_checkpoint(tmp_path / 'checkpoint').plan(observation).position_TJ,
                          policy.plan(observation).position_TJ)
    with pytest.raises(EncoderNotFound, match='vision_encoder .*vit.json.*no such file'):
        VisionBackbone(str(path))
    path.write_text('{"model_type": "none"}')
    with pytest.raises(ValueError, match="vision_encoder .*model_type 'none'"):
        VisionBackbone(str(path))
    path.write_text(json.dumps({'model_type': 'vit', **VIT}))
    with pytest.raises(ValueError, match='vision_frozen'):
        VisionBackbone(str(path), frozen=True)


@pytest.mark.parametrize('name', ['package:no_such_package', '/no/such/folder', 'no/such_model'])
def test_missing_encoder_is_named(name, monkeypatch):
    """Catches an offline robot that waits for a hub, or a message that names no setting."""
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    with pytest.raises(EncoderNotFound, match=f'vision_encoder {name!r}'):
        VisionBackbone(name)
    with pytest.raises(EncoderNotFound, match=f'language_encoder {name!r}'):
        SentenceEncoder(name)


def test_folder_of_another_kind_is_named(zoo, copy, tmp_path):
    """Catches a text model taken for a vision model, half a folder, and random weights."""
    empty = tmp_path / 'empty'
    empty.mkdir()
    with pytest.raises(EncoderNotFound, match="vision_encoder '.*empty': .*no config.json"):
        VisionBackbone(str(empty))
    (empty / 'config.json').write_text('{}')
    with pytest.raises(ValueError, match='vision_encoder .*config.json is of no model'):
        VisionBackbone(str(empty))
    with pytest.raises(ValueError, match='vision_encoder .*bert is no such encoder'):
        VisionBackbone(str(zoo / 'bert'))
    with pytest.raises(ValueError, match='language_encoder .*dinov2 is no such encoder'):
        SentenceEncoder(str(zoo / 'dinov2'))
    shutil.copytree(zoo / 'bert', tmp_path / 'mute', ignore=lambda *_: ['tokenizer.json'])
    with pytest.raises(EncoderNotFound, match='language_encoder .*knows 5 words, the model 30522'):
        SentenceEncoder(str(tmp_path / 'mute'))
    folder = copy('dinov2')
    (folder / 'preprocessor_config.json').unlink()
    with pytest.raises(ValueError, match='vision_encoder .*no preprocessor_config.json'):
        VisionBackbone(str(folder))
    config = json.loads((folder / 'config.json').read_text())
    (folder / 'config.json').write_text(json.dumps({**config, 'num_hidden_layers': 3}))
    with pytest.raises(ValueError, match='vision_encoder .*weights are missing'):
        VisionBackbone(str(folder))
    (folder / 'model.safetensors').write_bytes(b'half')
    with pytest.raises(ValueError, match='vision_encoder .*weights do not fit'):
        VisionBackbone(str(folder))
    (folder / 'model.safetensors').unlink()
    with pytest.raises(EncoderNotFound, match='vision_encoder .*model.safetensors'):
        VisionBackbone(str(folder))


@pytest.mark.parametrize('change, message', [
    ({'vision_width': 48}, 'vision_width: 48'), ({'embed_dim': 0}, 'embed_dim: 0'),
    ({'motion_width': 18}, 'motion_width: 18'), ({'vision_frozen': True}, 'vision_frozen')])
def test_impossible_dimensions_are_named(change, message):
    """Catches a width that fails deep in a normalisation layer."""
    with pytest.raises(ValueError, match=message):
        PolicyConfig(**{**asdict(SMALL), **change})


def test_training_with_other_encoders(zoo, episodes, tmp_path):
    """Catches parameters without gradients that the optimizer or a projection stumbles over."""
    settings = small_settings(episodes, weighting='pcgrad', policy=replace(
        SMALL, vision_encoder=str(zoo / 'clip'), language_encoder=str(zoo / 'bert'),
        language_frozen=False))
    train(settings, tmp_path / 'out', workers=1)
    policy = load_checkpoint(tmp_path / 'out')
    start = VisionBackbone(str(zoo / 'clip'))
    assert not torch.equal(weights(policy.vision.backbone), weights(start))
    assert policy.sentences.frozen is False
