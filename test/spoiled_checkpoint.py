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

"""Checkpoint folders that must be refused, by what was done to them."""

from hashlib import sha256
import json
from pathlib import Path
import pickle

from safetensors.torch import load_file, save_file

WEIGHTS = 'model.safetensors'


def _add(name: str, data: bytes = b'anything'):
    def spoil(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    return spoil


def _lead_outside(name: str):
    """Move a file or folder out, or make a folder there, and leave a link to it."""
    def spoil(folder: Path) -> None:
        link, outside = folder / name, folder.with_name(f'{folder.name}_outside')
        outside.mkdir()
        link.parent.mkdir(exist_ok=True)
        if link.exists():
            link.rename(outside / link.name)
        else:
            (outside / link.name).mkdir()
        link.symlink_to(outside / link.name)
    return spoil


def _flip_a_bit(folder: Path) -> None:
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (folder / WEIGHTS).write_bytes(data)


def record(folder: Path, recorded: dict | None = None) -> None:
    """Write what the weights' SHA-256 is said to be; by default what it is."""
    if recorded is None:
        recorded = {WEIGHTS: sha256((folder / WEIGHTS).read_bytes()).hexdigest()}
    config = json.loads((folder / 'config.json').read_text())
    (folder / 'config.json').write_text(json.dumps({**config, 'sha256': recorded}))


def _reshape(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    weights['decoder.head.4.bias'] = weights['decoder.head.4.bias'][:-1].clone()
    save_file(weights, folder / WEIGHTS)
    record(folder)


# What was done, and what the refusal says.
SPOILED = {
    'a file more': (_add('notes.txt'), "'notes.txt' is no part of a checkpoint"),
    'a hidden file': (_add('.config.json.swp'), "'.config.json.swp' is no part of"),
    'a folder more': (_add('code/model.py'), "'code' is no part of"),
    'a pickle': (_add('model.pt', pickle.dumps({})), "'model.pt' is a pickle, which runs code"),
    'weights of torch': (_add('pytorch_model.bin'), "'pytorch_model.bin' is a pickle"),
    'a pickle with the tokenizer': (_add('tokenizer/added.pkl'),
                                    "'tokenizer/added.pkl' is a pickle"),
    'a file with the tokenizer': (_add('tokenizer/run.py'), "'tokenizer/run.py' is no part of"),
    'weights elsewhere': (_lead_outside(WEIGHTS), f'{WEIGHTS!r} leads out of the folder'),
    'a tokenizer elsewhere': (_lead_outside('tokenizer'), "'tokenizer' leads out of the folder"),
    'a tokenizer file elsewhere': (_lead_outside('tokenizer/tokenizer.json'),
                                   "'tokenizer/tokenizer.json' leads out of the folder"),
    'another bit': (_flip_a_bit, 'was changed after it had been saved'),
    'weights nobody recorded': (lambda folder: record(folder, {}), 'expected {}'),
    'weights that are missing': (lambda folder: record(folder, {'a.safetensors': ''}),
                                 "expected {'a.safetensors': ''}"),
    'another shape': (_reshape, 'decoder.head.4.bias: copying a param with shape '
                                'torch.Size([95])'),
}
