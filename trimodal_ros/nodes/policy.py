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

Subscribes to an image topic a camera, as the robot YAML names them, ``joint_states`` and
``instruction`` (latched); publishes ``joint_trajectory`` and ``~/decision``. Needs the lifecycle
transitions configure and activate, by service ``~/change_state``.

Callbacks store; a timer notices what is due or stale; one worker thread decides. What is sent,
and whether it may be, is settled under the pilot's lock.
"""

from __future__ import annotations

import threading
import time

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, State, TransitionCallbackReturn
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
import torch
from trajectory_msgs.msg import JointTrajectory

from .decision_message import decision_message
from .policy_parameters import (
    check_replan_period,
    choose_device,
    declare_parameters,
    judge_change,
)
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
WORKER_PATIENCE_S = 2.0  # for the model to return once the node is told to stop


class PolicyNode(LifecycleNode):
    """Unconfigured: nothing loaded. Inactive: model warm. Active: commanding."""

    _declare_parameters = declare_parameters

    def __init__(self, **options):
        super().__init__('policy', **options)
        self._declare_parameters()
        self.add_on_set_parameters_callback(
            lambda parameters: judge_change(parameters, self.pilot is not None))
        self.pilot = None
        self._active = False
        self._due = threading.Event()
        self._worker = None
        self._plan_from_ns = 0  # images stamped earlier are not planned from
        self._seen_ns = 0       # when the clock was looked at last
        self._read = None       # the sentence whose embedding is at hand
        self._held = ''         # what the robot is held for
        self._holds = 0         # a decision begun before the last one is not sent
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
        check_replan_period(parameter(self, 'replan_period_s'), robot)
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
        self._sentences, self._read = policy.sentences, None
        self.pilot = Pilot(robot, policy.plan, lambda: now_ns(self), ages,
                           parameter(self, 'max_command_age_s'),
                           parameter(self, 'max_tracking_error_rad'))
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
        if not self._worker_ends():
            return TransitionCallbackReturn.FAILURE
        self.pilot.forget()
        self._due.clear()
        self._held, self._plan_from_ns, self._seen_ns = '', 0, now_ns(self)
        self._active = True
        self._worker = threading.Thread(
            target=self._work, args=[self.pilot], name='decide', daemon=True)
        self._worker.start()
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: State) -> TransitionCallbackReturn:
        self._stop('deactivated')
        self._worker_ends()
        return TransitionCallbackReturn.SUCCESS

    def on_cleanup(self, state: State) -> TransitionCallbackReturn:
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: State) -> TransitionCallbackReturn:
        self.close()
        return TransitionCallbackReturn.SUCCESS

    def close(self) -> None:
        """Brake, stop deciding, and let go of everything; safe in any state."""
        was_active = self._active
        self._stop('shut down')
        self._worker_ends()
        if was_active:
            self._command.wait_for_all_acked(Duration(seconds=LAST_WORD_S))
        self._release()

    def _stop(self, reason: str) -> None:
        """Brake if active, as the last that is sent; the model may still be thinking."""
        if not self._active:
            return
        with self.pilot.lock:
            self._active = False
            self._brake(reason)

    def _worker_ends(self) -> bool:
        """Wait for the worker of an activation that is over; say so when it doesn't return."""
        self._due.set()
        if self._worker is not None:
            self._worker.join(WORKER_PATIENCE_S)
            if self._worker.is_alive():
                self.get_logger().error(
                    f'the model has not returned for {WORKER_PATIENCE_S} s; what it returns is '
                    'left out, and until then the node cannot be activated')
                return False
        self._worker = None
        return True

    def _release(self) -> None:
        for part in self._parts:
            destroy = {'Timer': self.destroy_timer, 'Subscription': self.destroy_subscription}
            destroy.get(type(part).__name__, self.destroy_publisher)(part)
        self._parts, self.pilot = [], None

    # -- callbacks store

    def _image_callback(self, camera: str):
        def store(message: Image) -> None:
            with self.pilot.lock:
                if self._went_back() or self.pilot.observer.is_from_before(camera, message):
                    self._start_again()
                self.pilot.observer.add_image(camera, message)
            self._decide_if_due()
        return store

    def _on_joints(self, message: JointState) -> None:
        try:
            with self.pilot.lock:
                self.pilot.observer.add_joints(message)
        except JointStateError as error:
            self.get_logger().error(str(error), throttle_duration_sec=LOG_EVERY_S)

    def _on_instruction(self, message: String) -> None:
        with self.pilot.lock:
            before = self.pilot.observer.instruction
            try:
                self.pilot.observer.set_instruction(message.data)
            except InstructionError as error:
                self.pilot.observer.set_instruction('')
                self.get_logger().error(f'instruction refused, holding: {error}')
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

    def _plan_soon(self, pilot: Pilot) -> None:
        """Plan from the next complete set of images: those at hand have aged."""
        with pilot.lock:
            self._plan_from_ns = (pilot.observer.image_stamp_ns or 0) + 1
            self._due.clear()

    def _supervise(self) -> None:
        with self.pilot.lock:
            if self._went_back():
                self._start_again()
            elif not self.pilot.observer.instruction:
                self._hold('no instruction')
            else:
                self._hold_unless_alive()

    def _went_back(self) -> bool:
        """Tell whether the clock shows less than before, by more than an image may be old."""
        seen_ns, self._seen_ns = self._seen_ns, now_ns(self)
        return seen_ns - self._seen_ns > self.pilot.observer.max_age.camera_s * NS_PER_S

    def _hold_unless_alive(self) -> None:
        try:
            self.pilot.observer.check_alive(now_ns(self))
        except NotReady as error:
            self._hold(error.what, error.reason)

    def _start_again(self) -> None:
        """Forget all stamps after a jump back: until they are reached again they mislead."""
        hold = self.pilot.forget()
        self._plan_from_ns = 0
        if self._active and hold is not None:
            self._send(hold)
        self._hold('clock jumped back')

    # -- the worker

    def _work(self, pilot: Pilot) -> None:
        while self._active:
            self._due.wait()
            self._due.clear()
            if not self._active:
                return
            try:
                self._decide(pilot)
            except NotReady as error:
                self._plan_soon(pilot)
                self._hold(error.what, error.reason)
            except ImageError as error:
                self._plan_soon(pilot)
                self._hold('unreadable image', str(error))
            except InstructionError as error:
                self._hold(f'unreadable instruction: {error}')
            except Exception:  # noqa: B902 - the robot must be held whatever the model does
                self._hold_after_failure()

    def _hold_after_failure(self) -> None:
        if self._active:
            log_traceback(self, 'the policy failed')
            self._hold('the policy failed')

    def _decide(self, pilot: Pilot) -> None:
        with pilot.lock:
            instruction, holds = pilot.observer.instruction, self._holds
        if instruction == self._read:
            self._publish(pilot, pilot.decide(), holds)
        elif instruction:
            self._sentences.tokens(instruction)  # slow the first time, then kept
            self._read = instruction
            self._plan_soon(pilot)

    def _publish(self, pilot: Pilot, decision: Decision, holds: int) -> None:
        """Send what was decided, unless the robot was held or told otherwise meanwhile."""
        with pilot.lock:
            if not self._active:
                return
            asked = decision.observation.instruction == pilot.observer.instruction
            if holds != self._holds or not asked:
                self._plan_soon(pilot)
                return
            if decision.trajectory is not None:
                self._send(decision.trajectory)
            self._report(decision)

    def _report(self, decision: Decision) -> None:
        if decision.refusal:
            self.get_logger().error(f'plan not sent: {decision.refusal}',
                                    throttle_duration_sec=LOG_EVERY_S)
        elif self._held:
            self.get_logger().info('commanding')
        self._held = 'plan not sent' if decision.refusal else ''
        age_ms = (now_ns(self) - decision.observation.stamp_ns) / 1e6
        self._decision.publish(decision_message(decision, age_ms, self.checkpoint_hash))

    # -- what is sent

    def _send(self, trajectory: Trajectory) -> None:
        with self.pilot.lock:
            self._command.publish(to_message(trajectory, ROS_TYPES))
            self.pilot.sent(trajectory)

    def _hold(self, what: str, reason: str = '') -> None:
        """Brake once; say why, when it is for something else than before."""
        pilot = self.pilot
        if pilot is not None:
            with pilot.lock:
                if self._active:
                    self._brake(what, reason)

    def _brake(self, what: str, reason: str = '') -> None:
        self._holds += 1
        if self.pilot.is_moving and not self.pilot.is_braking:
            trajectory = self.pilot.hold()
            if trajectory is not None:
                self._send(trajectory)
        if what != self._held:
            self.get_logger().warning(f'holding: {NotReady(what, reason)}')
        self._held = what


def main(args: list[str] | None = None) -> None:
    run_node(PolicyNode, args)


if __name__ == '__main__':
    main()
