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

"""What make hands on to the commands."""

from pathlib import Path
import subprocess

import pytest

TOP = Path(__file__).resolve().parents[1]


@pytest.fixture
def make(tmp_path):
    """Run a target without its set-up, and return the arguments its command was given."""
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >"${0%/*}/arguments"\n')
    python.chmod(0o755)

    def run(*arguments) -> list[str]:
        subprocess.run(['make', '-o', 'setup', f'BIN={tmp_path}', *arguments], cwd=TOP, check=True,
                       capture_output=True)
        return (tmp_path / 'arguments').read_text().splitlines()
    return run


@pytest.mark.parametrize('sentence', [
    'put the red cube on the left plate', "the robot's cube", 'put "it" there', '`touch pwned`',
    'for $5 and $(HOME) and ${HOME} and $HOME', 'a; b & c | d > e', 'back\\slash # hash', ''])
def test_a_sentence_reaches_the_demo_as_it_is(make, sentence):
    """Catches words that the shell, or make, runs or swallows."""
    given = make('demo', f'INSTRUCTION={sentence}')
    assert given[given.index('--instruction') + 1:] == [sentence]


def test_demo_takes_a_checkpoint(make):
    """Catches CHECKPOINT= that changes nothing."""
    given = make('demo', 'CHECKPOINT=my/model')
    assert given[given.index('--checkpoint') + 1] == 'my/model'
    given = make('demo')
    assert (TOP / given[given.index('--checkpoint') + 1]).is_dir()
