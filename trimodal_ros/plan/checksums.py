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

"""SHA-256 of the tensor files of a checkpoint: recorded when it is saved, checked when loaded."""

from __future__ import annotations

from collections.abc import Mapping
import hashlib
from pathlib import Path

SUFFIX = '.safetensors'


def checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256, in hex, of every tensor file of a folder, by name."""
    return {file.name: sha256_of(file) for file in sorted(Path(folder).glob('*' + SUFFIX))}


def find_mismatch(folder: Path, recorded: Mapping[str, str]) -> str:
    """
    Return what is wrong with a folder's tensor files, '' where all are as recorded.

    One that isn't recorded is wrong, too.
    """
    found = checksums(folder)
    for name in sorted({*recorded, *found}):
        if name not in found:
            return f'{name} is recorded and missing'
        if recorded.get(name) != found[name]:
            return (f'{name} is damaged, or was changed after it had been saved: its SHA-256 is '
                    f'{found[name]}, expected {recorded.get(name)}; copy the checkpoint again')
    return ''


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with file.open('rb') as stream:
        return hashlib.file_digest(stream, 'sha256').hexdigest()
