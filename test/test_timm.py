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


"""Vision models of timm, through transformers; skipped where timm isn't installed."""

import numpy as np
from PIL import Image
import pytest
import torch
from transformers import TimmWrapperConfig, TimmWrapperModel

from trimodal_ros.embed.pixels import crop_middle
from trimodal_ros.embed.pretrained_vision import VisionBackbone

SMALL_VIT = {'img_size': 32, 'patch_size': 8, 'depth': 2, 'embed_dim': 32, 'num_heads': 4}


@pytest.mark.parametrize('have, first', [(32, 0), (33, 0), (34, 1), (35, 2), (36, 2), (37, 2)])
def test_margin_is_rounded_to_even(have, first):
    """Catches an image cropped one pixel beside what timm's model was trained on."""
    line = torch.arange(float(have)).expand(1, 1, have, have)
    assert crop_middle(line, (32, 32), round_margin=True)[0, 0, 0, 0] == first


@pytest.mark.parametrize('architecture, options, shape', [
    ('vit_tiny_patch16_224', SMALL_VIT, (32, 4, 4)), ('resnet10t', {}, (512, 6, 6)),
    ('convnext_atto', {}, (320, 7, 7))])
def test_timm_model_sees_what_timm_shows_it(tmp_path, architecture, options, shape):
    """Catches a resize, a crop or a map of patches that isn't timm's own."""
    timm = pytest.importorskip('timm')
    from timm.data import create_transform, resolve_data_config
    described = dict(timm.create_model(architecture).pretrained_cfg)
    if options:
        described['input_size'] = (3, options['img_size'], options['img_size'])
    TimmWrapperModel(TimmWrapperConfig.from_dict({
        'architecture': architecture, 'model_args': options, 'num_classes': 0,
        'pretrained_cfg': described})).save_pretrained(tmp_path)
    backbone = VisionBackbone(str(tmp_path)).eval()
    pixels_HWC = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    image_BCHW = torch.from_numpy(pixels_HWC).permute(2, 0, 1)[None]
    shown = create_transform(**resolve_data_config(described))(Image.fromarray(pixels_HWC))
    std_C11 = torch.tensor(described['std'])[:, None, None]
    difference = (backbone.preprocessing(image_BCHW)[0] - shown) * std_C11
    assert difference.abs().max() <= 1 / 255
    assert backbone(image_BCHW).shape[1:] == shape
