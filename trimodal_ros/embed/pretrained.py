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

"""
Pretrained encoders: where they come from, and a module that trains one or keeps it frozen.

Errors begin with the field of the policy's configuration: ``vision_encoder``,
``language_encoder``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
import json
from pathlib import Path

from safetensors import SafetensorError
import torch
from torch import nn
from transformers import (
    AutoConfig,
    CONFIG_MAPPING,
    MODEL_FOR_TEXT_ENCODING_MAPPING,
    MODEL_MAPPING,
    PreTrainedConfig,
    PreTrainedModel,
    Siglip2TextModel,
    SiglipTextModel,
)
from transformers.utils import logging

from .adapters import add_adapters, merge

PACKAGE_PREFIX = 'package:'
NOT_IN_AUTO_MODEL = {'siglip_text_model': SiglipTextModel, 'siglip2_text_model': Siglip2TextModel}
TOWERS = {'vision_encoder': ('vision_config', 'pixel_values'),
          'language_encoder': ('text_config', 'input_ids')}


class EncoderNotFound(FileNotFoundError):
    """The pretrained encoder a configuration names is not on this machine."""


def encoder_source(field: str, name: str) -> str:
    """
    Return the folder or hub name ``transformers`` loads.

    ``package:NAME`` means the folder with a model's ``config.json`` inside an installed Python
    package; a path is a local folder; anything else a hub name.
    """
    if name.startswith(PACKAGE_PREFIX):
        return _folder_in_package(field, name)
    if Path(name).is_dir() and not (Path(name) / 'config.json').is_file():
        raise EncoderNotFound(f'{field} {name!r}: the folder has no config.json; expected a '
                              'model saved by transformers')
    return name


def _folder_in_package(field: str, name: str) -> str:
    package = find_spec(name.removeprefix(PACKAGE_PREFIX))
    roots = [] if package is None else package.submodule_search_locations or []
    folders = sorted(path.parent for root in roots for path in Path(root).rglob('config.json')
                     if 'model_type' in json.loads(path.read_text()))
    if not folders:
        raise EncoderNotFound(f'{field} {name!r}: no such Python package with a model inside; '
                              'pip install -r requirements.txt')
    return str(folders[0])


def read_config(field: str, name: str) -> PreTrainedConfig:
    """Return the configuration of the model, or of the tower of it that the field needs."""
    source = encoder_source(field, name)
    try:
        config = AutoConfig.from_pretrained(source)
    except OSError as error:
        raise EncoderNotFound(f'{field} {name!r}: cannot load {source!r}; give a local folder, '
                              'or a hub name with network') from error
    except (ValueError, KeyError) as error:
        raise ValueError(f'{field} {name!r}: config.json is of no model that transformers '
                         f'knows: {error}') from error
    except ImportError as error:
        raise EncoderNotFound(f'{field} {name!r}: {error}') from error
    return getattr(config, TOWERS[field][0], config)


def config_from(field: str, name: str, plain: Mapping) -> PreTrainedConfig:
    """Return the configuration that a plain one, with ``model_type``, describes."""
    kind = plain.get('model_type') if isinstance(plain, Mapping) else None
    if kind not in CONFIG_MAPPING:
        raise ValueError(f'{field} {name!r}: model_type {kind!r} is none that transformers knows')
    try:
        config = CONFIG_MAPPING[kind].from_dict(dict(plain))
    except ImportError as error:  # timm models need timm and torchvision
        raise EncoderNotFound(f'{field} {name!r}: {error}') from error
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f'{field} {name!r}: no configuration of a {kind} model: '
                         f'{error}') from error
    return getattr(config, TOWERS[field][0], config)


def plain_config(config: PreTrainedConfig) -> dict:
    """Return what ``config_from`` takes, without a path of this machine."""
    plain = json.loads(config.to_json_string(use_diff=False))
    return {key: value for key, value in plain.items() if key != '_name_or_path'}


def build(field: str, name: str, config: PreTrainedConfig) -> PreTrainedModel:
    """Return the model with random weights."""
    try:
        return model_class(field, name, config)(config).float()
    except ImportError as error:
        raise EncoderNotFound(f'{field} {name!r}: {error}') from error


def load(field: str, name: str, config: PreTrainedConfig) -> PreTrainedModel:
    """Return the model with its weights, all of which have to be there but a pooler's."""
    kind, source = model_class(field, name, config), encoder_source(field, name)
    try:
        with quietly(shows_bars=not Path(source).is_dir()):   # of a download, bars
            model, found = kind.from_pretrained(source, config=config, dtype=torch.float32,
                                                output_loading_info=True)
    except (OSError, ImportError) as error:
        raise EncoderNotFound(f'{field} {name!r}: {error}') from error
    except (RuntimeError, SafetensorError) as error:
        raise ValueError(f'{field} {name!r}: weights do not fit the configuration: '
                         f'{error}') from error
    missing = sorted(key for key in found['missing_keys'] if 'pooler' not in key)
    if missing:
        raise ValueError(f'{field} {name!r}: weights are missing: {", ".join(missing[:3])} and '
                         f'{len(missing[3:])} more')
    return model


def model_class(field: str, name: str, config: PreTrainedConfig) -> type[PreTrainedModel]:
    """Return the encoder's class. Raises ValueError where the field needs another kind."""
    found = NOT_IN_AUTO_MODEL.get(config.model_type)
    for mapping in (MODEL_FOR_TEXT_ENCODING_MAPPING, MODEL_MAPPING):
        if found is None and type(config) in mapping:
            found = mapping[type(config)]
    takes = TOWERS[field][1]
    if found is None or found.main_input_name != takes:
        raise ValueError(f'{field} {name!r}: {config.model_type} is no such encoder; expected a '
                         f'transformers model of {takes}')
    return found


@contextmanager
def quietly(shows_bars: bool) -> Iterator[None]:
    """Keep transformers from reporting weights of the other tower, and from bars if wanted."""
    before, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    if had_bars and not shows_bars:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if had_bars and not shows_bars:
            logging.enable_progress_bar()


class PretrainedEncoder(nn.Module):
    """
    A model that is trained, or frozen, then with low-rank adapters or without.

    Frozen it is none of the module's parameters nor of its state, but its adapters are, and
    always in evaluation mode; it moves to another device with the module all the same. Raises
    ValueError for a model to be trained that has one weight under two names, which a checkpoint
    can't hold.
    """

    def __init__(self, field: str, pretrained: PreTrainedModel, frozen: bool,
                 adapter_rank: int = 0):
        super().__init__()
        places = [value.data_ptr() for value in pretrained.state_dict().values() if value.numel()]
        if not frozen and len(set(places)) < len(places):
            raise ValueError(f'{field}: {type(pretrained).__name__} shares weights between '
                             'layers and can only be used frozen')
        self.frozen = frozen
        self._hidden = [pretrained.eval().requires_grad_(False)] if frozen else []
        if not frozen:
            self.model = pretrained
        self.adapters = add_adapters(field, pretrained, adapter_rank) if adapter_rank else None

    @property
    def pretrained(self) -> PreTrainedModel:
        return self._hidden[0] if self.frozen else self.model

    @property
    def learns(self) -> bool:
        """Whether anything of it is trained."""
        return not self.frozen or self.adapters is not None

    def merge_adapters(self) -> None:
        """Make the adapters part of the weights; what is left is frozen."""
        if self.adapters is not None:
            merge(self.pretrained)
            self.adapters = None

    def _apply(self, fn, recurse=True):
        for model in self._hidden:
            model._apply(fn, recurse)
        return super()._apply(fn, recurse)
