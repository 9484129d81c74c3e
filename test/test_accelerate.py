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
"""PyTorch faster by configuration, and what is done where that can't be had."""

from conftest import small_settings
import numpy as np
import pytest
import torch
from torch import nn

from trimodal_ros.plan import accelerate
from trimodal_ros.plan.accelerate import compile_modules, compile_policy, is_compiled
from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.plan.device import to_device
from trimodal_ros.plan.engine import Engine, open_policy
from trimodal_ros.spec import Observation
from trimodal_ros.train.loop import train

CPU = torch.device('cpu')


class Layer(nn.Module):
    """Torch compiles no module of its own alone."""

    def __init__(self, width: int):
        super().__init__()
        self.linear = nn.Linear(width, 2)

    def forward(self, x):
        return self.linear(x).tanh() + 1


@pytest.fixture
def policy(moving_checkpoint):
    return load_checkpoint(moving_checkpoint)


def stand_in(monkeypatch, call):
    """Put a function in the place of what torch.compile would make of a module."""
    def compile_as(module, mode):
        module._compiled_call_impl = lambda *args: call(module, *args)
    monkeypatch.setattr(nn.Module, 'compile', compile_as)


def test_a_module_is_compiled_for_real():
    """Catches a fall-back that is always taken, here by a compiler that is there."""
    module, x, counts = Layer(3), torch.randn(4, 3), torch._dynamo.utils.counters['stats']
    expected, seen, before = module(x), [], counts['unique_graphs']
    missing = compile_modules([module], 'cuda_graphs', lambda: seen.append(module(x)), CPU)
    assert missing == 'no CUDA graphs on cpu' and module._compiled_call_impl is not None
    torch.testing.assert_close(seen[0], expected)
    assert counts['unique_graphs'] == before + 1
    assert compile_modules([module], 'on', lambda: module(x), CPU) == ''


def test_missing_compiler_is_told_and_done_without(monkeypatch, tmp_path):
    """Catches a policy that can't start on a robot without a C++ compiler."""
    import torch._inductor.config as inductor
    monkeypatch.setenv('TORCHINDUCTOR_CACHE_DIR', str(tmp_path))
    monkeypatch.setattr(inductor.cpp, 'cxx', ('no-such-compiler',))
    monkeypatch.setattr(inductor, 'fx_graph_cache', False)
    torch.compiler.reset()
    module = Layer(5)
    missing = compile_modules([module], 'on', lambda: module(torch.randn(2, 5)), CPU)
    assert missing.startswith('not compiled: ') and module._compiled_call_impl is None
    assert module(torch.randn(2, 5)).shape == (2, 2)


def test_what_computes_something_else_is_not_used(policy, so101, monkeypatch):
    """Catches a compiler's mistake that moves the arm."""
    seen = Observation.make_example(so101)
    before = policy.plan(seen).position_TJ
    stand_in(monkeypatch, lambda module, *args: module._call_impl(*args))
    assert compile_policy(policy, 'on') == '' and is_compiled(policy)
    accelerate.leave_uncompiled(policy.parts())

    def decode(context_BF, noise_BTJ=None):
        return plain(context_BF, noise_BTJ) + 0.1 * is_compiled(policy)
    plain, policy.decoder.decode = policy.decoder.decode, decode
    missing = compile_policy(policy, 'on')
    assert 'ArithmeticError: compiled, a plan is off by 0.1 rad, more than 0.001' in missing
    assert not is_compiled(policy) and np.array_equal(policy.plan(seen).position_TJ, before)


def test_bfloat16_plans_nearly_the_same(shipped, so101):
    """Catches a precision that is ignored, or one that losses of digits pile up in."""
    seen = Observation.make_example(so101)
    plain = open_policy(shipped, so101, Engine(device='cpu'))
    fast = open_policy(shipped, so101, Engine(device='cpu', precision='bfloat16'))
    off_rad = np.abs(fast.plan(seen).position_TJ - plain.plan(seen).position_TJ).max()
    assert 0 < off_rad < 0.05
    assert fast.runs_on == 'cpu, bfloat16, eager' and plain.runs_on == 'cpu, float32, eager'
    assert fast.fall_back == ''


@pytest.mark.parametrize('field, value', [
    ('device', 'gpu'), ('precision', 'float16'), ('compiling', 'yes')])
def test_unknown_choices_list_the_known(field, value):
    """Catches a misspelt choice taken for the default."""
    with pytest.raises(ValueError, match=f"{field}: '{value}' is none of '"):
        Engine(**{field: value})


def test_copies_wait_for_no_gpu_that_is_not_there():
    """Catches memory pinned for a device that has none."""
    value = torch.arange(3)
    assert to_device(value, CPU) is value
    assert to_device(value, torch.device('meta')).device.type == 'meta'


def test_training_tells_costs_and_what_it_does_without(episodes, tmp_path, monkeypatch, capsys):
    """Catches a training that ends for want of a compiler, or says nothing of its memory."""
    def fail(module, *args):
        raise RuntimeError('no compiler')
    stand_in(monkeypatch, fail)
    train(small_settings(episodes, compiling='on', precision='bfloat16'), tmp_path / 'out',
          workers=1)
    printed = capsys.readouterr().out
    assert "compiling 'on': not compiled: RuntimeError: no compiler" in printed
    assert printed.index('decoder') < printed.index('compiling')
    for part in ('vision encoder', 'language encoder', 'action encoder', 'in all'):
        assert part in printed
    plain = train(small_settings(episodes, precision='bfloat16'), tmp_path / 'plain', workers=1)
    assert plain and np.array_equal(*(
        load_checkpoint(tmp_path / name).vision.towers['front'].layers[0].weight.detach()
        for name in ('out', 'plain')))
