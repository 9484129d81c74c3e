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
"""A checkpoint exported to ONNX: that it plans the same, without PyTorch, and what is refused."""

from dataclasses import replace
import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from spoiled_export import SPOILED
import torch
from zoo import make_policy, save, SMALL

from trimodal_ros.export import __main__ as command_line, folder as exporting
from trimodal_ros.export.benchmark import measure, table
from trimodal_ros.export.compare import (
    compare,
    NotEqual,
    random_observations,
    recorded_observations,
)
from trimodal_ros.observe.instruction import InstructionError
from trimodal_ros.plan import runtime
from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.plan.engine import Engine, identity, open_policy, trained_for
from trimodal_ros.plan.exported import MANIFEST
from trimodal_ros.plan.folder import CheckpointError
from trimodal_ros.plan.onnx_policy import load_export
from trimodal_ros.plan.runtime import OPENVINO, ProviderError
from trimodal_ros.spec import Observation

# Plans as a robot would on which PyTorch was never installed.
WITHOUT_TORCH = """
import sys
sys.modules['torch'] = sys.modules['transformers'] = None
from trimodal_ros.plan.engine import Engine, open_policy
from trimodal_ros.spec import Observation
policy = open_policy(sys.argv[1], engine=Engine(provider=sys.argv[2]))
print(policy.plan(Observation.make_example(policy.robot)).position_TJ.tolist())
"""


@pytest.fixture(scope='module')
def flow_checkpoint(zoo, so101, tmp_path_factory):
    """A checkpoint that samples, with a text encoder that is small and part of it."""
    path = tmp_path_factory.mktemp('models') / 'flow'
    save(path, make_policy(so101, replace(
        SMALL, decoder='flow', language_encoder=str(zoo / 'bert'), language_frozen=False)))
    return path


@pytest.fixture(scope='module')
def flow_export(flow_checkpoint, episodes):
    out = flow_checkpoint.with_name('exported')
    command_line.main(['--checkpoint', str(flow_checkpoint), '--out', str(out),
                       '--episodes', str(episodes)])
    return out


@pytest.fixture
def copied(flow_export, tmp_path):
    return shutil.copytree(flow_export, tmp_path / 'copied')


def test_exported_checkpoint_plans_the_same(shipped, episodes, so101, tmp_path):
    """Catches weights, pixels, joints or sentences that are taken otherwise than in PyTorch."""
    exporting.export(shipped, tmp_path / 'out')
    policy, exported = load_checkpoint(shipped), load_export(tmp_path / 'out', so101)
    recorded = list(recorded_observations(so101, episodes, 8))
    assert len({seen.instruction for seen in recorded}) > 1
    assert compare(policy, exported, recorded)['positions_rad'] < 1e-4
    with pytest.raises(InstructionError, match='at most 64 are read'):
        exported.sentences.tokens('put it there ' * 30)
    moved = replace(recorded[0], position_J=recorded[0].position_J + 0.1)
    assert not np.allclose(exported.plan(moved).position_TJ,
                           exported.plan(recorded[0]).position_TJ, atol=1e-4)


def test_every_candidate_is_the_same(flow_checkpoint, flow_export, so101):
    """Catches noise of its own, steps left out, and a best candidate that is another."""
    policy, exported = load_checkpoint(flow_checkpoint), load_export(flow_export)
    for count in (1, 2, 7):
        policy.candidates = exported.candidates = count
        for seen in random_observations(so101, 2):
            plan, again = policy.plan(seen), exported.plan(seen)
            assert np.allclose(plan.position_TJ, again.position_TJ, atol=1e-4)
            assert plan.alignment == pytest.approx(dict(again.alignment), abs=1e-4)
    with pytest.raises(ValueError, match='candidates: 0'):
        exported.candidates = 0


def test_export_says_what_it_is(flow_checkpoint, flow_export, so101):
    """Catches a folder whose origin, proof or identity is lost."""
    told = json.loads((flow_export / MANIFEST).read_text())
    assert told['checkpoint'] == load_checkpoint(flow_checkpoint).content_hash
    assert told['checked']['recorded'] >= 4 and told['checked']['positions_rad'] < 1e-4
    assert set(told['files']) == {'policy.onnx', 'language.onnx', 'tokenizer.json'}
    assert told['made_with']['torch'] and told['opset'] == 18
    card = (flow_export / 'README.md').read_text()
    assert card.startswith('---\nlicense') and told['checkpoint'] in card
    assert load_export(flow_export).content_hash == identity(flow_export) != told['checkpoint']
    assert trained_for(flow_export) == so101
    model = onnx.load(flow_export / 'policy.onnx')
    assert [each.version for each in model.opset_import if each.domain == ''] == [18]


@pytest.mark.parametrize('provider', ['CPUExecutionProvider', OPENVINO])
def test_no_torch_is_needed(flow_checkpoint, flow_export, so101, provider):
    """Catches an import of PyTorch or transformers on the way of an exported policy."""
    done = subprocess.run([sys.executable, '-c', WITHOUT_TORCH, str(flow_export), provider],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = load_checkpoint(flow_checkpoint).plan(Observation.make_example(so101))
    assert np.allclose(json.loads(done.stdout), expected.position_TJ, atol=1e-4)


def test_unequal_is_not_written(flow_checkpoint, flow_export, so101, tmp_path, monkeypatch):
    """Catches an export that plans something else and is there all the same."""
    other = load_checkpoint(flow_checkpoint)
    with torch.no_grad():
        other.decoder.head.leave.bias += 0.01
    with pytest.raises(NotEqual, match='positions_rad off by 0.*; not exported'):
        compare(other, load_export(flow_export), random_observations(so101, 1))
    with pytest.raises(ValueError, match='no observation'):
        compare(other, load_export(flow_export), [])
    monkeypatch.setattr(exporting, 'load_checkpoint', lambda path: other)
    monkeypatch.setattr(exporting, 'acting_graph', lambda policy: (
        flow_export / 'policy.onnx').read_bytes())
    with pytest.raises(SystemExit, match='off by'):
        command_line.main(['--checkpoint', str(flow_checkpoint), '--out', str(tmp_path / 'out')])
    assert list(tmp_path.iterdir()) == []


def test_what_one_file_can_not_hold_is_refused(flow_checkpoint, tmp_path, monkeypatch):
    """Catches a model that is cut at 2 GB, or split into files."""
    monkeypatch.setattr('trimodal_ros.export.graphs.MOST_BYTES', 1000)
    with pytest.raises(ValueError, match='GB of weights, and one ONNX file holds'):
        exporting.export(flow_checkpoint, tmp_path / 'out')
    assert list(tmp_path.iterdir()) == []


def test_only_an_export_is_replaced(flow_checkpoint, copied, tmp_path):
    """Catches a checkpoint, or somebody's own files, overwritten by an export of it."""
    checkpoint = shutil.copytree(flow_checkpoint, tmp_path / 'checkpoint')
    with pytest.raises(CheckpointError, match="'config.json' is no part of"):
        exporting.export(checkpoint, checkpoint)
    assert load_checkpoint(checkpoint).content_hash == load_checkpoint(
        flow_checkpoint).content_hash
    with pytest.raises(CheckpointError, match='is an exported policy, which only plans'):
        load_checkpoint(copied)


# -- folders that are refused


@pytest.mark.parametrize('what', SPOILED)
def test_spoiled_export_is_refused(copied, what):
    """Catches a model that was swapped, cut short, or reads what is not in its folder."""
    spoil, message = SPOILED[what]
    spoil(copied)
    with pytest.raises(CheckpointError, match=message):
        load_export(copied)


def test_another_robot_is_refused(flow_export, so101):
    """Catches an exported policy that drives an arm it was not trained for."""
    other = replace(so101, rate_hz=25.0)
    with pytest.raises(CheckpointError, match='was trained for rate_hz 10.0, the robot has 25.0'):
        load_export(flow_export, other)


# -- providers


def test_missing_provider_lists_those_here(flow_export):
    """Catches a GPU that is not there, and a policy that runs on the CPU in silence."""
    with pytest.raises(ProviderError, match="'CUDAExecutionProvider' is not available here; "
                                            'available: .*CPUExecutionProvider'):
        open_policy(flow_export, engine=Engine(provider='CUDAExecutionProvider'))


@pytest.mark.filterwarnings('ignore:Specified provider')
def test_provider_that_does_not_start_is_refused(flow_export, monkeypatch):
    """Catches onnxruntime going on by the CPU where the GPU's libraries are missing."""
    monkeypatch.setattr(runtime, 'available_providers', lambda: ('CUDAExecutionProvider',))
    with pytest.raises(ProviderError, match="'CUDAExecutionProvider' did not start"):
        open_policy(flow_export, engine=Engine(provider='CUDAExecutionProvider'))


def test_gpu_computes_in_whole_float32(flow_export, monkeypatch):
    """Catches a GPU that rounds to 10 bits, and plans that are off by more than was checked."""
    asked = []

    class Session:
        def __init__(self, data, options, providers):
            asked.append(providers)

        def get_providers(self):
            return ['CUDAExecutionProvider', 'CPUExecutionProvider']

        def disable_fallback(self):
            pass
    monkeypatch.setattr(onnxruntime, 'InferenceSession', Session)
    monkeypatch.setattr(runtime, 'available_providers', lambda: ('CUDAExecutionProvider',))
    open_policy(flow_export, engine=Engine(provider='CUDAExecutionProvider'))
    assert asked == 2 * [[('CUDAExecutionProvider', {'use_tf32': '0'}), 'CPUExecutionProvider']]


def test_engines_are_for_their_kind_of_folder(flow_checkpoint, flow_export):
    """Catches a parameter that has no effect, and nobody knows."""
    for engine, folder, message in (
            (Engine(precision='bfloat16'), flow_export, "precision 'bfloat16' is not for"),
            (Engine(compiling='on'), flow_export, "compiling 'on' is not for"),
            (Engine(device='cuda'), flow_export, "device 'cuda' is not for"),
            (Engine(provider=OPENVINO), flow_checkpoint, "provider 'openvino' is not for")):
        with pytest.raises(ValueError, match=message):
            open_policy(folder, engine=engine)


def test_benchmark_names_the_fastest_and_the_missing(flow_checkpoint, flow_export, monkeypatch):
    """Catches a way that is left out in silence, or the slowest named."""
    monkeypatch.setattr('trimodal_ros.export.benchmark.available_providers',
                        lambda: (*onnxruntime.get_available_providers(), 'Missing'))
    rows = measure(flow_checkpoint, flow_export, plans=10, threads=1, compiled=False)
    lines = table(rows).splitlines()
    assert {row['way'] for row in rows} == {'PyTorch, eager', 'CPUExecutionProvider', 'Missing'}
    assert [row['p50'] for row in rows[:-1]] == sorted(row['p50'] for row in rows[:-1])
    assert all(row['off_rad'] < 1e-4 for row in rows[:-1])
    assert lines[-1] == f'fastest here: {rows[0]["way"]}' and 'not available here' in lines[-2]


def test_a_fast_way_that_plans_something_else_is_not_named():
    """Catches a provider that rounds, recommended for a robot."""
    times = dict.fromkeys(('p50', 'p99', 'max'), 1.0)
    lines = table([{'way': 'rounding', 'off_rad': 2e-4, **times},
                   {'way': 'broken', 'off_rad': float('nan'), **times},
                   {'way': 'equal', 'off_rad': 1e-5, **times}]).splitlines()
    assert [line.endswith('not equal') for line in lines] == [False, True, True, False, False]
    assert lines[-1] == 'fastest here: equal'
