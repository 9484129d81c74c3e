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
A checkpoint folder: ``model.safetensors``, ``config.json`` and a model card, no pickle.

With a trained language encoder there is a folder ``tokenizer`` too. Frozen encoders are named, not
stored. A checkpoint's identity is the SHA-256 of all but the card.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
import hashlib
import json
from pathlib import Path
import shutil

from safetensors import SafetensorError
from safetensors.torch import load, save
import torch

from .encoders import describe_encoders, open_encoders, TOKENIZER
from .exported import is_export
from .folder import CARD, check_contents, check_fits, CheckpointError
from .normalize import JointStatistics
from .policy import DecoderName, Policy, PolicyConfig
from ..spec import RobotSpec

WEIGHTS, CONFIG = 'model.safetensors', 'config.json'
FORMAT = 3
HEAD = 'decoder.head.'
PARTS = (WEIGHTS, CONFIG, CARD)
TOKENIZER_PARTS = (  # what the tokenizers of transformers write
    'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json',
    'chat_template.jinja', 'vocab.txt', 'vocab.json', 'merges.txt', 'spiece.model',
    'sentencepiece.bpe.model', 'tokenizer.model')


def save_checkpoint(path: Path, policy: Policy, training: Mapping, card: str) -> str:
    """
    Write the folder and return its content hash.

    Written beside ``path`` and renamed, so that there is never half a checkpoint; an existing
    checkpoint at ``path`` is replaced. ``training`` is the provenance, plain data.
    """
    path = Path(path)
    check_replaceable(path)
    partial = path.with_name(path.name + '.partial')
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    state = {name: value.contiguous().cpu() for name, value in policy.state_dict().items()}
    weights = save(state)
    config = {
        'format': FORMAT, 'policy': asdict(policy.config),
        'encoders': describe_encoders(policy), 'robot': policy.robot.to_dict(),
        'normalization': policy.statistics.to_dict(), 'sha256': _checksums(weights),
        'training': dict(training)}
    (partial / WEIGHTS).write_bytes(weights)
    (partial / CONFIG).write_text(json.dumps(config, indent=1) + '\n')
    (partial / CARD).write_text(card)
    if not policy.config.language_frozen:
        policy.sentences.save_tokenizer(partial / TOKENIZER)
    if path.exists():
        shutil.rmtree(path)
    partial.rename(path)
    return content_hash(path)


def check_replaceable(path: Path) -> None:
    """Raise CheckpointError where something else than a checkpoint would be replaced by one."""
    try:
        if path.exists():
            read_config(path)
    except CheckpointError as error:
        raise CheckpointError(f'{path} is there already and no checkpoint, so none is written '
                              f'in its place: {error}') from error


def content_hash(path: Path) -> str:
    """Return the first 16 hex digits of the SHA-256 of weights, config and tokenizer."""
    path = Path(path)
    return _content_hash(path, (path / WEIGHTS).read_bytes(), (path / CONFIG).read_bytes())


def _content_hash(path: Path, weights: bytes, config: bytes) -> str:
    digest = hashlib.sha256(weights)
    digest.update(config)
    for file in sorted((path / TOKENIZER).glob('*')):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _checksums(weights: bytes) -> dict[str, str]:
    return {WEIGHTS: hashlib.sha256(weights).hexdigest()}


def read_config(path: Path) -> dict:
    """Return ``config.json``. Raises CheckpointError when the folder is not a checkpoint."""
    path = Path(path)
    _check_folder(path)
    return _config(path, (path / CONFIG).read_bytes())


def _check_folder(path: Path) -> None:
    if not path.is_dir():
        raise CheckpointError(f'checkpoint {path} ' + (
            'is a file, not a folder' if path.exists() else 'does not exist'))
    if is_export(path):
        raise CheckpointError(f'checkpoint {path} is an exported policy, which only plans; give '
                              'the checkpoint it was exported from')
    check_contents(path, {'': (*PARTS, TOKENIZER), TOKENIZER: TOKENIZER_PARTS})
    for name in (WEIGHTS, CONFIG):
        if not (path / name).is_file():
            raise CheckpointError(f'checkpoint {path}: {name} is missing')


def _config(path: Path, text: bytes) -> dict:
    try:
        config = json.loads(text)
        version = config['format']
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f'checkpoint {path}: {CONFIG} is damaged: {error!r}') from error
    if version != FORMAT:
        raise CheckpointError(f'checkpoint {path}: format {version}, this code reads {FORMAT}')
    return config


def read_policy_config(path: Path) -> PolicyConfig:
    """Return a checkpoint's architecture. Raises CheckpointError where the folder is damaged."""
    return _parse(path, read_config(path))[2]


def read_robot(path: Path) -> RobotSpec:
    """Return the robot of a checkpoint. Raises CheckpointError where the folder is damaged."""
    return _parse(path, read_config(path))[0]


def _parse(path: Path, config: Mapping) -> tuple[RobotSpec, JointStatistics, PolicyConfig]:
    try:
        return (RobotSpec.from_dict(config['robot']),
                JointStatistics.from_dict(config['normalization']),
                PolicyConfig(**config['policy']))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f'checkpoint {path}: {CONFIG} is damaged: {error!r}') from error


def load_checkpoint(path: Path, device: str | torch.device = 'cpu',
                    robot: RobotSpec | None = None,
                    decoder: DecoderName | None = None) -> Policy:
    """
    Return the policy in evaluation mode on ``device``.

    With another ``decoder`` than its own the head of the decoder has fresh weights.
    Raises CheckpointError when the folder is damaged, when weights aren't those that were saved
    (of checkpoints from before they were noted nobody knows) or, with ``robot`` given, when it was
    trained for other joints, cameras, rate or horizon; EncoderNotFound or ValueError, naming the
    field, for a frozen encoder that is not here or not the same.
    """
    path = Path(path)
    _check_folder(path)
    weights, config_text = (path / WEIGHTS).read_bytes(), (path / CONFIG).read_bytes()
    config = _config(path, config_text)
    _check_weights(path, weights, config)
    trained_for, statistics, policy_config = _parse(path, config)
    if robot is not None:
        check_fits(path, trained_for, robot)
    try:
        encoders = open_encoders(policy_config, device, path, config.get('encoders'))
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f'checkpoint {path}: encoders in {CONFIG} are damaged: '
                              f'{error!r}') from error
    fresh = decoder is not None and decoder != policy_config.decoder
    if fresh:
        policy_config = replace(policy_config, decoder=decoder)
    policy = Policy(policy_config, trained_for, statistics, *encoders)
    _load_weights(path, policy, weights, fresh)
    policy.content_hash = _content_hash(path, weights, config_text)
    return policy.to(device, memory_format=torch.channels_last).eval()


def _check_weights(path: Path, weights: bytes, config: Mapping) -> None:
    """Raise CheckpointError for weights that aren't those that were saved, where it is known."""
    found = _checksums(weights)
    if config.get('sha256', found) != found:
        raise CheckpointError(
            f'checkpoint {path}: {WEIGHTS} is damaged, or was changed after it had been saved: '
            f'its SHA-256 is {found[WEIGHTS]}, expected {config["sha256"]}; copy the checkpoint '
            'again')


def _load_weights(path: Path, policy: Policy, weights: bytes, fresh_head: bool) -> None:
    try:
        state = load(weights)
        if fresh_head:
            state = {**{name: value for name, value in state.items()
                        if not name.startswith(HEAD)},
                     **{name: value for name, value in policy.state_dict().items()
                        if name.startswith(HEAD)}}
        _check_width(path, policy, state.get('language.pool.query_QK'))
        policy.load_state_dict(state)
    except SafetensorError as error:
        raise CheckpointError(f'checkpoint {path}: {WEIGHTS} is damaged: {error}') from error
    except RuntimeError as error:
        raise CheckpointError(f'checkpoint {path}: {WEIGHTS} does not fit {CONFIG}: '
                              f'{error}') from error


def _check_width(path: Path, policy: Policy, query_QW: torch.Tensor | None) -> None:
    if query_QW is not None and query_QW.shape[1] != policy.sentences.width:
        raise CheckpointError(
            f'checkpoint {path}: language_encoder {policy.config.language_encoder!r} has tokens '
            f'of {policy.sentences.width} numbers, it was trained with {query_QW.shape[1]}')
