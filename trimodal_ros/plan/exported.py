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
The folder of an exported policy, read and checked; without PyTorch.

``policy.onnx`` sees and acts, ``language.onnx`` reads a sentence, ``tokenizer.json`` cuts it into
tokens, ``export.json`` says what the policy is and what the files have to be, by SHA-256; and a
model card. Its identity is the SHA-256 of ``export.json``, which has those of the others.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
import hashlib
import json
from pathlib import Path

from .folder import CARD, check_contents, check_fits, CheckpointError
from ..spec import RobotSpec

POLICY, LANGUAGE, TOKENIZER, MANIFEST = ('policy.onnx', 'language.onnx', 'tokenizer.json',
                                         'export.json')
FILES = (POLICY, LANGUAGE, TOKENIZER)
FORMAT = 1


@dataclass(frozen=True)
class Export:
    """
    What ``export.json`` says.

    ``tokens`` is how many a sentence is padded to, with ``pad_id``; ``masked``: the model is told
    which of them count. ``checked`` is what the export was compared with PyTorch on, and how far
    it was off. ``checkpoint`` is the content hash of what was exported.
    """

    checkpoint: str
    robot: RobotSpec
    decoder: str
    samples: bool
    tokens: int
    pad_id: int
    masked: bool
    opset: int
    files: dict[str, str]
    checked: dict
    made_with: dict[str, str]

    def to_json(self) -> str:
        return json.dumps({'format': FORMAT, **asdict(self), 'robot': self.robot.to_dict()},
                          indent=1) + '\n'


def is_export(path: Path) -> bool:
    """Tell an exported policy from a checkpoint of PyTorch."""
    return (Path(path) / MANIFEST).is_file()


def read_export(path: Path, robot: RobotSpec | None = None) -> tuple[Export, dict[str, bytes]]:
    """
    Return what the folder says of itself, and its files, whole and as they were written.

    Raises CheckpointError when anything is missing, damaged, changed or no part of it, or, with
    ``robot`` given, when it was made for another.
    """
    path = Path(path)
    check_contents(path, {'': (*FILES, MANIFEST, CARD)})
    manifest = _bytes(path, MANIFEST)
    export = _parsed(path, manifest)
    if robot is not None:
        check_fits(path, export.robot, robot)
    return export, {MANIFEST: manifest, **{
        name: _checked(path, name, export.files.get(name)) for name in FILES}}


def read_manifest(path: Path) -> Export:
    """Return what the folder says of itself. Raises CheckpointError where it is damaged."""
    return _parsed(path, _bytes(Path(path), MANIFEST))


def _parsed(path: Path, manifest: bytes) -> Export:
    try:
        plain = json.loads(manifest)
        version = plain.pop('format')
        if version != FORMAT:
            raise CheckpointError(f'checkpoint {path}: export format {version}, this code reads '
                                  f'{FORMAT}; export it again')
        plain['robot'] = RobotSpec.from_dict(plain['robot'])
        return Export(**{field.name: plain.pop(field.name) for field in fields(Export)}, **plain)
    except CheckpointError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f'checkpoint {path}: {MANIFEST} is damaged: {error!r}') from error


def _bytes(path: Path, name: str) -> bytes:
    try:
        return (path / name).read_bytes()
    except OSError as error:
        raise CheckpointError(f'checkpoint {path}: {name} is missing: {error}') from error


def _checked(path: Path, name: str, expected: str | None) -> bytes:
    data = _bytes(path, name)
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise CheckpointError(f'checkpoint {path}: {name} is not what was exported: its SHA-256 '
                              f'is {found[:16]}..., {MANIFEST} says {str(expected)[:16]}...; '
                              'export it again')
    return data


def identity_of(path: Path) -> str:
    """Return the first 16 hex digits of the SHA-256 of ``export.json``."""
    return manifest_hash((Path(path) / MANIFEST).read_bytes())


def manifest_hash(manifest: bytes) -> str:
    """Return the identity that ``identity_of`` does, of what was read of ``export.json``."""
    return hashlib.sha256(manifest).hexdigest()[:16]
