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
Low-rank adapters: a frozen encoder that learns a little (LoRA, Hu 2021).

To each linear layer W they add B A, with A [r, K] random and B [K, r] zero at first: an encoder
begins as it was. They are put in by ``peft``, without dropout, scaled by alpha / r = 2.
"""

from __future__ import annotations

import re

import torch
from torch import nn

SCALE = 2
UNUSED = {'pooler', 'head', 'visual_projection', 'text_projection'}  # behind the features


def add_adapters(field: str, model: nn.Module, rank: int) -> nn.ModuleDict:
    """
    Put adapters of a rank into a frozen model, in place; return them.

    Raises ValueError, naming the field, for a model without linear layers.
    """
    from peft import inject_adapter_in_model, LoraConfig
    from peft.tuners.lora import Linear
    names = [name for name, module in model.named_modules()
             if isinstance(module, nn.Linear) and not set(name.split('.')) & UNUSED]
    if not names:
        raise ValueError(f'{field}: {type(model).__name__} has no linear layer for an adapter')
    inject_adapter_in_model(LoraConfig(
        r=rank, lora_alpha=SCALE * rank, target_modules='|'.join(map(re.escape, names))), model)
    layers = {name: module for name, module in model.named_modules()
              if isinstance(module, Linear)}
    model.requires_grad_(False)
    adapters = nn.ModuleDict({name.replace('.', '/'): nn.ModuleDict(
        {'down': layer.lora_A, 'up': layer.lora_B}) for name, layer in layers.items()})
    return adapters.requires_grad_(True)


@torch.no_grad()
def merge(model: nn.Module) -> None:
    """Add the adapters to the weights of their layers, and leave the layers plain again."""
    from peft.tuners.lora import Linear
    for name, layer in [(name, module) for name, module in model.named_modules()
                        if isinstance(module, Linear)]:
        layer.merge(safe_merge=True)  # refuses what is not finite
        parent, _, last = name.rpartition('.')
        setattr(model.get_submodule(parent), last, layer.get_base_layer())
