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
"""Low-rank adapters of frozen encoders: what is trained, stored, and merged."""

from dataclasses import replace
import json

from conftest import small_settings
import numpy as np
import pytest
from safetensors.torch import load_file
import torch
from torch import nn
from zoo import make_policy, one_step, save, SENTENCES, SMALL, some_images, weights

from trimodal_ros.embed.adapters import add_adapters
from trimodal_ros.evaluate.replay.offline import Job, planners_of
from trimodal_ros.plan.checkpoint import CheckpointError, load_checkpoint
from trimodal_ros.plan.engine import open_policy
from trimodal_ros.plan.policy import PolicyConfig
from trimodal_ros.spec import Observation
from trimodal_ros.train.loop import train


def adapted(zoo, rank: int = 2, vision: str = 'siglip') -> PolicyConfig:
    return replace(SMALL, vision_encoder=str(zoo / vision), vision_frozen=True,
                   vision_adapter_rank=rank, language_encoder=str(zoo / 'bert'),
                   language_adapter_rank=rank)


def test_adapters_begin_as_nothing(zoo, so101):
    """Catches a pretrained encoder that is disturbed before the first step."""
    images = some_images(so101)
    with torch.no_grad():
        maps = [make_policy(so101, adapted(zoo, rank)).vision.backbone(images['front'])
                for rank in (0, 2)]
        tokens = [make_policy(so101, adapted(zoo, rank)).sentences.tokens(SENTENCES[1])
                  for rank in (0, 2)]
    torch.testing.assert_close(*maps)
    torch.testing.assert_close(*tokens)


@pytest.mark.parametrize('vision', ['siglip', 'clip', 'dinov2'])
def test_a_step_moves_adapters_and_nothing_else(zoo, so101, vision):
    """Catches weights that are called frozen and move, and adapters no gradient comes to."""
    policy = make_policy(so101, adapted(zoo, vision=vision))
    encoders = (policy.vision.backbone, policy.sentences)
    before = [[value.detach().clone() for name, value in encoder.pretrained.named_parameters()
               if 'lora' not in name] for encoder in encoders]
    one_step(policy, so101)
    one_step(policy, so101)  # the first leaves those alone that stand before zeros
    for encoder, kept in zip(encoders, before):
        now = [value for name, value in encoder.pretrained.named_parameters()
               if 'lora' not in name]
        assert all(map(torch.equal, kept, now))
        assert all(value.grad is not None and value.grad.abs().sum() > 0
                   for value in encoder.adapters.parameters())
    names = {name for name, _ in policy.named_parameters()}
    assert not any('base_layer' in name for name in names)


def test_checkpoint_has_adapters_alone_and_merging_changes_nothing(zoo, so101, tmp_path):
    """Catches adapters that are lost or stored with the encoder, and a merge that is off."""
    policy = make_policy(so101, adapted(zoo))
    one_step(policy, so101)
    identity = save(tmp_path / 'checkpoint', policy.eval())
    stored = load_file(tmp_path / 'checkpoint' / 'model.safetensors')
    of_encoders = [name for name in stored if 'backbone' in name or 'sentences' in name]
    assert of_encoders and all('.adapters.' in name for name in of_encoders)
    seen = Observation.make_example(so101)
    expected = policy.plan(seen)
    loaded = load_checkpoint(tmp_path / 'checkpoint')
    assert np.array_equal(loaded.plan(seen).position_TJ, expected.position_TJ)
    assert save(tmp_path / 'again', loaded) == identity
    assert 'adapters of rank 2, which are' in (tmp_path / 'again' / 'README.md').read_text()
    before = weights(loaded.vision.backbone).numel()
    loaded.merge_adapters()
    merged = loaded.plan(seen)
    assert np.allclose(merged.position_TJ, expected.position_TJ, atol=1e-5)
    assert dict(merged.alignment) == pytest.approx(dict(expected.alignment), abs=1e-5)
    assert weights(loaded.vision.backbone).numel() < before and not loaded.sentences.learns
    assert not any('adapters' in name for name in loaded.state_dict())


def test_replay_plans_from_merged_adapters_as_a_node(zoo, so101, tmp_path):
    """Catches recordings that are judged by other bits than those the node would plan."""
    policy = make_policy(so101, adapted(zoo))
    one_step(policy, so101)
    save(tmp_path / 'checkpoint', policy.eval())
    seen, threads = Observation.make_example(so101), torch.get_num_threads()
    try:
        [planner] = planners_of(Job((tmp_path / 'checkpoint',)))
        node = open_policy(tmp_path / 'checkpoint', so101)
        [thought] = planner.think([seen])
        assert np.array_equal(thought.planned.position_TJ, node.plan(seen).position_TJ)
    finally:
        torch.set_num_threads(threads)
    assert not any('adapters' in name for name in planner.policy.state_dict())


def test_rank_of_another_checkpoint_is_refused(zoo, so101, tmp_path):
    """Catches adapters that are dropped in silence."""
    save(tmp_path / 'checkpoint', make_policy(so101, adapted(zoo)))
    path = tmp_path / 'checkpoint' / 'config.json'
    config = json.loads(path.read_text())
    for rank, message in ((4, 'size mismatch'), (0, 'Unexpected key')):
        config['policy'].update(vision_adapter_rank=rank, language_adapter_rank=rank)
        path.write_text(json.dumps(config))
        with pytest.raises(CheckpointError, match=f'(?s)does not fit config.json.*{message}'):
            load_checkpoint(tmp_path / 'checkpoint')


@pytest.mark.parametrize('change, message', [
    ({'vision_adapter_rank': -1}, 'vision_adapter_rank: -1, expected 0 or more'),
    ({'vision_adapter_rank': 4}, 'adapters are of a frozen encoder'),
    ({'language_adapter_rank': 4, 'language_frozen': False}, 'set language_frozen')])
def test_impossible_adapters_are_named(change, message):
    """Catches adapters of an encoder that is trained anyway."""
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **change)


def test_model_without_linear_layers_is_named():
    """Catches an encoder that stays as it is, and nobody knows."""
    with pytest.raises(ValueError, match='vision_encoder: Conv2d has no linear layer'):
        add_adapters('vision_encoder', nn.Conv2d(3, 4, 1), 2)


def test_training_goes_on_from_adapters(zoo, episodes, tmp_path):
    """Catches a second round that begins with the encoder as it was at first."""
    train(small_settings(episodes, policy=adapted(zoo)), tmp_path / 'first', workers=1)
    train(small_settings(episodes, initial=str(tmp_path / 'first'), policy=adapted(zoo)),
          tmp_path / 'second', workers=1)
    first, second = (load_checkpoint(tmp_path / name) for name in ('first', 'second'))
    downs = [torch.cat([value.detach().flatten()
                        for value in policy.vision.backbone.adapters.parameters()])
             for policy in (first, second)]
    assert not torch.equal(*downs)
    assert (downs[1] - downs[0]).abs().max() < 0.1  # of two small steps
