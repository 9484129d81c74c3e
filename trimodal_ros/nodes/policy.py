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
The policy as a lifecycle node: camera images, joint states and a sentence in, motion out.

Callbacks store; a timer notices what is due or stale; one worker thread decides.
"""

from __future__ import annotations

import threading
import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, State, TransitionCallbackReturn
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
import torch
from trajectory_msgs.msg import JointTrajectory

from .policy_parameters import declare_parameters
from .ros import (
    COMMAND_QOS,
    LATCHED_QOS,
    log_traceback,
    now_ns,
    parameter,
    ROS_TYPES,
    run_node,
    SENSOR_QOS,
)
from ..command.message import to_message
from ..command.pilot import Decision, Pilot
from ..observe.image import ImageError
from ..observe.instruction import InstructionError
from ..observe.joints import JointStateError
from ..observe.observer import MaxAge, NotReady
from ..plan.checkpoint import load_checkpoint
from ..spec import NS_PER_S, Observation, RobotSpec, Trajectory

SUPERVISE_S = 0.02
LAST_WORD_S = 0.5  # for the hold to arrive before the node is gone
LOG_EVERY_S = 1.0


class PolicyNode(LifecycleNode):
    """Unconfigured: nothing loaded. Inactive: model warm. Active: commanding."""

    def __init__(self, **options):
        super().__init__('policy', **options)
        declare_parameters(self)
        self.pilot = None
        self._active = False
        self._due = threading.Event()
        self._worker = None
        self._plan_from_ns = 0  # images stamped earlier are not planned from
        self._read = ''         # the sentence whose embedding is at hand
        self._held = ''
        self._parts = []

    # -- life cycle

    def on_configure(self, state: State) -> TransitionCallbackReturn:
        try:
            self._configure()
        except Exception:  # noqa: B902 - whatever is wrong, the node stays unconfigured
            log_traceback(self, 'not configured')
            self._release()
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def _configure(self) -> None:
        robot = RobotSpec.from_yaml(parameter(self, 'robot'))
        torch.set_num_threads(parameter(self, 'threads'))
        started = time.perf_counter()
        policy = load_checkpoint(
            parameter(self, 'checkpoint'), choose_device(parameter(self, 'device')), robot)
        loaded = time.perf_counter()
        policy.plan(Observation.make_example(robot))
        self.get_logger().info(
            f'checkpoint {policy.content_hash} on {policy.device}: loaded in '
            f'{loaded - started:.2f} s, warm-up inference {time.perf_counter() - loaded:.3f} s')
        self.checkpoint_hash = policy.content_hash
        ages = MaxAge(parameter(self, 'max_camera_age_s'), parameter(self, 'max_joints_age_s'),
                      parameter(self, 'max_camera_skew_s'))
        self._sentences = policy.sentences
        self.pilot = Pilot(robot, policy.plan, lambda: now_ns(self), ages,
                           parameter(self, 'max_command_age_s'))
        self._replan_ns = round(parameter(self, 'replan_period_s') * NS_PER_S)
        self._open_topics(robot)

    def _open_topics(self, robot: RobotSpec) -> None:
        self._command = self.create_publisher(JointTrajectory, 'joint_trajectory', COMMAND_QOS)
        self._decision = self.create_publisher(DiagnosticArray, '~/decision', 10)
        self._parts = [self._command, self._decision]
        for camera in robot.cameras:
            self._parts.append(self.create_subscription(
                Image, camera.topic, self._image_callback(camera.name), SENSOR_QOS))
        self._parts += [
            self.create_subscription(JointState, 'joint_states', self._on_joints, SENSOR_QOS),
            self.create_subscription(String, 'instruction', self._on_instruction, LATCHED_QOS),
            self.create_timer(SUPERVISE_S, self._supervise)]

    def on_activate(self, state: State) -> TransitionCallbackReturn:
        with self.pilot.lock:
            self.pilot.commanded.clear()
            self.pilot.observer.clear()
        self._held, self._plan_from_ns, self._active = '', 0, True
        self._worker = threading.Thread(target=self._work, name='decide', daemon=True)
        self._worker.start()
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: State) -> TransitionCallbackReturn:
        self._stop_worker()
        self._hold('deactivated')
        return TransitionCallbackReturn.SUCCESS

    def on_cleanup(self, state: State) -> TransitionCallbackReturn:
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: State) -> TransitionCallbackReturn:
        self.close()
        return TransitionCallbackReturn.SUCCESS

    def close(self) -> None:
        """Stop deciding, brake, and let go of everything; safe in any state."""
        was_active = self._active
        self._stop_worker()
        if was_active:
            self._hold('shut down')
            self._command.wait_for_all_acked(Duration(seconds=LAST_WORD_S))
        self._release()

    def _stop_worker(self) -> None:
        self._active = False
        self._due.set()
        if self._worker is not None:
            self._worker.join()
            self._worker = None

    def _release(self) -> None:
        for part in self._parts:
            destroy = {'Timer': self.destroy_timer, 'Subscription': self.destroy_subscription}
            destroy.get(type(part).__name__, self.destroy_publisher)(part)
        self._parts, self.pilot = [], None

    # -- callbacks store

    def _image_callback(self, camera: str):
        def store(message: Image) -> None:
            with self.pilot.lock:
                self.pilot.observer.add_image(camera, message)
            self._decide_if_due()
        return store

    def _on_joints(self, message: JointState) -> None:
        try:
            with self.pilot.lock:
                self.pilot.observer.add_joints(message)
        except JointStateError as error:
            self._error(str(error))

    def _on_instruction(self, message: String) -> None:
        with self.pilot.lock:
            before = self.pilot.observer.instruction
            try:
                self.pilot.observer.set_instruction(message.data)
            except InstructionError as error:
                self.pilot.observer.set_instruction('')
                self._error(f'instruction refused, holding: {error}')
            after = self.pilot.observer.instruction
        if after != before:
            self.get_logger().info(f'instruction {after!r}')
            self._due.set()  # the worker reads it, and plans for it on the next images

    # -- what is due, and what is stale

    def _decide_if_due(self) -> None:
        """Wake the worker, once, when a complete set of images is there to plan from."""
        with self.pilot.lock:
            stamp = self.pilot.observer.image_stamp_ns
            fresh = stamp is not None and stamp >= self._plan_from_ns
            if self._active and fresh and self.pilot.observer.instruction:
                self._plan_from_ns = stamp + self._replan_ns
                self._due.set()

    def _plan_soon(self) -> None:
        """Plan from the next complete set of images: those at hand have aged."""
        with self.pilot.lock:
            self._plan_from_ns = (self.pilot.observer.image_stamp_ns or 0) + 1
            self._due.clear()

    def _supervise(self) -> None:
        if not self._active:
            return
        if not self.pilot.observer.instruction:
            self._hold('no instruction')
            return
        reason = self.pilot.observer.stale_input(now_ns(self))
        if reason:
            self._hold(reason)

    # -- the worker

    def _work(self) -> None:
        while self._active:
            self._due.wait()
            self._due.clear()
            if not self._active:
                return
            try:
                self._decide()
            except (NotReady, ImageError) as error:
                self._plan_soon()
                self._hold(str(error))
            except Exception:  # noqa: B902 - the robot must be held whatever the model does
                log_traceback(self, 'the policy failed')
                self._hold('the policy failed')

    def _decide(self) -> None:
        instruction = self.pilot.observer.instruction
        if instruction == self._read:
            self._publish(self.pilot.decide())
        elif instruction:
            self._sentences.tokens(instruction)  # slow the first time, then kept
            self._read = instruction
            self._plan_soon()

    def _publish(self, decision: Decision) -> None:
        if not self._active or self.pilot.observer.instruction != decision.observation.instruction:
            return  # told otherwise while thinking
        if decision.trajectory is not None:
            self._send(decision.trajectory)
        if decision.refusal:
            self._error(f'plan not sent: {decision.refusal}')
        elif self._held:
            self.get_logger().info('commanding')
        self._held = decision.refusal
        age_ms = (now_ns(self) - decision.observation.stamp_ns) / 1e6
        self._decision.publish(decision_message(decision, age_ms, self.checkpoint_hash))

    def _send(self, trajectory: Trajectory) -> None:
        self._command.publish(to_message(trajectory, ROS_TYPES))
        self.pilot.sent(trajectory)

    def _hold(self, reason: str) -> None:
        """Brake once for a reason; say so when it is a new one."""
        if self.pilot is None:
            return
        if self.pilot.is_moving and not self.pilot.is_braking:
            trajectory = self.pilot.hold()
            if trajectory is not None:
                self._send(trajectory)
        if reason != self._held and reason.split(':')[0] != self._held.split(':')[0]:
            self.get_logger().warning(f'holding: {reason}')
        self._held = reason

    def _error(self, text: str) -> None:
        self.get_logger().error(text, throttle_duration_sec=LOG_EVERY_S)


def decision_message(decision: Decision, age_ms: float,
                     checkpoint_hash: str) -> DiagnosticArray:
    """Return the record of a decision, stamped with its observation's time."""
    values = {
        'instruction': decision.observation.instruction, 'checkpoint': checkpoint_hash,
        'age_ms': f'{age_ms:.3f}',
        **{f'{stage}_ms': f'{value:.3f}' for stage, value in decision.stages_ms.items()}}
    level = DiagnosticStatus.WARN if decision.refusal else DiagnosticStatus.OK
    status = DiagnosticStatus(
        level=level, name='decision', message=decision.refusal or 'commanded',
        values=[KeyValue(key=key, value=value) for key, value in values.items()])
    return DiagnosticArray(
        header=ROS_TYPES.header(decision.observation.stamp_ns), status=[status])


def choose_device(name: str) -> str:
    """Return 'cuda' or 'cpu'. Raises ValueError for another name or a GPU that isn't there."""
    if name not in ('auto', 'cuda', 'cpu'):
        raise ValueError(f"device {name!r} is not 'auto', 'cuda' or 'cpu'")
    if name == 'cuda' and not torch.cuda.is_available():
        raise ValueError("device 'cuda' was asked for and no GPU is visible; use 'auto'")
    return 'cpu' if name == 'cpu' or not torch.cuda.is_available() else 'cuda'


def main(args: list[str] | None = None) -> None:
    run_node(PolicyNode, args)


if __name__ == '__main__':
    main()
