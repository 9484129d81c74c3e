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
A robot for measuring the policy node: cameras, an arm that follows, a model of no skill.

The cameras run in a process of their own and send noisy frames; the arm plays what it is sent as
the joint_trajectory_controller would. The model is small and random but for its last layers,
which move the arm round in circles, well within its limits, for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import multiprocessing
from pathlib import Path
import tempfile
import threading
import time

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
import numpy as np
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from trajectory_msgs.msg import JointTrajectory

from benchmarks.cameras import CameraRun, run_cameras
from benchmarks.circling import make_robot, START_J, write_checkpoint
from trimodal_ros.nodes.conductor import Conductor
from trimodal_ros.nodes.private_graph import NodeProcesses
from trimodal_ros.nodes.ros import HEAR_ALL_QOS, ROS_TYPES, SENSOR_QOS, wait_until
from trimodal_ros.observe.stamp import stamp_ns
from trimodal_ros.record.sensor_messages import joint_state_message
from trimodal_ros.sim.controller import Refused, TrajectoryController
from trimodal_ros.spec import NS_PER_S, RobotSpec
from trimodal_ros.spec.robot_file import write_robot_file

JOINT_STATES_HZ = 100
LATE_S = 0.1         # that joint states catch up with, should the process be held up
HOLD_ENDS_WITHIN_S = 0.8     # a plan goes on for longer than braking takes
PATIENCE_S = 60.0
SENTENCE = 'put the red cube on the left plate'
STOP_TOPIC, STOP_TOPIC_HZ = 'stop', 10


class RigError(RuntimeError):
    """Something that is needed for a measurement does not happen."""


# -- the arm

@dataclass(frozen=True)
class Received:
    """A trajectory that reached the arm."""

    at_ns: int
    stamp_ns: int
    is_hold: bool

    @classmethod
    def of(cls, message: JointTrajectory) -> Received:
        """Return what has just come: a hold is over soon."""
        now_ns, stamp = time.time_ns(), stamp_ns(message.header.stamp)
        ends_ns = stamp + stamp_ns(message.points[-1].time_from_start)
        return cls(now_ns, stamp, ends_ns - now_ns < HOLD_ENDS_WITHIN_S * NS_PER_S)


class Arm:
    """Joint states from a controller that plays what is sent; on somebody's node."""

    def __init__(self, node, robot: RobotSpec, joints_hz: float):
        self.robot, self.received, self.refused, self.sent = robot, [], [], 0
        self.is_silent, self.is_nan, self.joints_ns, self.asks_stop = False, False, 0, False
        self._heard_ns = 0  # since when the stop topic has a subscriber
        self._controller = TrajectoryController(robot.joint_names)
        self._controller.start(np.array(START_J), time.time_ns())
        self._joints = node.create_publisher(JointState, 'joint_states', SENSOR_QOS)
        self._stop = node.create_publisher(Bool, STOP_TOPIC, SENSOR_QOS)
        node.create_subscription(JointTrajectory, 'joint_trajectory', self._on_trajectory,
                                 HEAR_ALL_QOS)
        self._hz, self._ended, self._playing = joints_hz, threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._keep_publishing, name='arm', daemon=True)
        self._thread.start()
        node.create_timer(1 / STOP_TOPIC_HZ, self.publish_stop)

    def _keep_publishing(self) -> None:
        """Publish at the rate, on a thread: a timer of rclpy doesn't keep to 500 Hz."""
        due = time.monotonic()
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            self._publish_joints()
            due = max(due + 1 / self._hz, time.monotonic() - LATE_S)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _publish_joints(self) -> None:
        with self._playing:
            now_ns = time.time_ns()
            reference = self._controller.reference(now_ns)
        if self.is_silent:
            return
        position_J = np.full(len(START_J), np.nan) if self.is_nan else reference.position_J
        self._joints.publish(joint_state_message(
            self.robot.joint_names, position_J, reference.velocity_J, now_ns, ROS_TYPES))
        self.sent += 1
        if not self.is_nan:
            self.joints_ns = now_ns

    def publish_stop(self) -> None:
        """Publish what is asked on the stop topic."""
        self._stop.publish(Bool(data=self.asks_stop))

    def stop_is_heard(self) -> bool:
        """Tell whether somebody has listened to the stop topic for a few messages."""
        heard = self._stop.get_subscription_count() > 0
        self._heard_ns = (self._heard_ns or time.time_ns()) if heard else 0
        return heard and time.time_ns() - self._heard_ns > 5 * NS_PER_S // STOP_TOPIC_HZ

    def _on_trajectory(self, message: JointTrajectory) -> None:
        received = Received.of(message)
        self.received.append(received)
        now_ns = received.at_ns
        try:
            with self._playing:
                before = self._controller.reference(now_ns)
                self._controller.accept(message, now_ns, before)
        except Refused as reason:
            self.refused.append(str(reason))

    def first(self, is_hold: bool, after_ns: int) -> Received | None:
        """Return the first hold, or plan, that was received after a time."""
        for each in reversed(self.received):
            if each.at_ns < after_ns:
                break
        return next((each for each in list(self.received)
                     if each.at_ns >= after_ns and each.is_hold == is_hold), None)


# -- the cameras, from outside their process

class Cameras:
    """Sends frames from a process of its own; ended on leaving."""

    def __init__(self, run: CameraRun):
        context = multiprocessing.get_context('spawn')
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=run_cameras, args=[run, other], daemon=True)
        self._process.start()

    def ask(self, what: str, camera: int = 0):
        """Have it do something between two frames, and return its answer."""
        self._pipe.send((what, camera))
        if not self._pipe.poll(PATIENCE_S):
            raise RigError(f'the cameras did not answer {what!r} within {PATIENCE_S} s')
        return self._pipe.recv()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self._process.is_alive():
            self._pipe.send(('end', 0))
        self._process.join(PATIENCE_S)


# -- everything together

class Rig:
    """A running policy with its cameras and its arm."""

    def __init__(self, conductor: Conductor, cameras: Cameras, robot: RobotSpec,
                 processes: NodeProcesses, joints_hz: float):
        self.conductor, self.cameras, self.robot = conductor, cameras, robot
        self.processes = processes
        self.decisions, self.inputs, self.told = [], {}, 0
        self.arm = Arm(conductor.node, robot, joints_hz)
        conductor.node.create_subscription(
            DiagnosticArray, 'policy/decision', self.decisions.append, HEAR_ALL_QOS)
        conductor.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics,
                                           HEAR_ALL_QOS)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == 'policy: inputs':
                self.inputs = {item.key: item.value for item in status.values}
                self.told += 1

    def wait(self, condition: Callable[[], object], what: str):
        """Return the condition's value when it is true; raise RigError when it never is."""
        value = wait_until(condition, PATIENCE_S, 0.002)
        if not value:
            raise RigError(f'waited {PATIENCE_S:g} s in vain for {what}')
        return value

    def count_frames(self) -> tuple[dict[str, int], dict[str, int]]:
        """Halt the cameras; return how many frames of each were sent and have arrived so far."""
        sent = self.cameras.ask('halt')
        told = self.told
        self.wait(lambda: self.told >= told + 2, 'diagnostics of the policy')
        arrived = self.arrived()
        self.cameras.ask('go on')
        return dict(zip(arrived, sent)), arrived

    def arrived(self) -> dict[str, int]:
        """Return how many frames of each camera had reached the policy when it told last."""
        return {camera.name: int(self.inputs.get(f'{camera.name}_count', 0))
                for camera in self.robot.cameras}

    def start(self) -> None:
        """Activate the policy, tell it to move, and wait until it does."""
        self.conductor.activate()
        self.conductor.say(SENTENCE)
        self.wait_for_motion()

    def wait_for_motion(self, seconds: float = 0.5) -> None:
        """Wait until plans have come, and no hold, for a while."""
        def moves():
            newest = self.arm.received[-30:]
            since_ns = time.time_ns() - round(seconds * NS_PER_S)
            return (len(newest) > 1 and newest[-1].at_ns > since_ns and not any(
                each.is_hold for each in newest if each.at_ns > since_ns) and any(
                not each.is_hold for each in newest if each.at_ns <= since_ns))
        self.wait(moves, 'the robot to move')


@contextmanager
def open_rig(run: CameraRun, joints_hz: float = JOINT_STATES_HZ,
             recorder: dict | None = None, **policy_parameters) -> Iterator[Rig]:
    """
    Bring up cameras, arm and policy on this process's graph; the policy is configured.

    With ``recorder``, its parameters, a recorder runs beside them.
    """
    robot = make_robot(run.cameras)
    with tempfile.TemporaryDirectory(prefix='trimodal_ros_') as name:
        folder = Path(name)
        write_robot_file(robot, folder / 'robot.yaml')
        write_checkpoint(robot, folder / 'checkpoint')
        with NodeProcesses(folder / 'log') as processes, Cameras(run) as cameras:
            processes.start('policy', {
                'checkpoint': folder / 'checkpoint', 'robot': folder / 'robot.yaml',
                'dry_run': False, **policy_parameters})
            if recorder is not None:
                processes.start('recorder', {'robot': folder / 'robot.yaml', **recorder})
            conductor = Conductor(processes)
            try:
                conductor.transition(Transition.TRANSITION_CONFIGURE)
                rig = Rig(conductor, cameras, robot, processes, joints_hz)
                try:
                    yield rig
                finally:
                    rig.arm.close()
            finally:
                conductor.close()
