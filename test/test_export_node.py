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
"""An exported policy in the policy node, on a real graph, and what it runs on."""

from driver import values
from graph import call, wait_for
import numpy as np
from policy_graph import (
    activate,
    assert_safe,
    commanding_policy,
    FAILURE,
    goes_on,
    make_policy,
    running,
    SENTENCE,
    wait_for_diagnosis,
    watch,
)
import pytest
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger
from torch import nn

from trimodal_ros.export.folder import export
from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.plan.exported import identity_of, MANIFEST

pytestmark = pytest.mark.usefixtures('ros')


@pytest.fixture(scope='module')
def exported(tmp_path_factory, moving_checkpoint):
    out = tmp_path_factory.mktemp('models') / 'exported'
    export(moving_checkpoint, out)
    return out


def take_over(driver, policy, folder):
    assert policy.set_parameters([Parameter('checkpoint', value=str(folder))])[0].successful
    return call(driver, Trigger, f'{policy.get_name()}/load_checkpoint')


def test_node_decides_as_with_the_checkpoint(exported, moving_checkpoint, so101):
    """Catches images, joints or a sentence that reach the exported policy otherwise."""
    with commanding_policy(exported, so101) as (driver, policy):
        seen, count = watch(policy), len(driver.decisions)
        wait_for(lambda: len(seen) > 3 and len(driver.decisions) > count + 3, 'decisions')
        told = values(wait_for_diagnosis(driver, 'CPUExecutionProvider', 'engine'))
        assert load_checkpoint(moving_checkpoint).content_hash in told['runs_on']
        assert driver.decisions[-1][1]['checkpoint'] == identity_of(exported)
        assert_safe(driver)
        deployed, original = policy.commander.decider.policy, load_checkpoint(moving_checkpoint)
    for observation in seen[:4]:
        plan, expected = deployed.plan(observation), original.plan(observation)
        assert observation.instruction == SENTENCE
        assert np.allclose(plan.position_TJ, expected.position_TJ, atol=1e-4)
        assert dict(plan.alignment) == pytest.approx(dict(expected.alignment), abs=1e-4)


def test_exported_policy_takes_over_and_a_spoiled_one_does_not(commanding, exported, tmp_path):
    """Catches a service that knows one kind of folder, or loses its policy to a bad one."""
    driver, policy = commanding
    assert take_over(driver, policy, exported).success
    after = identity_of(exported)
    wait_for(lambda: driver.decisions[-1][1]['checkpoint'] == after, 'a decision of the export')
    (tmp_path / MANIFEST).write_text((exported / MANIFEST).read_text())
    answer = take_over(driver, policy, tmp_path)
    assert not answer.success and f'{after} is kept' in answer.message
    assert 'policy.onnx is missing' in answer.message
    goes_on(driver)


@pytest.mark.parametrize('parameters, wrong', [
    ({'provider': 'CUDAExecutionProvider'}, "'CUDAExecutionProvider' is not available here"),
    ({'precision': 'bfloat16'}, "precision 'bfloat16' is not for"),
    ({'compiling': 'maybe'}, "compiling: 'maybe' is none of 'off', 'on', 'cuda_graphs'")])
def test_node_is_not_configured_with_what_is_not_here(exported, so101, parameters, wrong):
    """Catches a node that runs on something else than it was told to."""
    policy = make_policy(exported, **parameters)
    said = []
    policy.get_logger().error, logged = lambda text, **_: said.append(text), None
    assert logged is None and policy.trigger_configure() == FAILURE
    assert any(wrong in text for text in said), said
    policy.destroy_node()


def test_what_can_not_be_compiled_runs_and_is_told(moving_checkpoint, so101, monkeypatch):
    """Catches a robot that is stopped by a missing compiler, or is slow and nobody knows why."""
    def compile_later(module, **_):
        def fail(*args, **kwargs):
            raise RuntimeError('no C++ compiler\nand much more')
        module._compiled_call_impl = fail
    monkeypatch.setattr(nn.Module, 'compile', compile_later)
    with running(moving_checkpoint, so101, compiling='cuda_graphs',
                 precision='bfloat16') as (driver, policy):
        status = wait_for_diagnosis(driver, 'not compiled: RuntimeError: no C++ compiler',
                                    'engine')
        assert 'much more' not in status.message and status.level == b'\x01'
        assert values(status)['runs_on'] == 'cpu, bfloat16, eager'
        wait_for(lambda: any('bfloat16, eager: not compiled' in line for line in driver.logged),
                 'a warning in the log')
        activate(policy)
        driver.say(SENTENCE)
        goes_on(driver)
