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

"""The sentence that tells the robot what to do."""

from __future__ import annotations

import unicodedata

MAX_CHARACTERS = 500
UNDECODED = '\ufffd'  # what rclpy puts in the place of bytes that are not UTF-8


class InstructionError(ValueError):
    """A text that is not an instruction."""


def normalize_instruction(text: str) -> str:
    r"""
    Return the sentence with Unicode composed and white space collapsed; '' means hold.

    A text without a letter or digit is ''. Raises InstructionError for more than 500 characters,
    for control characters or for bytes that were not UTF-8.

    >>> normalize_instruction('  put the red   cube\non the left plate ')
    'put the red cube on the left plate'
    """
    if len(text) > MAX_CHARACTERS:
        raise InstructionError(
            f'the instruction has {len(text)} characters, at most {MAX_CHARACTERS} are taken')
    sentence = ' '.join(unicodedata.normalize('NFC', text).split())
    if UNDECODED in sentence:
        raise InstructionError('the instruction contains bytes that are not UTF-8')
    if any(unicodedata.category(character) in ('Cc', 'Cs', 'Co') for character in sentence):
        raise InstructionError('the instruction contains control characters')
    return sentence if any(map(str.isalnum, sentence)) else ''
