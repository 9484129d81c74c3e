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
"""Policies with small pretrained encoders, exported."""

from dataclasses import replace

import numpy as np
import pytest
from zoo import make_policy, one_step, save, SMALL

from trimodal_ros.export.folder import export
from trimodal_ros.export.tokens import tokenizer_json
from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.plan.onnx_policy import load_export
from trimodal_ros.spec import Observation


@pytest.mark.parametrize('vision, language, rank', [
    ('siglip', 'siglip', 0), ('dinov2', 'clip', 2)])
def test_pretrained_encoders_plan_the_same(zoo, so101, tmp_path, vision, language, rank):
    """Catches pixels, padding, positions or adapters that ONNX takes otherwise."""
    policy = make_policy(so101, replace(
        SMALL, vision_encoder=str(zoo / vision), vision_frozen=True, vision_adapter_rank=rank,
        language_encoder=str(zoo / language)))
    one_step(policy, so101)
    save(tmp_path / 'checkpoint', policy.eval())
    seen = Observation.make_example(so101)
    expected = load_checkpoint(tmp_path / 'checkpoint').plan(seen)
    export(tmp_path / 'checkpoint', tmp_path / 'out')
    found = load_export(tmp_path / 'out').plan(seen)
    assert np.allclose(found.position_TJ, expected.position_TJ, atol=1e-4)
    assert dict(found.alignment) == pytest.approx(dict(expected.alignment), abs=1e-4)
    again = load_checkpoint(tmp_path / 'checkpoint')  # tracing leaves nothing behind in PyTorch
    assert np.array_equal(again.plan(seen).position_TJ, expected.position_TJ)


def test_tokenizer_with_python_in_it_is_refused(zoo, so101, monkeypatch):
    """Catches sentences that are cut otherwise on the robot."""
    sentences = make_policy(so101, replace(SMALL, language_encoder=str(zoo / 'bert'))).sentences
    tokenizer_json(sentences)
    kind = type(sentences.tokenizer)
    plain = kind.__call__
    monkeypatch.setattr(kind, '__call__', lambda self, text, **options: plain(
        self, text.replace('red', 'blue'), **options))
    with pytest.raises(ValueError, match="reads 'put the red cube .* a part of its work in"):
        tokenizer_json(sentences)
    monkeypatch.setattr(kind, 'backend_tokenizer', None)
    with pytest.raises(ValueError, match='expected a fast tokenizer'):
        tokenizer_json(sentences)
