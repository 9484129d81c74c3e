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
"""What a policy runs on: PyTorch for a checkpoint, ONNX for an exported one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args, Literal

from .exported import identity_of, is_export, read_manifest
from ..spec import RobotSpec

Precision = Literal['float32', 'bfloat16']
Compiling = Literal['off', 'on', 'cuda_graphs']
CPU = 'CPUExecutionProvider'


@dataclass(frozen=True)
class Engine:
    """
    What a policy runs on. Raises ValueError for an unknown choice.

    A checkpoint of PyTorch has ``device``, 'auto' for a GPU if there is one, ``precision`` and
    ``compiling``, by torch.compile, with CUDA graphs or without; an exported policy has a
    ``provider``, as in ``runtime``. ``threads`` are of the CPU, of either.
    """

    device: Literal['auto', 'cuda', 'cpu'] = 'auto'
    precision: Precision = 'float32'
    compiling: Compiling = 'off'
    provider: str = CPU
    threads: int = 1

    def __post_init__(self):
        for name, known in (('device', ('auto', 'cuda', 'cpu')),
                            ('precision', get_args(Precision)),
                            ('compiling', get_args(Compiling))):
            if getattr(self, name) not in known:
                raise ValueError(f'{name}: {getattr(self, name)!r} is none of '
                                 f'{", ".join(map(repr, known))}')


def open_policy(path: Path, robot: RobotSpec | None = None, engine: Engine | None = None):
    """
    Return a policy from a checkpoint or from an exported one.

    Raises what ``load_checkpoint`` and ``load_export`` do, and ValueError where the engine asks
    for what this kind of folder can't have. PyTorch is imported only for a checkpoint.
    """
    engine = engine or Engine()
    if is_export(path):
        _refuse(path, engine, 'an exported policy runs on its provider, as it was exported',
                device=('auto', 'cpu'), precision=('float32',), compiling=('off',))
        from .onnx_policy import load_export
        return load_export(path, robot, engine.provider, engine.threads)
    _refuse(path, engine, 'providers are of exported policies: python -m trimodal_ros.export',
            provider=(CPU,))
    from .accelerate import open_checkpoint
    return open_checkpoint(path, robot, engine)


def _refuse(path: Path, engine: Engine, why: str, **fitting: tuple[str, ...]) -> None:
    for name, values in fitting.items():
        if getattr(engine, name) not in values:
            raise ValueError(f'{name} {getattr(engine, name)!r} is not for {path}: {why}')


def identity(path: Path) -> str:
    """Return the content hash of a checkpoint, or of an exported policy."""
    if is_export(path):
        return identity_of(path)
    from .checkpoint import content_hash
    return content_hash(path)


def trained_for(path: Path) -> RobotSpec:
    """Return the robot of a checkpoint, or of an exported policy. Raises CheckpointError."""
    if is_export(path):
        return read_manifest(path).robot
    from .checkpoint import read_robot
    return read_robot(path)
