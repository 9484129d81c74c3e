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
A simulated robot as a ROS node, in real time: its driver, controllers and cameras.

Publishes ``joint_states`` and a topic a camera, subscribes to the topic of each controller, all as
the robot YAML of its scene names them; where the scene has a task, ``~/task_done``,
``~/scene_task_done`` and ``~/table``, which cube lies on which plate in words. Service
``~/reset`` (std_srvs/Trigger) lays the scene the parameters name.

One thread owns the simulator (an OpenGL context belongs to a thread) and paces it by the
node's clock; callbacks only put work in its queue.
"""

from __future__ import annotations

from dataclasses import replace
import queue
import threading

import numpy as np
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from .controller_parameters import declare_controller
from .ros import COMMAND_QOS, LATCHED_QOS, log_traceback, now_ns, ROS_TYPES, run_node, SENSOR_QOS
from ..observe.stamp import stamp_ns
from ..paths import shipped
from ..sim.controller import Refused
from ..sim.layout import Layout, make_layout, Task
from ..sim.robot import SimulatedRobot
from ..sim.scene_file import read_scene
from ..sim.viewer import open_viewer
from ..spec import NS_PER_S

JOINT_STATES_HZ = 50
TICK_S = 0.004
LOST_NS = 2_000_000_000  # fallen behind by more, the simulator lets the time go
REPORT_S = 5.0
TASK_DONE, SCENE_TASK_DONE = '~/task_done', '~/scene_task_done'
RESET_TIMEOUT_S = 30.0


class SimulatedRobotNode(Node):
    """Publishes images, joint_states and whether tasks are done; obeys trajectories."""

    def __init__(self, **options):
        super().__init__('simulated_robot', **options)
        self._declare_parameters()
        self._scene = read_scene(self._value('scene') or shipped().scene)
        self._work = queue.SimpleQueue()
        self._stop = threading.Event()
        self._images = {camera.name: self.create_publisher(Image, camera.topic, SENSOR_QOS)
                        for camera in self._scene.robot.cameras}
        self._joints = self.create_publisher(JointState, 'joint_states', SENSOR_QOS)
        self._done = {topic: self.create_publisher(Bool, topic, LATCHED_QOS)
                      for topic in (TASK_DONE, SCENE_TASK_DONE) if self._scene.tabletop}
        self._table = (self.create_publisher(String, '~/table', LATCHED_QOS)
                       if self._scene.tabletop else None)
        for group in self._scene.robot.groups:
            declare_controller(self, self._scene.robot, group,
                               self._scene.controller_rules(group.topic))
            self.create_subscription(
                JointTrajectory, group.topic, lambda message, topic=group.topic:
                self._work.put(('command', (topic, message))), COMMAND_QOS)
        self.create_service(Trigger, '~/reset', self._on_reset)
        self._thread = threading.Thread(target=self._run, name='simulator', daemon=True)
        self._thread.start()

    def _declare_parameters(self) -> None:
        self.declare_parameter('scene', '', ParameterDescriptor(
            description="Scene YAML: the robot and the world around it; empty: the shipped one's",
            read_only=True))
        self.declare_parameter('seed', 1_000_000, ParameterDescriptor(
            description='Layout laid by ~/reset',
            integer_range=[IntegerRange(from_value=0, to_value=2**31 - 1, step=1)]))
        self.declare_parameter('task_object', '', ParameterDescriptor(
            description="Cube that ~/task_done is about, as 'red cube'; empty: by seed"))
        self.declare_parameter('task_place', '', ParameterDescriptor(
            description="Plate that ~/task_done is about, as 'left plate'; empty: by seed"))
        self.declare_parameter('scene_object', '', ParameterDescriptor(
            description='Cube that the scene is set up for and ~/scene_task_done is about; '
                        'empty: the one of the task'))
        self.declare_parameter('camera_hz', 20.0, ParameterDescriptor(
            description='Rate of every camera', read_only=True,
            floating_point_range=[FloatingPointRange(from_value=1.0, to_value=60.0)]))
        self.declare_parameter('shuffle_joints', False, ParameterDescriptor(
            description='Publish joint_states in a new order each time', read_only=True))
        self.declare_parameter('silent', False, ParameterDescriptor(
            description='Publish no images and joint states, as when their cables are out'))
        self.declare_parameter('viewer', True, ParameterDescriptor(
            description='Open a window when there is a display', read_only=True))

    def close(self) -> None:
        """Stop the simulator's thread."""
        self._stop.set()
        self._thread.join()

    # -- callbacks

    def _on_reset(self, request, response):
        done = threading.Event()
        failure = []
        self._work.put(('reset', (done, failure)))
        if not done.wait(RESET_TIMEOUT_S):
            failure.append(f'the simulator did not answer within {RESET_TIMEOUT_S} s')
        response.success, response.message = not failure, '; '.join(failure)
        return response

    # -- the simulator's thread

    def _run(self) -> None:
        try:
            self._simulated = SimulatedRobot(ROS_TYPES, self._scene)
            self._rng = np.random.default_rng(0)
            self._reset()
            self._tell()
            self._viewer = open_viewer(self._simulated.world, self._value('viewer'),
                                       self.get_logger().warning)
            while not self._stop.wait(TICK_S):
                self._tick()
            self._report(now_ns(self))
            self._viewer.close()
            self._simulated.world.close()
        except Exception:  # noqa: B902 - a thread's exception would pass unseen
            log_traceback(self, 'the simulator stopped')
            rclpy.try_shutdown()  # and with it the process

    def _tell(self) -> None:
        robot = self._scene.robot
        self.get_logger().info(
            f'{robot.name} of {self._scene.path}: joint_states, '
            f'{", ".join(camera.topic for camera in robot.cameras)}; obeys '
            f'{", ".join(group.topic for group in robot.groups)}')

    def _tick(self) -> None:
        now = now_ns(self)
        if now - self._simulated.now_ns > LOST_NS:
            self._lost_ns += now - self._simulated.now_ns
            self._simulated.now_ns = now
        self._simulated.advance(now)  # an arm goes on however late its computer is
        while not self._work.empty():
            kind, what = self._work.get()
            self._reset_for(*what) if kind == 'reset' else self._obey(*what)
        self._publish(now)

    def _publish(self, now: int) -> None:
        if self._value('silent'):
            self._next_joints_ns = self._next_images_ns = now
        else:
            self._publish_sensors(now)
        if now >= self._next_report_ns:
            self._report(now)

    def _publish_sensors(self, now: int) -> None:
        if now >= self._next_joints_ns:
            self._next_joints_ns += NS_PER_S // JOINT_STATES_HZ
            count = len(self._simulated.joint_names)
            shuffled = self._rng.permutation(count) if self._value('shuffle_joints') else None
            self._joints.publish(self._simulated.joint_state(shuffled))
            self._publish_done()
        if now >= self._next_images_ns:
            self._next_images_ns = max(
                self._next_images_ns + round(NS_PER_S / self._value('camera_hz')), now)
            for camera, publisher in self._images.items():
                publisher.publish(self._simulated.image(camera))
            self._publish_table()
            self._viewer.sync()

    def _publish_done(self) -> None:
        for topic, task in self._tasks.items():
            done = self._simulated.world.table.is_done(task)
            if done != self._was_done.get(topic):
                self._was_done[topic] = done
                self._done[topic].publish(Bool(data=done))

    def _publish_table(self) -> None:
        if self._table is None:
            return
        account = self._simulated.world.table.account(self._simulated.layout.cubes)
        if account != self._account:
            self._account = account
            self._table.publish(String(data=account))

    def _report(self, now: int) -> None:
        self._next_report_ns = now + round(REPORT_S * NS_PER_S)
        self.get_logger().info(f'real-time factor {self.real_time_factor(now):.3f}')

    def real_time_factor(self, now: int) -> float:
        """Return simulated over elapsed time since the last reset."""
        elapsed = now - self._reset_at_ns
        return (elapsed - self._lost_ns) / elapsed if elapsed > 0 else 1.0

    def _obey(self, topic: str, message: JointTrajectory) -> None:
        if 0 < stamp_ns(message.header.stamp) < self._reset_at_ns:
            self.get_logger().info('trajectory from before the reset left out')
            return
        try:
            self._simulated.command(topic, message)
        except Refused as reason:
            self.get_logger().error(f'trajectory refused: {topic}: {reason}')
        except Exception:  # noqa: B902 - what a topic brings must not end the simulator
            log_traceback(self, 'trajectory refused')

    def _reset_for(self, done: threading.Event, failure: list[str]) -> None:
        self._report(now_ns(self))  # of the scene that ends: it may have been a short one
        try:
            self._reset()
        except ValueError as error:
            failure.append(str(error))
        done.set()

    def _reset(self) -> None:
        """Lay the scene the parameters name; raises ValueError for an unknown object."""
        self._tasks, layout = self._lay() if self._scene.tabletop else ({}, None)
        now = now_ns(self)
        self._simulated.reset(layout, now)
        self._reset_at_ns = self._next_joints_ns = self._next_images_ns = now
        self._next_report_ns = now + round(REPORT_S * NS_PER_S)
        self._lost_ns, self._was_done, self._account = 0, {}, ''

    def _lay(self) -> tuple[dict[str, Task], Layout]:
        layout = make_layout(self._value('seed'))
        task = Task(self._value('task_object') or layout.task.object,
                    self._value('task_place') or layout.task.place)
        scene = Task(self._value('scene_object') or task.object, task.place)
        layout = replace(make_layout(layout.seed, scene), task=task)
        if task.object not in layout.cubes:
            raise ValueError(f'{task.object!r} is not in the scene: {sorted(layout.cubes)}')
        cubes = ', '.join(sorted(layout.cubes))
        self.get_logger().info(f'scene {layout.seed}: {cubes}; task {task}')
        return {TASK_DONE: task, SCENE_TASK_DONE: scene}, layout

    def _value(self, name: str):
        return self.get_parameter(name).value


def main(args: list[str] | None = None) -> None:
    run_node(SimulatedRobotNode, args)


if __name__ == '__main__':
    main()
