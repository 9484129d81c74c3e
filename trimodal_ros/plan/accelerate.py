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
PyTorch at its fastest, by configuration: bfloat16, torch.compile and CUDA graphs.

What can't be had, or computes something else, is left out, and the reason told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .checkpoint import load_checkpoint
from .device import choose_device
from .engine import Compiling, Engine
from .policy import Policy
from ..spec import Observation, RobotSpec

MODES = {'on': 'default', 'cuda_graphs': 'reduce-overhead'}  # of torch.compile
TOLERANCE_RAD = 1e-3  # of a compiled policy, whose sums go in another order
TOLERANCE_BFLOAT16_RAD = 2e-2  # 8 bits of mantissa


def open_checkpoint(path: Path, robot: RobotSpec | None, engine: Engine) -> Policy:
    """Return a checkpoint's policy on an engine; ``fall_back`` says what it had to do without."""
    torch.set_num_threads(engine.threads)
    policy = load_checkpoint(path, choose_device(engine.device), robot)
    policy.merge_adapters()
    policy.precision = getattr(torch, engine.precision)
    policy.cuda_graphs = engine.compiling == 'cuda_graphs' and policy.device.type == 'cuda'
    policy.fall_back = compile_policy(policy, engine.compiling)
    policy.runs_on = (f'{policy.device}, {engine.precision}, '
                      f'{"compiled" if is_compiled(policy) else "eager"}')
    return policy


def compile_policy(policy: Policy, compiling: Compiling) -> str:
    """
    Compile what plans, and compare: return why it runs as it was, '' where it does not.

    A policy that plans something else when it is compiled is not compiled.
    """
    example = Observation.make_example(policy.robot)

    def compare() -> None:
        off = np.abs(policy.plan(example).position_TJ - expected_TJ).max()
        least = (TOLERANCE_RAD if policy.precision == torch.float32 else TOLERANCE_BFLOAT16_RAD)
        if not off <= least:
            raise ArithmeticError(f'compiled, a plan is off by {off:.2g} rad, more than {least}')
    if compiling == 'off':
        return ''
    expected_TJ = policy.plan(example).position_TJ
    return compile_modules(policy.parts(), compiling, compare, policy.device)


def compile_modules(modules: Sequence[nn.Module], compiling: Compiling,
                    warm_up: Callable[[], None], device: torch.device) -> str:
    """
    Compile modules in place and call ``warm_up``; return what had to be done without, or ''.

    Where anything goes wrong, such as without a C++ compiler, they run as they did before.
    """
    missing = ''
    if compiling == 'cuda_graphs' and device.type != 'cuda':
        compiling, missing = 'on', f'no CUDA graphs on {device.type}'
    for module in modules:
        module.compile(mode=MODES[compiling])
    try:
        warm_up()
    except Exception as error:  # noqa: B902 - whatever it is, there is a way without
        leave_uncompiled(modules)
        first = str(error).strip().splitlines()[:1]
        missing = f'not compiled: {type(error).__name__}: {"".join(first)}'
    return missing


def leave_uncompiled(modules: Sequence[nn.Module]) -> None:
    """Undo ``Module.compile``."""
    for module in modules:
        module._compiled_call_impl = None


def is_compiled(policy: Policy) -> bool:
    return any(module._compiled_call_impl is not None for module in policy.parts())
