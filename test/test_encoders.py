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

"""Encoders of other makes: real, tiny CLIP, SigLIP and DINOv2 models, and MiniLM's weights."""

from dataclasses import replace
import json

import numpy as np
import pytest
import torch
from transformers import (
    AutoImageProcessor,
    CLIPModel,
    DINOv3ViTConfig,
    DINOv3ViTModel,
    EfficientNetImageProcessorPil,
    SiglipImageProcessorPil,
    SiglipModel,
    T5Config,
    T5EncoderModel,
)
from zoo import make_policy, one_step, SENTENCES, SMALL, some_images, TEXT, VIT, weights

from trimodal_ros.embed.image_processor import from_options, from_timm, read_preprocessing
from trimodal_ros.embed.language import SentenceEncoder
from trimodal_ros.embed.pixels import Preprocessing
from trimodal_ros.embed.pretrained import EncoderNotFound, read_config
from trimodal_ros.embed.pretrained_vision import VisionBackbone
from trimodal_ros.observe.instruction import InstructionError


@pytest.mark.parametrize('name, shape', [
    ('clip', (32, 4, 4)), ('siglip', (32, 4, 4)), ('dinov2', (32, 4, 4)),
    ('registers', (32, 4, 4)), ('swin', (32, 4, 4)), ('convnext', (24, 2, 2))])
def test_features_are_the_models_own_patch_tokens(zoo, name, shape):
    """Catches special tokens left in the grid, rows for columns, and the weights of no folder."""
    backbone = VisionBackbone(str(zoo / name))
    image_HWC = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    map_BKhw = backbone(torch.from_numpy(image_HWC).permute(2, 0, 1)[None])
    assert map_BKhw.shape[1:] == shape and backbone.channels == shape[0]
    processor = AutoImageProcessor.from_pretrained(zoo / name, backend='pil')
    whole = {'clip': CLIPModel, 'siglip': SiglipModel}.get(name)
    model = (backbone.pretrained if whole is None else
             whole.from_pretrained(zoo / name).vision_model)
    seen = model.eval()(processor(image_HWC, return_tensors='pt')['pixel_values'])
    expected = seen.last_hidden_state.flatten(2)
    if expected.shape[1] != shape[0]:
        expected = expected[:, -16:].transpose(1, 2)
    assert (map_BKhw.flatten(2) - expected).abs().max() < 1e-4


def test_dinov3_has_registers_and_a_processor_that_is_not_loaded(tmp_path):
    """Catches the special tokens of DINOv3 in the grid, or a need of torchvision."""
    model = DINOv3ViTModel(DINOv3ViTConfig(**{**VIT, 'num_register_tokens': 4})).eval()
    model.save_pretrained(tmp_path)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    (tmp_path / 'preprocessor_config.json').write_text(json.dumps({
        'image_processor_type': 'DINOv3ViTImageProcessorFast', 'do_resize': True, 'resample': 2,
        'size': {'height': 32, 'width': 32}, 'do_rescale': True, 'rescale_factor': 1 / 255,
        'do_normalize': True, 'image_mean': mean, 'image_std': std}))
    backbone = VisionBackbone(str(tmp_path), frozen=True, adapter_rank=2)
    image_BCHW = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    pixels = (image_BCHW / 255 - torch.tensor(mean)[:, None, None]) / torch.tensor(
        std)[:, None, None]
    expected = model(pixels).last_hidden_state[:, -16:].transpose(1, 2)
    torch.testing.assert_close(backbone(image_BCHW).flatten(2), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize('name', ['clip', 'siglip', 'dinov2', 'swin', 'convnext'])
@pytest.mark.parametrize('size', [(48, 64), (201, 67), (33, 32), (240, 320), (17, 29)])
def test_pixels_are_the_image_processors_own(zoo, name, size):
    """Catches another filter, no antialias, a crop off by one, BGR, or mean and std confused."""
    preprocessing = read_preprocessing(str(zoo / name), read_config(
        'vision_encoder', str(zoo / name)))
    processor = AutoImageProcessor.from_pretrained(zoo / name, backend='pil')
    rng = np.random.default_rng(0)
    for image_HWC in (rng.integers(0, 256, (*size, 3), dtype=np.uint8),
                      np.kron(rng.integers(0, 2, (*size, 3)), 255).astype(np.uint8)):
        expected = processor(image_HWC, return_tensors='pt')['pixel_values']
        pixels = preprocessing(torch.from_numpy(image_HWC).permute(2, 0, 1)[None])
        std_C11 = torch.tensor(processor.image_std)[:, None, None]
        assert pixels.shape == expected.shape
        assert ((pixels - expected) * std_C11).abs().max() < 1e-5  # asked for: 1 / 255


@pytest.mark.parametrize('change, message', [
    ({'resample': 1}, 'resample 1'), ({'do_pad': True}, 'do_pad'),
    ({'size': {'longest_edge': 32}}, "size as .*'longest_edge'"),
    ({'image_mean': None}, r"lacks \['image_mean'\]"), ({'rescale_offset': True}, 'rescale_off')])
def test_unsupported_preprocessing_is_named(change, message):
    """Catches pixels that are quietly not what the encoder was trained on."""
    options = SiglipImageProcessorPil().to_dict()
    from_options('x', options)
    with pytest.raises(ValueError, match=f"vision_encoder 'x'.*{message}"):
        from_options('x', {**options, **change})


def test_processor_with_steps_of_its_own_is_named(copy):
    """Catches steps that no option tells of."""
    folder = copy('siglip')
    EfficientNetImageProcessorPil().save_pretrained(folder)
    with pytest.raises(ValueError, match='vision_encoder .*EfficientNetImageProcessorPil'):
        VisionBackbone(str(folder))


@pytest.mark.parametrize('kind, message', [
    ('vit_mae', 'tokens are no grid'), ('siglip2_vision_model', 'pixel_attention_mask'),
    ('bert', 'no such encoder'), ('timm_wrapper', 'timm')])
def test_model_without_a_feature_map_is_named(tmp_path, kind, message):
    """Catches a map of the patches that a model happened to keep."""
    path = tmp_path / 'model.json'
    path.write_text(json.dumps({'model_type': kind, **VIT}))
    with pytest.raises((ValueError, EncoderNotFound), match=f'(?s)vision_encoder .*{message}'):
        VisionBackbone(str(path))


def test_preprocessing_of_timm():
    """Catches timm's share of the crop forgotten."""
    options = {'input_size': (3, 224, 224), 'mean': (0.5,) * 3, 'std': (0.5,) * 3,
               'interpolation': 'bicubic', 'crop_pct': 0.875}
    assert from_timm('x', options) == Preprocessing(
        (0.5,) * 3, (0.5,) * 3, shortest_edge=256, crop=(224, 224), round_margin=True)
    with pytest.raises(ValueError, match='interpolation lanczos'):
        from_timm('x', {**options, 'interpolation': 'lanczos'})


@pytest.mark.parametrize('name', ['clip', 'siglip', 'dinov2', 'convnext'])
def test_all_cameras_map_to_one_unit_vector(zoo, so101, name):
    """Catches a backbone for each camera, or one that takes cameras of one size only."""
    policy = make_policy(so101, replace(SMALL, vision_encoder=str(zoo / name)))
    images = some_images(so101)
    maps = policy.vision.features(images)
    assert maps.keys() == images.keys() and all(m.shape[:2] == (2, 32) for m in maps.values())
    z_BD = policy.vision.project(maps)
    assert z_BD.shape == (2, 16) and torch.allclose(z_BD.norm(dim=-1), torch.ones(2), atol=1e-5)
    swapped = dict(zip(images, reversed(images.values())))
    assert not torch.allclose(policy.embed_images(swapped), z_BD, atol=1e-6)


@pytest.mark.parametrize('name', ['clip', 'siglip', 'bert'])
def test_text_towers_give_unit_vectors(zoo, so101, name):
    """Catches the vision tower in the place of the text tower, and a sentence too long for it."""
    policy = make_policy(so101, replace(SMALL, language_encoder=str(zoo / name)))
    z_BD = policy.embed_sentences(SENTENCES)
    assert policy.sentences.width == 32
    assert torch.allclose(z_BD.norm(dim=-1), torch.ones(2), atol=1e-5)
    with pytest.raises(InstructionError, match='53 tokens, at most 24 are read'):
        policy.embed_sentences([*SENTENCES, 'very ' * 50 + 'long'])


@pytest.mark.parametrize('frozen', [True, False])
def test_a_step_moves_an_encoder_unless_frozen(zoo, so101, frozen):
    """Catches a frozen encoder that drifts, and a trained one that gets no gradient."""
    policy = make_policy(so101, replace(
        SMALL, vision_encoder=str(zoo / 'dinov2'), vision_frozen=frozen,
        language_encoder=str(zoo / 'bert'), language_frozen=frozen))
    for encoder in (policy.vision.backbone, policy.sentences):
        assert bool(list(encoder.parameters())) != frozen
    before = [weights(encoder) for encoder in (policy.vision.backbone, policy.sentences)]
    one_step(policy, so101)
    after = [weights(encoder) for encoder in (policy.vision.backbone, policy.sentences)]
    for first, second in zip(before, after):
        assert torch.equal(first, second) == frozen
        assert second.isfinite().all()
    assert policy.sentences.pretrained.training != frozen


def test_trained_minilm_learns_and_its_cache_is_never_stale(so101):
    """Catches sentences kept from before a step or a load, and gradients lost to the cache."""
    policy = make_policy(so101, replace(SMALL, language_frozen=False))
    encoder = policy.sentences
    first = encoder.tokens('put it there')
    assert first is encoder.tokens('put it there')
    assert first.shape[1] == 384
    state = {name: value.clone() for name, value in policy.state_dict().items()}
    one_step(policy, so101)
    assert encoder.model.encoder.layer[0].output.dense.weight.grad.abs().max() > 0
    policy.eval()
    moved = encoder.tokens('put it there')
    assert not torch.allclose(first, moved, atol=1e-4)
    policy.load_state_dict(state)
    assert torch.equal(first, encoder.tokens('put it there'))


def test_shared_weights_are_not_trained(zoo, copy):
    """Catches a training that fails only when its checkpoint is written."""
    folder = copy('bert')
    T5EncoderModel(T5Config(d_model=32, d_ff=32, num_layers=1, num_heads=2, d_kv=8,
                            vocab_size=TEXT['vocab_size'])).save_pretrained(folder)
    assert SentenceEncoder(str(folder)).tokens('put it there').shape[1] == 32
    with pytest.raises(ValueError, match='language_encoder: T5EncoderModel shares weights'):
        SentenceEncoder(str(folder), frozen=False)


def test_a_trained_batch_is_what_evaluation_gives(zoo):
    """Catches padding that a sentence's tokens would depend on."""
    encoder = SentenceEncoder(str(zoo / 'bert'), frozen=False)
    encoder.eval()
    kept_BLW, kept_BL = encoder.batch(SENTENCES)
    encoder.training = True  # of the cache, not of dropout
    token_BLW, mask_BL = encoder.batch(SENTENCES)
    assert token_BLW.requires_grad and torch.equal(mask_BL, kept_BL)
    assert torch.allclose(token_BLW[mask_BL], kept_BLW[mask_BL], atol=1e-5)
