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

Subscribes to an image topic a camera, as the robot YAML names them, ``joint_states``,
``instruction`` (latched), ``robot_description`` and, if named, a stop topic; publishes
``joint_trajectory``, or the topics of the YAML's controllers, or, in a dry run, the same under
``~/debug/``; ``~/decision``, ``~/debug/plan``, ``~/debug/alignment/*``, ``/diagnostics`` and
``stopped`` (latched); of a second checkpoint, which decides on the same and commands nothing,
``~/shadow/*``. Hears on the controllers' topics what others command, and gives way while
``takeover`` says that somebody commands by hand.

Needs the lifecycle transitions configure and activate, by service ``~/change_state``. Services
(std_srvs/Trigger): ``~/stop``, ``~/resume``, ``~/load_checkpoint``, which takes over the folder
that the parameter checkpoint names, ``~/load_shadow``, which does so for shadow_checkpoint, and
``~/progress``, which tells who plays a recording how far this node has got with it.

A shell: when to decide and when to hold is in ``command/commander.py``.
"""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.lifecycle import LifecycleNode, State, TransitionCallbackReturn
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, String
from trajectory_msgs.msg import JointTrajectory

from .checkpoint_loader import CheckpointLoader
from .decision_topics import DecisionTopics
from .policy_diagnostics import PolicyDiagnostics
from .policy_parameters import (
    check_replan_period,
    declare_parameters,
    judge_change,
    read_guard,
    read_interlock,
    read_rules,
)
from .policy_progress import ProgressService
from .policy_shadow import Shadows
from .robot_parameters import optional, read_check, read_robot
from .ros import (
    HEAR_COMMANDS_QOS,
    LATCHED_QOS,
    log_traceback,
    now_ns,
    on_incompatible_qos,
    parameter,
    qualified,
    ROS_TYPES,
    run_node,
    SENSOR_QOS,
)
from .stop_services import offer_stop
from .trajectory_topics import image_class, TrajectoryPublishers
from .voice import Voice
from ..command.commander import Commander
from ..command.decider import STRAY
from ..command.decision import Decision
from ..command.interlock import Stop
from ..command.message import to_messages
from ..command.outlet import Told
from ..command.pilot import Pilot
from ..command.takeover import SILENT, TAKEOVER_TOPIC
from ..spec import RobotSpec, Trajectory

SUPERVISE_S = 0.02
DIAGNOSE_S = 1.0
LAST_WORD_S = 0.5  # for the hold to arrive before the node is gone
NOBODY = ('', STRAY, SILENT)  # has stopped the robot: a person may move it


class PolicyNode(LifecycleNode):
    """Unconfigured: nothing loaded. Inactive: model warm. Active: commanding."""

    _declare_parameters = declare_parameters

    def __init__(self, **options):
        super().__init__('policy', **options)
        self._declare_parameters()
        self.commander = None
        self._description, self._parts = '', []
        self._stopped = Stop()
        self._voice = Voice(self.get_logger())
        self.add_on_set_parameters_callback(
            lambda parameters: judge_change(parameters, self.commander is not None))
        self.create_subscription(String, 'robot_description', self._on_description, LATCHED_QOS)
        self._tells_stopped = self.create_publisher(Bool, 'stopped', LATCHED_QOS)
        self._told_stopped, self._told_holds = None, 0
        self._tell_stopped()
        offer_stop(self, self._stop, self._resume)
        self._checkpoints = CheckpointLoader(self)
        self._progress, self.shadows = ProgressService(self), Shadows(self)

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
        here = read_robot(self, self._description)
        robot, check = here.robot, read_check(self, here)
        check_replan_period(parameter(self, 'replan_period_s'), robot)
        policy = self._checkpoints.first(robot)
        shadow = self._checkpoints.first_shadow(robot)
        pilot = Pilot(robot, policy.plan, lambda: now_ns(self), read_rules(self),
                      read_guard(self), policy.stopwatch, check)
        self.diagnostics = PolicyDiagnostics(robot.name)
        self._open_topics(robot)
        self._hears_itself = 0 if optional(self, 'dry_run') else 1
        self.commander = Commander(pilot, policy, self, read_interlock(self, self._stopped),
                                   parameter(self, 'replan_period_s'), optional(self, 'dry_run'),
                                   follows_others=optional(self, 'follow_commands'))
        self.shadows.cast(self.commander, shadow)
        self.commander.takeover.max_silence_s = optional(self, 'max_takeover_age_s')
        self._listen(robot)

    def _open_topics(self, robot: RobotSpec) -> None:
        self._command = TrajectoryPublishers(
            self, robot, lambda topic: on_incompatible_qos(topic, self._complain),
            '~/debug/' if optional(self, 'dry_run') else '')
        self._decisions = DecisionTopics(self, '~/decision', '~/debug')
        self._diagnosis = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._parts += [*self._command.publishers, self._decisions, self._diagnosis]

    def _listen(self, robot: RobotSpec) -> None:
        commander = self.commander
        self._progress.begin()
        for camera in robot.cameras:
            self._subscribe(image_class(camera), camera.topic, SENSOR_QOS,
                            lambda message, name=camera.name: commander.on_image(name, message))
        self._subscribe(JointState, 'joint_states', SENSOR_QOS, commander.on_joints)
        self._subscribe(String, 'instruction', LATCHED_QOS,
                        lambda message: commander.on_instruction(message.data))
        for group in robot.groups:
            self._subscribe(JointTrajectory, group.topic, HEAR_COMMANDS_QOS,
                            commander.on_trajectory)
        self._subscribe(Bool, TAKEOVER_TOPIC, LATCHED_QOS,
                        lambda message: commander.on_takeover(message.data))
        stop_topic = optional(self, 'stop_topic')
        if stop_topic:
            commander.listen_to_stop(stop_topic, optional(self, 'max_stop_topic_age_s'))
            self._subscribe(Bool, stop_topic, SENSOR_QOS,
                            lambda message: commander.on_stop_topic(message.data))
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # a timer of another waits out a jump
        self._parts += [self.create_timer(SUPERVISE_S, self._supervise, clock=steady),
                        self.create_timer(DIAGNOSE_S, self._diagnose, clock=steady)]

    def _supervise(self) -> None:
        self.commander.supervise()
        self._tell_stopped()
        if self.commander.helm.holds_begun != self._told_holds:
            self._diagnose()  # one that ends before the next second would not be told

    def _tell_stopped(self) -> None:
        """Tell a change of whether somebody has stopped the robot, who is not to be overridden."""
        is_stopped = self._stopped.by not in NOBODY
        if is_stopped != self._told_stopped:
            self._told_stopped = is_stopped
            self._tells_stopped.publish(Bool(data=is_stopped))

    def listeners(self) -> int:
        """Return how many others subscribe to what this node commands, on the loneliest topic."""
        return max(0, self._command.listeners() - self._hears_itself)

    def _subscribe(self, message_class, topic: str, qos, callback) -> None:
        self._parts.append(self.create_subscription(
            message_class, topic, self._progress.counted(topic, callback), qos,
            event_callbacks=SubscriptionEventCallbacks(
                incompatible_qos=on_incompatible_qos(topic, self._complain))))

    def _complain(self, topic: str, text: str) -> None:
        self.diagnostics.complaints[topic] = text
        self.get_logger().error(text)

    def on_activate(self, state: State) -> TransitionCallbackReturn:
        wrong = self.commander.why_not_ready()
        if wrong:
            self.get_logger().error(f'not activated: {wrong}')
            return TransitionCallbackReturn.FAILURE
        started = self.commander.start()
        return TransitionCallbackReturn.SUCCESS if started else TransitionCallbackReturn.FAILURE

    def on_deactivate(self, state: State) -> TransitionCallbackReturn:
        self.commander.stop('deactivated')
        self._diagnose()
        self.commander.end_worker()
        return TransitionCallbackReturn.SUCCESS

    def on_cleanup(self, state: State) -> TransitionCallbackReturn:
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: State) -> TransitionCallbackReturn:
        self.close()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: State) -> TransitionCallbackReturn:
        """Let go of everything after a transition that failed half-way, to be configured anew."""
        self.close()
        return TransitionCallbackReturn.SUCCESS

    def close(self) -> None:
        """Brake, stop deciding, and let go of everything; safe in any state."""
        try:
            if self.commander is not None:
                self._end()
        finally:
            self._release()

    def _end(self) -> None:
        was_active = self.commander.helm.is_active
        self.commander.stop('shut down')
        if was_active:
            self._diagnose()
        self.commander.end_worker()
        if was_active:
            self._command.wait_for_all_acked(LAST_WORD_S)

    def _release(self) -> None:
        if self.commander is not None and self.diagnostics.decisions:
            self.get_logger().info(self.diagnostics.table())
        self.shadows.end(self.commander)
        for part in self._parts:
            destroy = {'Timer': self.destroy_timer, 'Subscription': self.destroy_subscription,
                       'DecisionTopics': DecisionTopics.close}
            destroy.get(type(part).__name__, self.destroy_publisher)(part)
        self._parts, self.commander = [], None

    # -- services

    def _on_description(self, message: String) -> None:
        self._description = message.data

    def _stop(self, who: str) -> None:
        if self.commander is not None:
            self.commander.helm.stop_by(who)
        else:
            self._stopped.ask(who)
        self._tell_stopped()

    def _resume(self) -> str:
        """Return what follows. Raises ValueError while a stop is asked for."""
        if self.commander is None:
            self._stopped.end()
        else:
            self.commander.resume()
        self._tell_stopped()
        is_taken = self.commander is not None and self.commander.interlock.is_taken
        return 'goes on when it is given back' if is_taken else 'goes on'

    # -- the commander's outlet

    def send(self, trajectory: Trajectory) -> None:
        """Publish a trajectory."""
        messages = to_messages(trajectory, ROS_TYPES)
        for message in messages.values():
            self.commander.others.note_own(message)
        self._command.publish(messages)

    def report(self, decision: Decision, told: Told) -> None:
        """Publish the record of a decision and the alignment of its plan."""
        age_ms = (now_ns(self) - decision.observation.stamp_ns) / 1e6
        self.diagnostics.note(decision, age_ms)
        self._decisions.publish(decision, told, age_ms,
                                self.commander.decider.policy.content_hash)

    def tell(self, level: str, text: str) -> None:
        """Log; 'throttled' ones that begin alike at most once a second."""
        self._voice.tell(level, text)

    def _diagnose(self) -> None:
        self._told_holds = self.commander.helm.holds_begun
        self._diagnosis.publish(self.diagnostics.message(
            self.commander, qualified(self), self.listeners()))


def main(args: list[str] | None = None) -> None:
    run_node(PolicyNode, args)


if __name__ == '__main__':
    main()
