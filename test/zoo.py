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

"""Small encoders built from configuration, and policies on them."""


import numpy as np
import torch
from transformers import (
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
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    SwinConfig,
    SwinModel,
    ViTImageProcessorPil,
)

from trimodal_ros.embed.pretrained import encoder_source
from trimodal_ros.plan.checkpoint import (
    save_checkpoint,
)
from trimodal_ros.plan.encoders import open_encoders
from trimodal_ros.plan.normalize import JointStatistics
from trimodal_ros.plan.policy import Policy, PolicyConfig
from trimodal_ros.train.card import model_card

MINILM = PolicyConfig().language_encoder
VIT = {'hidden_size': 32, 'intermediate_size': 64, 'num_hidden_layers': 2,
       'num_attention_heads': 4, 'image_size': 32, 'patch_size': 8}
TEXT = {'hidden_size': 32, 'intermediate_size': 64, 'num_hidden_layers': 2,
        'num_attention_heads': 4, 'vocab_size': 30522, 'max_position_embeddings': 24}
SMALL = PolicyConfig(embed_dim=16, vision_width=32, motion_width=16)
CROP = {'size': {'shortest_edge': 36}, 'crop_size': {'height': 32, 'width': 32}}
SENTENCES = ['put it there', 'move the red cube onto the small plate']


def build_zoo(root):
    """Write folders as ``save_pretrained`` does, each with its own image processor."""
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


def make_policy(robot, config, seed=0) -> Policy:
    rng = np.random.default_rng(0)
    statistics = JointStatistics.fit(rng.normal(size=(50, 6)), rng.normal(size=(50, 16, 6)),
                                     robot.is_gripper_J)
    torch.manual_seed(seed)
    return Policy(config, robot, statistics, *open_encoders(config)).to(
        memory_format=torch.channels_last).eval()


def save(path, policy) -> str:
    training = {'result': {}, 'weights': {}, 'episode_count': 0, 'held_out_count': 0,
                'frames': 0, 'steps': 0, 'windows': 0, 'seed': 0, 'initial': '',
                'data': {'used': {}, 'left_out': {}, 'episodes_left_out': {}}}
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
