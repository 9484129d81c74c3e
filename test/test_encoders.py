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

from dataclasses import asdict, replace
import json
import shutil

from conftest import small_settings
import numpy as np
import pytest
import torch
from transformers import (
    AutoImageProcessor,
    AutoTokenizer,
    BertConfig,
    BertModel,
    BitImageProcessorPil,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    ConvNextConfig,
    ConvNextImageProcessorPil,
    ConvNextModel,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    EfficientNetImageProcessorPil,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    SwinConfig,
    SwinModel,
    T5Config,
    T5EncoderModel,
    ViTImageProcessorPil,
)

from trimodal_ros.embed.image_processor import from_options, from_timm, read_preprocessing
from trimodal_ros.embed.language import SentenceEncoder
from trimodal_ros.embed.pixels import Preprocessing
from trimodal_ros.embed.pretrained import encoder_source, EncoderNotFound, read_config
from trimodal_ros.embed.pretrained_vision import VisionBackbone
from trimodal_ros.observe.instruction import InstructionError
from trimodal_ros.plan.checkpoint import (
    CheckpointError,
    content_hash,
    load_checkpoint,
    save_checkpoint,
)
from trimodal_ros.plan.encoders import open_encoders
from trimodal_ros.plan.normalize import JointStatistics
from trimodal_ros.plan.policy import Policy, PolicyConfig
from trimodal_ros.spec import Observation
from trimodal_ros.train.card import model_card
from trimodal_ros.train.loop import train

MINILM = PolicyConfig().language_encoder
VIT = {'hidden_size': 32, 'intermediate_size': 64, 'num_hidden_layers': 2,
       'num_attention_heads': 4, 'image_size': 32, 'patch_size': 8}
TEXT = {'hidden_size': 32, 'intermediate_size': 64, 'num_hidden_layers': 2,
        'num_attention_heads': 4, 'vocab_size': 30522, 'max_position_embeddings': 24}
SMALL = PolicyConfig(embed_dim=16, vision_width=32, motion_width=16)
CROP = {'size': {'shortest_edge': 36}, 'crop_size': {'height': 32, 'width': 32}}
SENTENCES = ['put it there', 'move the red cube onto the small plate']


@pytest.fixture(scope='module')
def zoo(tmp_path_factory):
    """Folders as ``save_pretrained`` writes them, each with its own image processor."""
    root = tmp_path_factory.mktemp('zoo')
    torch.manual_seed(0)
    for name, model, processor in (
            ('clip', CLIPModel(CLIPConfig(text_config=TEXT, vision_config=VIT)),
             CLIPImageProcessorPil(**CROP)),
            ('siglip', SiglipModel(SiglipConfig(text_config=TEXT, vision_config=VIT)),
             SiglipImageProcessorPil(size={'height': 32, 'width': 32})),
            ('dinov2', Dinov2Model(Dinov2Config(**VIT)), BitImageProcessorPil(**CROP)),
            ('registers', Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**VIT)),
             BitImageProcessorPil(**CROP)),
            ('swin', SwinModel(SwinConfig(image_size=32, patch_size=4, embed_dim=16, depths=[1, 1],
                                          num_heads=[2, 2], window_size=4)),
             ViTImageProcessorPil(size={'height': 32, 'width': 32})),
            ('convnext', ConvNextModel(ConvNextConfig(
                hidden_sizes=[8, 16, 16, 24], depths=[1, 1, 1, 1])),
             ConvNextImageProcessorPil(size={'shortest_edge': 64})),
            ('bert', BertModel(BertConfig(**TEXT)), None)):
        model.save_pretrained(root / name)
        if processor is not None:
            processor.save_pretrained(root / name)
    tokenizer = AutoTokenizer.from_pretrained(encoder_source('language_encoder', MINILM))
    for name in ('clip', 'siglip', 'bert'):
        tokenizer.save_pretrained(root / name)
    return root


@pytest.fixture
def copy(zoo, tmp_path):
    """Return a function that copies a folder of the zoo, to be spoilt or deleted."""
    return lambda name: shutil.copytree(zoo / name, tmp_path / name)


def make_policy(robot, config, seed=0) -> Policy:
    rng = np.random.default_rng(0)
    statistics = JointStatistics.fit(rng.normal(size=(50, 6)), rng.normal(size=(50, 16, 6)),
                                     robot.is_gripper_J)
    torch.manual_seed(seed)
    return Policy(config, robot, statistics, *open_encoders(config)).to(
        memory_format=torch.channels_last).eval()


def save(path, policy) -> str:
    training = {'result': {}, 'weights': {}, 'episode_count': 0, 'frames': 0, 'steps': 0,
                'batch_size': 0, 'seed': 0}
    return save_checkpoint(path, policy, training, model_card(policy, training))


def some_images(robot, count=2):
    return {camera.name: torch.randint(0, 256, (count, 3, 40 + 8 * index, 64),
                                       dtype=torch.uint8)
            for index, camera in enumerate(robot.cameras)}


def one_step(policy, robot):
    """Take one step of gradient descent on all that a policy makes of a batch."""
    policy.train()
    optimizer = torch.optim.SGD(policy.parameters(), 1.0)
    joints_BJ = torch.zeros(2, 6)
    plan = policy(some_images(robot), *policy.sentences.batch(SENTENCES), joints_BJ, joints_BJ)
    plan.chunk_BTJ.square().sum().backward()
    optimizer.step()


def weights(encoder) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in encoder.pretrained.parameters()])


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
        (0.5,) * 3, (0.5,) * 3, shortest_edge=256, crop=(224, 224))
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
