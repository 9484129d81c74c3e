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

"""What a pretrained vision encoder's folder says about the pixels it takes."""

from __future__ import annotations

from collections.abc import Mapping

from transformers import AutoImageProcessor, PreTrainedConfig
from transformers.image_processing_backends import PilBackend
from transformers.image_processing_base import ImageProcessingMixin

from .pixels import Preprocessing
from .pretrained import encoder_source
from .vision import MEAN, STD

FIELD = 'vision_encoder'
KERNELS = {2: 'bilinear', 3: 'bicubic'}  # by Pillow's number
STEPS = {'do_resize': ('size', 'resample'), 'do_center_crop': ('crop_size',),
         'do_rescale': ('rescale_factor',), 'do_normalize': ('image_mean', 'image_std')}
CROP_BELOW = 384  # ConvNextImageProcessor crops from smaller sizes on, and squeezes to larger ones
WITHOUT_EFFECT = {  # on RGB images given as a tensor
    'image_processor_type', 'feature_extractor_type', 'processor_class', 'do_convert_rgb',
    'default_to_square', 'data_format', 'input_data_format', 'return_tensors', 'device',
    'disable_grouping', '_valid_processor_keys', 'pad_size', 'image_seq_length'}
KNOWN = {*STEPS, *sum(STEPS.values(), ()), *WITHOUT_EFFECT, 'crop_pct'}


def read_preprocessing(name: str, config: PreTrainedConfig) -> Preprocessing:
    """
    Return what the encoder's image processor does; without one, what its configuration says.

    Raises ValueError naming what isn't supported, or what neither of them says.
    """
    if config.model_type == 'timm_wrapper':
        return from_timm(name, config.pretrained_cfg)
    source = encoder_source(FIELD, name)
    try:
        options, _ = ImageProcessingMixin.get_image_processor_dict(source)
    except OSError:
        if getattr(config, 'image_mean', None) is None:
            raise ValueError(f'{FIELD} {name!r}: there is no preprocessor_config.json, and '
                             'config.json has no image_mean and image_std') from None
        return from_config(config)
    if not str(options.get('image_processor_type')).startswith('DINOv3ViT'):  # needs torchvision
        options = _with_defaults(name, source)
    return from_options(name, options)


def _with_defaults(name: str, source: str) -> dict:
    """Return all options. Refuses a processor with steps of its own, but ConvNext's."""
    processor = AutoImageProcessor.from_pretrained(source, backend='pil')
    kind = type(processor)
    if kind.__name__ == 'ConvNextImageProcessorPil':
        return {**processor.to_dict(), 'crop_pct': processor.crop_pct}
    if getattr(kind, '_preprocess', None) is not PilBackend._preprocess:
        raise ValueError(f'{FIELD} {name!r}: image processor {kind.__name__} has steps of its '
                         'own, which are not supported')
    return processor.to_dict()


def from_options(name: str, options: Mapping) -> Preprocessing:
    """Return what the options of a ``preprocessor_config.json`` ask for; none has a default."""
    asked = {key: options.get(key) for switch, keys in STEPS.items() if options.get(switch)
             for key in keys}
    missing = [key for key, value in asked.items() if value is None]
    unsupported = [key for key, value in options.items() if value and key not in KNOWN]
    if missing or unsupported:
        raise ValueError(f'{FIELD} {name!r}: preprocessor_config.json lacks {missing}, and has '
                         f'{unsupported}, which are not supported')
    values = {'crop': _height_width(asked['crop_size'])} if 'crop_size' in asked else {}
    if 'size' in asked:
        values.update(_sizes(name, asked['size'], options.get('crop_pct')),
                      kernel=_kernel(name, asked['resample']))
    return Preprocessing(tuple(asked.get('image_mean', (0.0,) * 3)),
                         tuple(asked.get('image_std', (1.0,) * 3)),
                         asked.get('rescale_factor', 1.0), **values)


def _height_width(size: Mapping) -> tuple[int, int]:
    return size['height'], size['width']


def _sizes(name: str, size: Mapping, crop_share: float | None) -> dict:
    if set(size) == {'height', 'width'}:
        return {'resize': _height_width(size)}
    if set(size) != {'shortest_edge'}:
        raise ValueError(f'{FIELD} {name!r}: preprocessor_config.json gives size as '
                         f'{sorted(size)}; supported are shortest_edge, or height and width')
    edge = size['shortest_edge']
    if crop_share is None:
        return {'shortest_edge': edge}
    if edge >= CROP_BELOW:
        return {'resize': (edge, edge)}
    return {'shortest_edge': int(edge / crop_share), 'crop': (edge, edge)}


def _kernel(name: str, number: int) -> str:
    if int(number) not in KERNELS:
        raise ValueError(f'{FIELD} {name!r}: preprocessor_config.json has resample {number}; '
                         f'supported are {KERNELS}')
    return KERNELS[int(number)]


def from_config(config: PreTrainedConfig) -> Preprocessing:
    """Return the ``image_size``, ``image_mean`` and ``image_std`` of a model's configuration."""
    size = getattr(config, 'image_size', None)
    return Preprocessing(tuple(getattr(config, 'image_mean', None) or (MEAN,) * 3),
                         tuple(getattr(config, 'image_std', None) or (STD,) * 3),
                         resize=(size, size) if isinstance(size, int) else size)


def from_timm(name: str, options: Mapping) -> Preprocessing:
    """Return what timm does when it evaluates: resize the shorter edge, crop the middle."""
    missing = [key for key in ('input_size', 'mean', 'std', 'interpolation', 'crop_pct')
               if key not in options]
    if missing:
        raise ValueError(f'{FIELD} {name!r}: pretrained_cfg lacks {missing}')
    _, height, width = options['input_size']
    for what, got, supported in (
            ('interpolation', options['interpolation'], list(KERNELS.values())),
            ('crop_mode', options.get('crop_mode', 'center'), ['center']),
            ('input_size', width, [height])):
        if got not in supported:
            raise ValueError(f'{FIELD} {name!r}: pretrained_cfg has {what} {got}; supported: '
                             f'{supported}')
    return Preprocessing(tuple(options['mean']), tuple(options['std']),
                         shortest_edge=int(height / options['crop_pct']),
                         crop=(height, width), kernel=options['interpolation'],
                         round_margin=True)
