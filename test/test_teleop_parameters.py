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

"""Parameters of the teleop node: waited for, refused, changed while it runs."""

from conftest import so101_yaml
from driver import Driver
from graph import spinning, wait_for
from hand import Hand, make_teleop, wait_until_ready
import numpy as np
from policy_graph import assert_safe
import pytest
from rclpy.parameter import Parameter as NodeParameter
from std_msgs.msg import String

from trimodal_ros.nodes.ros import LATCHED_QOS
from trimodal_ros.sim.scene_file import shipped_scene
from trimodal_ros.spec import SpecError

pytestmark = pytest.mark.usefixtures('ros')
URDF = shipped_scene().urdf


def test_cartesian_mode_waits_for_the_description(so101):
    """Catches a node that ends, or moves joints, where robot_description comes late."""
    driver = Driver(so101)
    teleop = make_teleop(urdf='topic', tool_frame='gripper_frame_link', mode='cartesian')
    assert teleop.teleoperator is None
    hand = Hand()
    hand.is_silent = True
    with spinning(driver, teleop, hand):
        described = driver.create_publisher(String, 'robot_description', LATCHED_QOS)
        described.publish(String(data=URDF.read_text()))
        wait_for(lambda: teleop.teleoperator is not None, 'the description to be read')
        hand._teleop, hand.is_silent = teleop, False
        wait_until_ready(teleop)
        begins_J = driver.position_J
        hand.push((0, 0, 0.5, 0, 0, 0, 0, 0))
        wait_for(lambda: np.abs(driver.position_J - begins_J)[1:4].max() > 0.1, 'the tool to move')
        assert_safe(driver)


@pytest.mark.parametrize('values, error, complaint', [
    ({'mode': 'cartesian'}, ValueError, 'is not one of joint'),
    ({'tool_frame': 'gripper_frame_link'}, ValueError, 'needs the parameter urdf'),
    ({'mapping': '/no/such/file.yaml'}, ValueError, 'there is no file'),
    ({'leader': True, 'leader_far': 'jump'}, ValueError, 'leader_far'),
    ({'robot': ''}, ValueError, "'robot' is empty")])
def test_parameters_that_cannot_be_are_refused_at_start(values, error, complaint):
    """Catches a node that runs and does something else."""
    with pytest.raises(error, match=complaint):
        make_teleop(**values)


def test_leader_needs_a_button(tmp_path):
    """Catches an arm that follows a leader whenever it runs."""
    text = make_teleop.__module__ and (so101_yaml().parents[1] / 'keyboard.yaml').read_text()
    file = tmp_path / 'mapping.yaml'
    file.write_text(text.replace('deadman: 0', 'deadman: null'))
    with pytest.raises(ValueError, match='deadman'):
        make_teleop(leader=True, mapping=file)
    file.write_text(text.replace('shoulder_pan', 'shoulder'))
    with pytest.raises(SpecError, match='shoulder'):
        make_teleop(mapping=file)


def test_speeds_and_mode_change_while_it_runs_and_the_rest_is_refused(so101):
    """Catches a change that goes unnoticed."""
    teleop = make_teleop(urdf=URDF, tool_frame='gripper_frame_link')
    try:
        set_one = lambda name, value: teleop.set_parameters(  # noqa: E731
            [NodeParameter(name, value=value)])[0]
        assert set_one('joint_rad_s', 0.2).successful and set_one('mode', 'cartesian').successful
        steering = teleop.teleoperator.steering
        assert steering.speeds.joint_rad_s == 0.2 and steering.mode == 'cartesian'
        assert 'leader' in set_one('mode', 'leader').reason
        assert not set_one('joint_rad_s', 100.0).successful
        assert 'taken over at start' in set_one('release_s', 0.1).reason
    finally:
        teleop.destroy_node()
