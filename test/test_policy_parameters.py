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

"""What the policy node is configured with, and what it refuses to be configured with."""

from dataclasses import fields

from conftest import so101_yaml
from graph import rclpy  # noqa: F401 - first: it skips where there is no ROS
from policy_graph import FAILURE, make_policy, SUCCESS
import pytest
from rclpy.parameter import Parameter

from trimodal_ros.command.decision import Rules
from trimodal_ros.command.pilot import Pilot
from trimodal_ros.nodes import policy as policy_node, recorder, simulated_robot
from trimodal_ros.plan.device import choose_device

pytestmark = pytest.mark.usefixtures('ros')


@pytest.fixture
def make(ros):
    """Make policy nodes that are not spun."""
    nodes = []

    def make(*arguments, **values):
        nodes.append(make_policy(*arguments, **values))
        return nodes[-1]
    yield make
    for node in nodes:
        node.close()
        node.destroy_node()


@pytest.mark.parametrize('values', [
    {'checkpoint': '/no/such/folder'}, {'checkpoint': ''}, {'device': 'tpu'},
    {'robot': '/no/such.yaml'}, {'resume': 'perhaps'}, {'on_limit': 'ignore'},
    {'blending': 'shake'}, {'guard': 'dog'}, {'workspace_frame': 'hand'}, {'candidates': 2},
    {'guard': 'scene_motion', 'guard_hold_below': 0.5, 'guard_release_above': 0.1}])
def test_what_cannot_be_used_leaves_the_node_unconfigured(moving_checkpoint, make, values):
    """Catches a node that goes active without a model, by a rule nobody knows, or dies."""
    node = make(**{'checkpoint': moving_checkpoint, **values})
    assert node.trigger_configure() == FAILURE
    assert node.commander is None


def test_checkpoint_for_another_robot_is_refused(moving_checkpoint, make, tmp_path):
    """Catches a policy that drives an arm it was not trained for."""
    other = tmp_path / 'other.yaml'
    other.write_text(so101_yaml().read_text().replace('elbow_flex', 'knee'))
    assert make(moving_checkpoint, robot=other).trigger_configure() == FAILURE


def test_parameters_are_described_and_ranged(moving_checkpoint, make):
    """Catches a parameter nobody explains, or one that takes any number."""
    node = make(moving_checkpoint)
    for name in node._parameters:
        if name == 'use_sim_time' or name.startswith('start_type_description'):
            continue
        descriptor = node.describe_parameter(name)
        assert descriptor.description, name
        value = node.get_parameter(name).value
        numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
        assert not numeric or descriptor.floating_point_range or descriptor.integer_range, name


def test_nothing_moves_unless_it_is_asked_to(make):
    """Catches a robot that moves because nobody switched the rehearsal on."""
    assert policy_node.PolicyNode is type(make('/any'))
    node = policy_node.PolicyNode()
    assert node.get_parameter('dry_run').value is True
    node.destroy_node()


def test_node_and_replay_decide_by_the_same_rules(moving_checkpoint, make):
    """Catches a recording that is read as the node would not have seen it."""
    node = make(moving_checkpoint)
    assert node.trigger_configure() == SUCCESS
    pilot, replay = node.commander.pilot, Pilot(node.commander.pilot.robot, None, None)
    assert pilot.observer.freshness == replay.observer.freshness
    assert pilot.guard == replay.guard
    for rule in {field.name for field in fields(Rules)} - {'ramp_s'}:
        assert getattr(pilot.rules, rule) == getattr(replay.rules, rule), rule


def test_parameters_change_while_unconfigured_only(moving_checkpoint, make):
    """Catches a change that goes unnoticed, and a node that can't load another checkpoint."""
    node = make('/no/such/folder')
    assert node.trigger_configure() == FAILURE
    right = Parameter('checkpoint', value=str(moving_checkpoint))
    assert node.set_parameters([right])[0].successful
    assert node.trigger_configure() == SUCCESS
    for late in (Parameter('threads', value=2), Parameter('dry_run', value=True)):
        result = node.set_parameters([late])[0]
        assert not result.successful and f'{late.name}: taken over on configure' in result.reason
    for ever in (right, Parameter('use_sim_time', value=False)):
        assert node.set_parameters([ever])[0].successful
    assert node.trigger_cleanup() == SUCCESS
    assert node.set_parameters([Parameter('threads', value=2)])[0].successful


def test_replan_period_as_long_as_the_chunk_is_refused(moving_checkpoint, make):
    """Catches an arm that comes to rest at the end of every chunk."""
    node = make(moving_checkpoint, replan_period_s=1.6)
    with pytest.raises(ValueError, match=r'replan_period_s is 1.6 s; .* shorter .* 1.6 s'):
        node._configure()


@pytest.mark.parametrize('module, told', [
    (policy_node, ['max_tracking_error_rad', '0.05 to 3.2', 'joint_trajectory', '~/stop']),
    (recorder, ['out ', 'Robot YAML', '~/success']),
    (simulated_robot, ['camera_hz', '1 to 60', 'joint_states', '~/reset'])])
def test_help_is_printed_and_nothing_started(module, told, capsys):
    """Catches ``--help`` that starts a node: rclpy, running here, would refuse a second start."""
    module.main(['--help'])
    printed = capsys.readouterr().out
    assert all(text in printed for text in told), printed


def test_gpu_is_only_used_where_it_is():
    """Catches a silent fall-back to the CPU."""
    import torch
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match='no GPU'):
            choose_device('cuda')
        assert choose_device('auto') == 'cpu'
