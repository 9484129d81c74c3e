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
A policy that was exported to ONNX, in the place of one of PyTorch, which it needs not.

Shapes: L tokens, D shared dimension, N candidates, T steps, J joints.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from .exported import (
    Export,
    LANGUAGE,
    MANIFEST,
    manifest_hash,
    POLICY,
    read_export,
    TOKENIZER,
)
from .folder import CheckpointError
from .proposal import check_candidates, choose, draw_noise, Proposal
from .runtime import CPU, ModelError, open_model, Run
from ..observe.instruction import InstructionError
from ..spec import Observation, RobotSpec, Trajectory
from ..stopwatch import Stopwatch

CACHED_SENTENCES = 512


class SentenceReader:
    """Sentences as unit vectors [1, D], each computed once and kept."""

    def __init__(self, export: Export, tokenizer: bytes, run: Run):
        self._export, self._run = export, run
        self._tokenizer = Tokenizer.from_str(tokenizer.decode())
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._cache: OrderedDict[str, np.ndarray] = OrderedDict()

    def tokens(self, sentence: str) -> np.ndarray:
        """Return the vector. Raises InstructionError for more tokens than are read."""
        if sentence not in self._cache:
            self._cache[sentence] = self._run(self.inputs(sentence))[0]
            if len(self._cache) > CACHED_SENTENCES:
                self._cache.popitem(last=False)
        self._cache.move_to_end(sentence)
        return self._cache[sentence]

    def inputs(self, sentence: str) -> dict[str, np.ndarray]:
        """Return token numbers [1, L] and, where the model takes it, the mask [1, L]."""
        ids, most = self._tokenizer.encode(sentence).ids, self._export.tokens
        if len(ids) > most:
            raise InstructionError(f'the instruction has {len(ids)} tokens, at most {most} are '
                                   f'read: say it shorter ({sentence[:40]!r} ...)')
        id_1L = np.full((1, most), self._export.pad_id, np.int64)
        id_1L[0, :len(ids)] = ids
        mask_1L = (np.arange(most) < len(ids)).astype(np.int64)[None]
        return {'ids': id_1L, **({'mask': mask_1L} if self._export.masked else {})}


class OnnxPolicy:
    """Plans as the exported policy does, on one provider."""

    def __init__(self, export: Export, files: dict[str, bytes], provider: str, threads: int):
        self.export, self.robot = export, export.robot
        self.content_hash = manifest_hash(files[MANIFEST])
        self.runs_on = f'{provider}, {threads} threads, ONNX of {export.checkpoint}'
        self.fall_back = ''
        self.stopwatch = Stopwatch()  # laps 'language', 'decode' and 'alignment'; see ``plan``
        self._run = open_model(files[POLICY], provider, threads)
        self.sentences = SentenceReader(export, files[TOKENIZER],
                                        open_model(files[LANGUAGE], provider, threads))
        self._candidates = 1

    @property
    def samples(self) -> bool:
        """Tell whether chunks are drawn, so that there may be several candidates."""
        return self.export.samples

    @property
    def candidates(self) -> int:
        """Chunks that ``plan`` samples; raises ValueError as that of ``Policy``."""
        return self._candidates

    @candidates.setter
    def candidates(self, count: int) -> None:
        check_candidates(count, self.export.samples, self.export.decoder)
        self._candidates = count

    def plan(self, observation: Observation) -> Trajectory:
        """
        Return the chunk that ``Policy.plan`` would, within what the export was checked to.

        'decode' is the time of the whole network, which sees and acts in one.
        """
        trajectory = choose(self.robot, observation, self.propose(observation))
        self.stopwatch.lap('alignment')
        return trajectory

    def propose(self, observation: Observation) -> Proposal:
        """Return all candidates for an observation."""
        inputs = self.inputs(observation)
        self.stopwatch.lap('language')
        chunk_NTJ, image_sentence_1, scene_motion_N = self._run(inputs)
        self.stopwatch.lap('decode')
        return Proposal(chunk_NTJ, float(image_sentence_1[0]), scene_motion_N)

    def inputs(self, observation: Observation) -> dict[str, np.ndarray]:
        """Return what the network takes of an observation, by name."""
        inputs = {f'image_{name}': np.ascontiguousarray(image)[None]
                  for name, image in observation.images.items()}
        inputs.update(
            z_text=self.sentences.tokens(observation.instruction),
            position=np.asarray(observation.position_J, np.float32)[None],
            command=np.asarray(observation.command_J, np.float32)[None])
        if self.export.samples:
            shape_TJ = (self.robot.horizon, len(self.robot.joints))
            inputs['noise'] = draw_noise(self.candidates, shape_TJ, observation.stamp_ns)
        return inputs


def load_export(path: Path, robot: RobotSpec | None = None, provider: str = CPU,
                threads: int = 1) -> OnnxPolicy:
    """
    Return the exported policy in a folder.

    Raises CheckpointError for a folder that is damaged or changed or, with ``robot`` given, made
    for another; ProviderError for a provider that is not here.
    """
    export, files = read_export(path, robot)
    try:
        return OnnxPolicy(export, files, provider, threads)
    except ModelError as error:
        raise CheckpointError(f'checkpoint {path}: {error}') from error
