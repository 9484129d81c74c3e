"""The sentence that tells the robot what to do."""

from __future__ import annotations

import unicodedata

MAX_CHARACTERS = 500


class InstructionError(ValueError):
    """A text that is not an instruction."""


def normalize_instruction(text: str) -> str:
    r"""
    Return the sentence with Unicode composed and white space collapsed; '' means hold.

    Raises InstructionError for more than 500 characters or for control characters.

    >>> normalize_instruction('  put the red   cube\non the left plate ')
    'put the red cube on the left plate'
    """
    if len(text) > MAX_CHARACTERS:
        raise InstructionError(
            f'the instruction has {len(text)} characters, at most {MAX_CHARACTERS} are taken')
    sentence = ' '.join(unicodedata.normalize('NFC', text).split())
    if any(unicodedata.category(character) in ('Cc', 'Cs', 'Co') for character in sentence):
        raise InstructionError('the instruction contains control characters')
    return sentence
