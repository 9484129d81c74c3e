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

from ..plan.policy import Policy

TENSORS, SETTINGS = 'state.safetensors', 'state.json'


class ResumeError(ValueError):
    """The state on disk belongs to another run."""


def save_state(folder: Path, step: int, settings: Mapping, policy: Policy,
               optimizer: torch.optim.Optimizer) -> None:
    """Write weights and optimizer moments; the previous state stays until this one is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f'policy.{name}': value.contiguous()
               for name, value in policy.state_dict().items()}
    for index, moments in optimizer.state_dict()['state'].items():
        for name, value in moments.items():
            tensors[f'optimizer.{index}.{name}'] = value.contiguous()
    partial = folder / (TENSORS + '.partial')
    save_file(tensors, partial, metadata={'step': str(step), 'settings': json.dumps(settings)})
    os.replace(partial, folder / TENSORS)
    (folder / SETTINGS).write_text(json.dumps({'step': step, **settings}, indent=1) + '\n')


def load_state(folder: Path, settings: Mapping, policy: Policy,
               optimizer: torch.optim.Optimizer) -> int:
    """Restore what ``save_state`` wrote and return its step. Raises ResumeError."""
    saved = json.loads((folder / SETTINGS).read_text())
    step = saved.pop('step')
    if saved != json.loads(json.dumps(settings)):
        changed = sorted(key for key in settings if saved.get(key) != settings[key])
        raise ResumeError(f'{folder} holds a run with other settings ({", ".join(changed)}); '
                          'name another --out, or delete that folder to start afresh')
    tensors = load_file(folder / TENSORS)
    policy.load_state_dict({name.removeprefix('policy.'): value
                            for name, value in tensors.items() if name.startswith('policy.')})
    moments = {}
    for name, value in tensors.items():
        if name.startswith('optimizer.'):
            _, index, moment = name.split('.')
            moments.setdefault(int(index), {})[moment] = value
    groups = optimizer.state_dict()['param_groups']
    optimizer.load_state_dict({'state': moments, 'param_groups': groups})
    return step
