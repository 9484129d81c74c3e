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
"""From a checkpoint folder to an exported one, which is compared with it before it is there."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from itertools import chain
from pathlib import Path
import shutil

from .compare import compare, random_observations, recorded_observations
from .graphs import acting_graph, OPSET, reading_graph
from .tokens import tokenizer_json
from ..plan.checkpoint import load_checkpoint
from ..plan.exported import Export, FILES, LANGUAGE, MANIFEST, POLICY, TOKENIZER
from ..plan.folder import CARD, check_contents
from ..plan.onnx_policy import load_export
from ..plan.policy import Policy

RANDOM, RECORDED = 16, 16  # observations
MADE_WITH = ('torch', 'onnx', 'onnxscript', 'onnxruntime')


def export(checkpoint: Path, out: Path, episodes: Path | None = None) -> Export:
    """
    Write the exported policy and return what it says of itself.

    Written beside ``out`` and renamed once it plans as the checkpoint does, on noise and, with
    ``episodes``, on observations recorded there; an export at ``out`` is replaced. Raises
    NotEqual where it doesn't, ValueError where a part can't be exported.
    """
    checkpoint, out = Path(checkpoint), Path(out)
    if out.exists():
        check_contents(out, {'': (*FILES, MANIFEST, CARD)})  # only an export may be replaced
    policy = load_checkpoint(checkpoint)
    policy.merge_adapters()
    partial = out.with_name(out.name + '.partial')
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        made = _write(partial, policy, episodes)
        (partial / CARD).write_text(_card(made, (checkpoint / CARD).read_text()))
        shutil.rmtree(out, ignore_errors=True)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return made


def _write(folder: Path, policy: Policy, episodes: Path | None) -> Export:
    """Write everything but the card; what it was checked on last."""
    tokens, masked = policy.sentences.padded_to, policy.sentences.masked
    (folder / POLICY).write_bytes(acting_graph(policy))
    (folder / LANGUAGE).write_bytes(reading_graph(policy, tokens, masked))
    (folder / TOKENIZER).write_text(tokenizer_json(policy.sentences))
    export = Export(
        checkpoint=policy.content_hash, robot=policy.robot, decoder=policy.config.decoder,
        samples=policy.decoder.samples, tokens=tokens, pad_id=policy.sentences.pad_id,
        masked=masked, opset=OPSET, files={
            name: sha256((folder / name).read_bytes()).hexdigest() for name in FILES},
        checked={}, made_with={name: version(name) for name in MADE_WITH})
    (folder / MANIFEST).write_text(export.to_json())
    export = replace(export, checked=_compare(policy, folder, episodes))
    (folder / MANIFEST).write_text(export.to_json())
    return export


def _compare(policy: Policy, folder: Path, episodes: Path | None) -> dict:
    exported, robot = load_export(folder, policy.robot), policy.robot
    recorded = [] if episodes is None else recorded_observations(robot, episodes, RECORDED)
    checked = compare(policy, exported, chain(random_observations(robot, RANDOM), recorded))
    return {**checked, 'recorded': checked['observations'] - RANDOM}


def _card(export: Export, of_checkpoint: str) -> str:
    """Return the checkpoint's card with what the export is above it."""
    head, front, rest = of_checkpoint.partition('---\n# ')
    checked = export.checked
    told = f"""# Exported policy

ONNX, opset {export.opset}, of checkpoint {export.checkpoint}: `policy.onnx` sees and acts,
`language.onnx` reads the sentence. Runs without PyTorch; `export.json` has the SHA-256 of each
file. On {checked['observations']} observations, {checked['recorded']} of them recorded, positions
are off by at most {checked['positions_rad']:.1e} rad, and cosines by {checked['cosines']:.1e}.

The card of the checkpoint:

"""
    if not front:
        return told + of_checkpoint
    return f'{head}---\n{told}# {rest}'
