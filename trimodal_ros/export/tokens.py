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
"""A tokenizer of ``transformers`` as the one file that ``tokenizers`` reads by itself."""

from __future__ import annotations

from tokenizers import Tokenizer

from .compare import SENTENCES
from ..embed.language import SentenceEncoder


def tokenizer_json(sentences: SentenceEncoder) -> str:
    """
    Return it as JSON. Raises ValueError where it is not the whole tokenizer.

    Some do a part of their work in Python, such as lower case, which would go missing.
    """
    backend = getattr(sentences.tokenizer, 'backend_tokenizer', None)
    kind = type(sentences.tokenizer).__name__
    if backend is None:
        raise ValueError(f'language_encoder: {kind} runs in Python alone and has no '
                         'tokenizer.json; expected a fast tokenizer')
    alone = Tokenizer.from_str(backend.to_str())
    alone.no_padding()
    alone.no_truncation()
    for sentence in SENTENCES:
        expected, found = sentences.tokenizer(sentence)['input_ids'], alone.encode(sentence).ids
        if found != expected:
            raise ValueError(f'language_encoder: tokenizer.json reads {sentence!r} as {found}, '
                             f'{kind} as {expected}: it does a part of its work in Python')
    return backend.to_str()
