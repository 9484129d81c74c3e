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

"""Training state on disk: safetensors and JSON, enough to resume at the same step exactly."""

from __future__ import annotations

from collections.abc import Mapping
import json
import os
from pathlib import Path

from safetensors.torch import load_file, save_file
import torch
from torch import nn

TENSORS, SETTINGS = 'state.safetensors', 'state.json'
Modules = Mapping[str, nn.Module]


class ResumeError(ValueError):
    """The state on disk belongs to another run."""


def save_state(folder: Path, step: int, settings: Mapping, modules: Modules,
               optimizer: torch.optim.Optimizer, memory: Mapping[str, torch.Tensor]) -> None:
    """
    Write modules, optimizer moments and ``memory``.

    The previous state stays until this one is whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f'{part}.{name}': value.contiguous() for part, module in modules.items()
               for name, value in module.state_dict().items()}
    tensors.update({f'memory.{name}': value.contiguous() for name, value in memory.items()})
    for index, moments in optimizer.state_dict()['state'].items():
        for name, value in moments.items():
            tensors[f'optimizer.{index}.{name}'] = value.contiguous()
    partial = folder / (TENSORS + '.partial')
    save_file(tensors, partial, metadata={'step': str(step), 'settings': json.dumps(settings)})
    os.replace(partial, folder / TENSORS)
    (folder / SETTINGS).write_text(json.dumps({'step': step, **settings}, indent=1) + '\n')


def load_state(folder: Path, settings: Mapping, modules: Modules,
               optimizer: torch.optim.Optimizer) -> tuple[int, dict[str, torch.Tensor]]:
    """
    Restore what ``save_state`` wrote; return the step and the ``memory``.

    Raises ResumeError where the run in ``folder`` has other settings.
    """
    saved = json.loads((folder / SETTINGS).read_text())
    step = saved.pop('step')
    if saved != json.loads(json.dumps(settings)):
        changed = sorted(key for key in settings if saved.get(key) != settings[key])
        raise ResumeError(f'{folder} holds a run with other settings ({", ".join(changed)}); '
                          'name another --out, or delete that folder to start afresh')
    parts = {}
    for name, value in load_file(folder / TENSORS).items():
        part, _, rest = name.partition('.')
        parts.setdefault(part, {})[rest] = value
    for part, module in modules.items():
        module.load_state_dict(parts.get(part, {}))
    moments = {}
    for name, value in parts.get('optimizer', {}).items():
        index, moment = name.split('.')
        moments.setdefault(int(index), {})[moment] = value
    groups = optimizer.state_dict()['param_groups']
    optimizer.load_state_dict({'state': moments, 'param_groups': groups})
    return step, parts.get('memory', {})
