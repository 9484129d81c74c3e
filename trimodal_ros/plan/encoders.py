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

"""The pretrained encoders a configuration names, from their source or from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from .policy import Policy, PolicyConfig
from ..embed.language import SentenceEncoder
from ..embed.pretrained_vision import VisionBackbone

TOKENIZER = 'tokenizer'  # folder in a checkpoint


def open_encoders(config: PolicyConfig, device: str | torch.device = 'cpu',
                  checkpoint: Path | None = None, described: Mapping | None = None,
                  ) -> tuple[SentenceEncoder, VisionBackbone | None]:
    """
    Return the sentence encoder and, unless vision is the convolutional encoder, the backbone.

    ``described``, what ``describe_encoders`` returned, builds trained ones as they are in
    ``checkpoint``; their weights are to be loaded after. Raises EncoderNotFound or ValueError,
    naming the field.
    """
    language = vision = None
    if described is not None:
        language = None if config.language_frozen else described['language']
        vision = described['vision'] if config.vision_encoder else None
    sentences = SentenceEncoder(config.language_encoder, device, config.language_frozen, language,
                                checkpoint / TOKENIZER if language else None,
                                config.language_adapter_rank)
    if not config.vision_encoder:
        return sentences, None
    return sentences, VisionBackbone(config.vision_encoder, config.vision_frozen, vision,
                                     config.vision_adapter_rank).to(device)


def describe_encoders(policy: Policy) -> dict:
    """Return what a checkpoint has to know of its pretrained encoders, as plain data."""
    described = {}
    if policy.config.vision_encoder:
        described['vision'] = policy.vision.backbone.describe()
    if not policy.config.language_frozen:
        described['language'] = policy.sentences.describe()
    return described
