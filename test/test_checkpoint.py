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

"""What a checkpoint folder may hold, and how the rest is refused."""

from hashlib import sha256
import json
import shutil

import pytest
from spoiled_checkpoint import SPOILED

from trimodal_ros.plan import checkpoint
from trimodal_ros.plan.checkpoint import (
    CheckpointError,
    content_hash,
    load_checkpoint,
    save_checkpoint,
)


@pytest.fixture
def copied(moving_checkpoint, tmp_path):
    return shutil.copytree(moving_checkpoint, tmp_path / 'copied')


@pytest.mark.parametrize('what', SPOILED)
def test_folder_with_anything_unexpected_is_refused(copied, what):
    """Catches code, or files of somebody else, that come to the robot with the weights."""
    spoil, message = SPOILED[what]
    load_checkpoint(copied)
    spoil(copied)
    with pytest.raises(CheckpointError) as refusal:
        load_checkpoint(copied)
    assert message in str(refusal.value) and str(copied) in str(refusal.value)


def test_folder_may_be_a_link_and_hold_links_within(copied, tmp_path):
    """Catches a deployment by a link 'current' that is refused."""
    (copied / 'tokenizer').mkdir()
    (copied / 'tokenizer' / 'vocab.txt').write_text('')
    (copied / 'tokenizer' / 'merges.txt').symlink_to('vocab.txt')
    (tmp_path / 'current').symlink_to(copied)
    assert load_checkpoint(tmp_path / 'current').content_hash


def test_a_link_that_leads_nowhere_is_named(copied):
    """Catches a traceback for a folder that was copied without what it links to."""
    (copied / 'README.md').unlink()
    (copied / 'README.md').symlink_to('/no/such/card')
    with pytest.raises(CheckpointError, match="'README.md' leads out of the folder"):
        load_checkpoint(copied)


def test_only_a_checkpoint_is_replaced(copied):
    """Catches a folder of the user's own that training deletes: it has the same file names."""
    policy = load_checkpoint(copied)
    (copied / 'results.csv').write_text('a day of work')
    with pytest.raises(CheckpointError, match="'results.csv' is no part of"):
        save_checkpoint(copied, policy, {}, '')
    assert (copied / 'results.csv').exists()


def test_the_shipped_checkpoint_is_the_one_that_was_saved(shipped):
    """Catches weights that were replaced without their record, or a record that was left out."""
    recorded = json.loads((shipped / 'config.json').read_text())['sha256']
    weights = (shipped / 'model.safetensors').read_bytes()
    assert recorded == {'model.safetensors': sha256(weights).hexdigest()}


def test_weights_that_are_replaced_meanwhile_are_not_those_that_were_hashed(copied, monkeypatch):
    """Catches a policy that says it is another than the one that plans."""
    before, open_encoders = content_hash(copied), checkpoint.open_encoders

    def replace(*arguments):
        (copied / 'model.safetensors').write_bytes(b'others')
        return open_encoders(*arguments)
    monkeypatch.setattr(checkpoint, 'open_encoders', replace)
    assert load_checkpoint(copied).content_hash == before


def test_checkpoints_from_before_there_was_a_record_are_loaded(copied):
    """Catches an update that takes a user's checkpoints away."""
    config = json.loads((copied / 'config.json').read_text())
    del config['sha256']
    (copied / 'config.json').write_text(json.dumps(config))
    assert load_checkpoint(copied).content_hash
