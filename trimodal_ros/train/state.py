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

"""Training state on disk: one safetensors file, enough to resume at the same step exactly."""

from __future__ import annotations

from collections.abc import Mapping
import json
import os
from pathlib import Path

from safetensors import safe_open, SafetensorError
from safetensors.torch import load_file, save_file
import torch
from torch import nn

STATE = 'state.safetensors'
Modules = Mapping[str, nn.Module]


class ResumeError(ValueError):
    """The state on disk is damaged or belongs to another run."""


def save_state(folder: Path, step: int, settings: Mapping, modules: Modules,
               optimizer: torch.optim.Optimizer, memory: Mapping[str, torch.Tensor]) -> None:
    """
    Write step, settings, modules, optimizer moments and ``memory``.

    All in one file that is renamed when whole: killed at any moment, this state is there or
    still the previous one, and never a step with another's tensors.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f'{part}.{name}': value.contiguous() for part, module in modules.items()
               for name, value in module.state_dict().items()}
    tensors.update({f'memory.{name}': value.contiguous() for name, value in memory.items()})
    for index, moments in optimizer.state_dict()['state'].items():
        for name, value in moments.items():
            tensors[f'optimizer.{index}.{name}'] = value.contiguous()
    partial = folder / (STATE + '.partial')
    save_file(tensors, partial, metadata={'step': str(step), 'settings': json.dumps(settings)})
    os.replace(partial, folder / STATE)


def saved_step(folder: Path, settings: Mapping) -> int:
    """
    Return the step of the state in ``folder``, 0 where there is none.

    Raises ResumeError where it is damaged, and where the run had other settings.
    """
    path = folder / STATE
    if not path.exists():
        return 0
    try:
        with safe_open(path, 'pt') as file:
            metadata = file.metadata()
        step, saved = int(metadata['step']), json.loads(metadata['settings'])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ResumeError(f'{path} is damaged ({error}); delete {folder} to start afresh'
                          ) from error
    _check_same(folder, saved, json.loads(json.dumps(settings)))
    return step


def _check_same(folder: Path, saved: Mapping, settings: Mapping) -> None:
    changed = [f'{name}: {saved.get(name)}, now {settings.get(name)}'
               for name in sorted({**saved, **settings})
               if saved.get(name) != settings.get(name)]
    if changed:
        raise ResumeError(f'{folder} holds a run with other settings ({"; ".join(changed)}); '
                          'name another --out, or delete that folder to start afresh')


def load_state(folder: Path, settings: Mapping, modules: Modules,
               optimizer: torch.optim.Optimizer) -> tuple[int, dict[str, torch.Tensor]]:
    """
    Restore what ``save_state`` wrote; return the step and the ``memory``.

    Where nothing was written, nothing is restored and the step is 0. Raises ResumeError where
    the state is damaged, of other settings, or of code with other modules.
    """
    step = saved_step(folder, settings)
    if step == 0:
        return 0, {}
    parts = {}
    for name, value in load_file(folder / STATE).items():
        part, _, rest = name.partition('.')
        parts.setdefault(part, {})[rest] = value
    _restore_modules(folder, parts, modules)
    _restore_optimizer(parts.get('optimizer', {}), optimizer)
    return step, parts.get('memory', {})


def _restore_modules(folder: Path, parts: Mapping, modules: Modules) -> None:
    for part, module in modules.items():
        try:
            module.load_state_dict(parts.get(part, {}))
        except RuntimeError as error:
            raise ResumeError(f'{folder} holds another {part} than this code makes ({error}); '
                              'delete it to start afresh') from error


def _restore_optimizer(saved: Mapping[str, torch.Tensor],
                       optimizer: torch.optim.Optimizer) -> None:
    moments = {}
    for name, value in saved.items():
        index, moment = name.split('.')
        moments.setdefault(int(index), {})[moment] = value
    groups = optimizer.state_dict()['param_groups']
    optimizer.load_state_dict({'state': moments, 'param_groups': groups})
