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
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from .pooling import AttentionPool, ProjectionHead
from .pretrained import (
    build,
    config_from,
    encoder_source,
    EncoderNotFound,
    load,
    plain_config,
    PretrainedEncoder,
    read_config,
)
from ..observe.instruction import InstructionError

FIELD = 'language_encoder'
CACHED_SENTENCES = 512    # of about 15 kB each
MAX_TOKENS = 64
PADDING_IS_READ = ('siglip_text_model', 'siglip2_text_model')  # so they were trained


class SentenceEncoder(PretrainedEncoder):
    """
    A ``transformers`` text encoder, frozen, with low-rank adapters or without, or trained.

    In evaluation mode, and always when nothing of it is trained, each sentence is encoded once
    and kept until a weight changes; such tokens carry no gradient to the encoder. ``described``
    and ``tokenizer`` (a folder) are what ``describe`` and ``save_tokenizer`` gave: then the model
    needs no folder of its own, its weights are to be loaded after.
    """

    def __init__(self, name: str, device: str | torch.device = 'cpu', frozen: bool = True,
                 described: Mapping | None = None, tokenizer: Path | None = None,
                 adapter_rank: int = 0):
        if described is None:
            model = load(FIELD, name, read_config(FIELD, name))
        else:
            model = build(FIELD, name, config_from(FIELD, name, described['config']))
        super().__init__(FIELD, model.eval().to(device), frozen, adapter_rank)
        self._tokenizer = _open_tokenizer(name, tokenizer, model.config.vocab_size)
        longest = getattr(model.config, 'max_position_embeddings', MAX_TOKENS)
        self._most_tokens = min(MAX_TOKENS, longest)
        self._padded = model.config.model_type in PADDING_IS_READ
        self._padding = ({'padding': 'max_length', 'max_length': self._most_tokens}
                         if self._padded else {'padding': True})
        self._cache, self._cached_at = OrderedDict(), 0

    @property
    def width(self) -> int:
        return self.pretrained.config.hidden_size

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        return self._tokenizer

    @property
    def padded_to(self) -> int:
        """Most tokens of a sentence, to which a model that reads padding has it padded."""
        return self._most_tokens

    @property
    def masked(self) -> bool:
        """Whether the model is told which tokens are padding, and does not read it."""
        return not self._padded

    @property
    def pad_id(self) -> int:
        return self._tokenizer.pad_token_id

    def describe(self) -> dict:
        """Return the architecture as plain data."""
        return {'config': plain_config(self.pretrained.config)}

    def save_tokenizer(self, folder: Path) -> None:
        self._tokenizer.save_pretrained(folder)

    def tokens(self, sentence: str) -> torch.Tensor:
        """
        Return a sentence's contextual tokens [L, W].

        Raises InstructionError for more than 64, or than the encoder has positions for: what
        follows them would go unread.
        """
        if self.training and self.learns:
            return self.encode([sentence])[0][0]
        if self._cached_at != self._weights_version():
            self._cache.clear()
            self._cached_at = self._weights_version()
        if sentence not in self._cache:
            with torch.inference_mode():
                self._cache[sentence] = self.encode([sentence])[0][0].clone()
            if len(self._cache) > CACHED_SENTENCES:
                self._cache.popitem(last=False)
        self._cache.move_to_end(sentence)
        return self._cache[sentence]

    def batch(self, sentences: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Return padded tokens [B, L, W] and a mask [B, L], True where a token is.

        Raises InstructionError as ``tokens`` does.
        """
        if self.training and self.learns:
            return self.encode(sentences)
        tokens = [self.tokens(sentence) for sentence in sentences]
        token_BLW = nn.utils.rnn.pad_sequence(tokens, batch_first=True)
        length_B = torch.tensor([len(token) for token in tokens], device=token_BLW.device)
        position_L = torch.arange(token_BLW.shape[1], device=token_BLW.device)
        return token_BLW, position_L < length_B[:, None]

    def encode(self, sentences: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what ``batch`` does, computed anew."""
        for sentence in sentences:
            self._check_length(sentence)
        inputs = self._tokenizer(sentences, **self._padding, return_attention_mask=True,
                                 return_tensors='pt').to(self.pretrained.device)
        mask_BL = inputs['attention_mask'].bool()
        if self._padded:
            inputs = {'input_ids': inputs['input_ids']}
            mask_BL = torch.ones_like(mask_BL)
        return self.pretrained(**inputs).last_hidden_state, mask_BL

    def _check_length(self, sentence: str) -> None:
        length = len(self._tokenizer(sentence, verbose=False)['input_ids'])
        if length > self._most_tokens:
            raise InstructionError(
                f'the instruction has {length} tokens, at most {self._most_tokens} are read: '
                f'say it shorter ({sentence[:40]!r} ...)')

    def _weights_version(self) -> int:
        """Return a number that grows with every change of a weight in place."""
        return sum(parameter._version for parameter in self.parameters())

    def merge_adapters(self) -> None:
        super().merge_adapters()
        self._cache.clear()

    def _apply(self, fn, recurse=True):
        self._cache.clear()
        return super()._apply(fn, recurse)


def _open_tokenizer(name: str, folder: Path | None, words: int) -> PreTrainedTokenizerBase:
    source = folder or encoder_source(FIELD, name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError, ImportError) as error:
        raise EncoderNotFound(f'{FIELD} {name!r}: no tokenizer in {str(source)!r}: '
                              f'{error}') from error
    if not len(tokenizer.all_special_tokens) < len(tokenizer) <= words:  # it may be made up
        raise EncoderNotFound(f'{FIELD} {name!r}: the tokenizer in {str(source)!r} knows '
                              f'{len(tokenizer)} words, the model {words}')
    tokenizer.padding_side = 'right'
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # masked, so any token will do
    return tokenizer


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
