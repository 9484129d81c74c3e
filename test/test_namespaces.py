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

"""Two robots on one graph, each with its simulator and its policy in a namespace of its own."""

from conftest import save_moving_checkpoint, so101_yaml
from diagnostic_msgs.msg import DiagnosticArray
from graph import call, overrides, rclpy, spinning, wait_for
from policy_graph import activate, SUCCESS
import pytest
from std_msgs.msg import String
from std_srvs.srv import Trigger

from trimodal_ros.nodes.endpoints import endpoints_of
from trimodal_ros.nodes.policy import PolicyNode
from trimodal_ros.nodes.ros import LATCHED_QOS
from trimodal_ros.nodes.simulated_robot import SimulatedRobotNode

SENTENCE = 'put the red cube on the left plate'
SPEEDS_RAD_S = {'left': 0.3, 'right': -0.3}
TURN_RAD, REST_RAD = 0.1, 0.02
pytestmark = pytest.mark.usefixtures('ros')


class Robot:
    """A simulated robot and the policy that commands it."""

    def __init__(self, namespace: str, checkpoint):
        self.simulator = SimulatedRobotNode(namespace=namespace, parameter_overrides=overrides(
            viewer=False, camera_hz=10.0))
        self.policy = PolicyNode(namespace=namespace, parameter_overrides=overrides(
            checkpoint=checkpoint, robot=so101_yaml(), replan_period_s=0.1, dry_run=False))

    @property
    def shoulder_rad(self) -> float:
        """Where the arm is."""
        return float(self.simulator._simulated.world.position_D[0])

    def start(self) -> None:
        wait_for(lambda: hasattr(self.simulator, '_viewer'), 'the simulator')
        assert self.policy.trigger_configure() == SUCCESS
        activate(self.policy)
        wait_for(self.policy.listeners, 'the robot to be heard')
        self.rest_rad = self.shoulder_rad


@pytest.fixture
def robots(so101, tmp_path):
    """Two robots that turn to different sides once they are told anything, and a client."""
    made = {name: Robot(name, save_moving_checkpoint(tmp_path / name, so101, speed))
            for name, speed in SPEEDS_RAD_S.items()}
    client = rclpy.create_node('client')
    with spinning(*(node for robot in made.values() for node in (robot.simulator, robot.policy)),
                  client):
        for robot in made.values():
            robot.start()
        yield made['left'], made['right'], client


def test_commands_of_two_robots_do_not_cross(robots):
    """Catches an absolute topic: an instruction, a command or a stop that reaches the other."""
    left, right, client = robots
    told = set()
    client.create_subscription(DiagnosticArray, '/diagnostics', lambda message: told.update(
        status.name for status in message.status), 10)
    says = {name: client.create_publisher(String, f'{name}/instruction', LATCHED_QOS)
            for name in SPEEDS_RAD_S}
    says['left'].publish(String(data=SENTENCE))
    wait_for(lambda: left.shoulder_rad > left.rest_rad + TURN_RAD, 'the left arm to turn left')
    assert abs(right.shoulder_rad - right.rest_rad) < REST_RAD
    says['right'].publish(String(data=SENTENCE))
    assert call(client, Trigger, 'left/policy/stop').success
    wait_for(lambda: right.shoulder_rad < right.rest_rad - TURN_RAD, 'the right arm to turn right')
    assert left.policy.commander.interlock.stopped_by == '~/stop'
    assert not right.policy.commander.interlock.stopped_by
    wait_for(lambda: {'left/policy: state', 'right/policy: state'} <= told, 'both on /diagnostics')
    for robot in (left, right):
        ends = endpoints_of(robot.policy)
        outside = {name for kind in (ends.publishes, ends.subscribes, ends.serves, ends.asks)
                   for name in kind if name.startswith('/')}
        assert outside == {'/diagnostics', '/rosout', '/parameter_events'}
