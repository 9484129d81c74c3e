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
Gives a robot tasks over topics and services and watches how they go.

Used by the demo, by closed-loop evaluation through ROS, and by tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
import time

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
import rclpy
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

from .private_graph import GraphError, NodeProcesses
from .ros import LATCHED_QOS, SpinThread, wait_until
from ..command.decision import STAGES
from ..observe.instruction import normalize_instruction
from ..sim.layout import Task

SERVICE_TIMEOUT_S = 60.0
POLL_S = 0.02
SERVICES = {
    'policy/change_state': ChangeState, 'simulated_robot/set_parameters': SetParameters,
    **dict.fromkeys(('simulated_robot/reset', 'recorder/start', 'recorder/success',
                     'recorder/failure', 'recorder/stop'), Trigger)}
TASK_TOPICS = ('task_done', 'scene_task_done')


class ConductorError(GraphError):
    """A node did not do what it was asked; the message names it."""


@dataclass
class TaskResult:
    """
    How one task went.

    ``ages_ms`` of the observation when its decision was out, and ``stages_ms``, are of every
    decision, ``refusals`` the reasons of those whose plan was not sent. ``did_scene_task``: the
    task that the scene was set up for is done, whatever was said.
    """

    instruction: str
    success: bool
    seconds: float
    did_scene_task: bool = False
    ages_ms: list[float] = field(default_factory=list)
    stages_ms: dict[str, list[float]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    episode: str = ''


class Conductor:
    """
    A node on a thread of its own.

    ``processes`` run the other nodes, where they were started here: should one end, whoever
    waits is told. ``args`` are for rclpy.init; None for those of the process.
    """

    def __init__(self, processes: NodeProcesses | None = None, args: list[str] | None = None):
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)  # they raise, here
        self.node = rclpy.create_node('conductor')
        self._processes = processes
        self._clients = {name: self.node.create_client(service_type, name)
                         for name, service_type in SERVICES.items()}
        self._done = {}  # 'task_done' and 'scene_task_done', as heard since the scene was laid
        self._decisions = []
        self._instruction = self.node.create_publisher(String, 'instruction', LATCHED_QOS)
        for topic in TASK_TOPICS:
            self.node.create_subscription(Bool, f'simulated_robot/{topic}',
                                          self._done_callback(topic), LATCHED_QOS)
        self.node.create_subscription(DiagnosticArray, 'policy/decision',
                                      self._decisions.append, 100)
        self._spinning = SpinThread(self.node)

    def close(self) -> None:
        self._spinning.close()
        rclpy.try_shutdown()

    def _done_callback(self, topic: str) -> Callable[[Bool], None]:
        def store(message: Bool) -> None:
            self._done[topic] = message.data
        return store

    # -- asking nodes

    def call(self, service_type, name: str, request):
        """
        Call ``<node>/<service>`` and wait.

        Raises ConductorError, naming it, when it stays silent. A service keeps its client: to
        one it has not met yet its answer would be lost.
        """
        if name not in self._clients:
            self._clients[name] = self.node.create_client(service_type, name)
        client, node = self._clients[name], name.split('/')[0]
        self._wait(client.service_is_ready, node, f'service {name!r} did not appear')
        future = client.call_async(request)
        self._wait(future.done, node, f'service {name!r} did not answer')
        return future.result()

    def _wait(self, condition: Callable[[], bool], node: str, complaint: str,
              pause_s: float = POLL_S) -> None:
        if not wait_until(lambda: condition() or self._check(), SERVICE_TIMEOUT_S, pause_s):
            raise ConductorError(
                f'{complaint} within {SERVICE_TIMEOUT_S:g} s; {self._log_of(node)}')

    def _check(self) -> None:
        if self._processes is not None:
            self._processes.check()

    def _log_of(self, node: str) -> str:
        if self._processes is None:
            return 'see its log'
        return f'the end of its log:\n{self._processes.tail(node)}'

    def transition(self, transition: int, node: str = 'policy') -> None:
        """Ask for a lifecycle transition, such as ``Transition.TRANSITION_ACTIVATE``."""
        if not self._change(node, transition):
            raise ConductorError(f'{node} refused lifecycle transition {transition}; '
                                 f'{self._log_of(node)}')

    def _change(self, node: str, transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        return self.call(ChangeState, f'{node}/change_state', request).success

    def configure_and_activate(self, node: str = 'policy') -> None:
        """Bring a lifecycle node up."""
        self.transition(Transition.TRANSITION_CONFIGURE, node)
        self.activate(node)

    def activate(self, node: str = 'policy', pause_s: float = POLL_S,
                 resume: bool = False) -> None:
        """
        Activate a policy, as soon as its inputs are alive: it refuses, and logs so, before.

        ``resume`` does what somebody does who has moved the arm: a stop because of that is ended.
        """
        self._wait(lambda: self._try_activating(node, resume), node,
                   f'{node} was not activated', pause_s)

    def _try_activating(self, node: str, resume: bool) -> bool:
        if self._change(node, Transition.TRANSITION_ACTIVATE):
            return True
        if resume:
            self.ask(f'{node}/resume')
        return False

    def set_parameters(self, node: str, **values) -> None:
        """Set boolean, integer and string parameters of a node."""
        request = SetParameters.Request(parameters=[
            Parameter(name=name, value=_parameter_value(value))
            for name, value in values.items()])
        for result in self.call(SetParameters, f'{node}/set_parameters', request).results:
            if not result.successful:
                raise ConductorError(f'{node} refused a parameter: {result.reason}')

    def say(self, instruction: str) -> None:
        """Publish an instruction; '' holds the robot."""
        self._instruction.publish(String(data=instruction))

    def ask(self, service: str) -> Trigger.Response:
        """Call a std_srvs/Trigger service and return what it answers."""
        return self.call(Trigger, service, Trigger.Request())

    def trigger(self, service: str) -> str:
        """Call a std_srvs/Trigger service, which must succeed, and return its message."""
        response = self.ask(service)
        if not response.success:
            raise ConductorError(f'{service}: {response.message}')
        return response.message

    def start_recording(self) -> None:
        """Ask until the recorder has heard the instruction: it comes by another topic."""
        self._wait(self._try_recording, 'recorder', 'the recorder did not start')

    def _try_recording(self) -> bool:
        return self.ask('recorder/start').success

    # -- tasks on the simulated robot

    def lay_scene(self, seed: int, task: Task, scene_object: str = '') -> None:
        """
        Hold the policy, lay a scene, and let the policy go on, with no instruction.

        Returns when the robot has told that nothing is done yet: what it told of the scene
        before may still have been on its way.
        """
        self.say('')
        self.transition(Transition.TRANSITION_DEACTIVATE)
        self.set_scene(seed, task, scene_object)
        self.activate(resume=True)  # the arm was put elsewhere, maybe while it was braking

    def set_scene(self, seed: int, task: Task, scene_object: str = '') -> None:
        """Lay a scene, and wait until the robot has told that nothing is done yet."""
        self.set_parameters('simulated_robot', seed=seed, task_object=task.object,
                            task_place=task.place, scene_object=scene_object)
        self._done.clear()
        self.trigger('simulated_robot/reset')
        self._wait(lambda: self._done == dict.fromkeys(TASK_TOPICS, False), 'simulated_robot',
                   'the simulated robot did not tell that nothing is done yet')

    def run_task(self, instruction: str, timeout_s: float,
                 progress: Callable[[float], None] = lambda seconds: None,
                 record: bool = False) -> TaskResult:
        """Give an instruction and wait until the scene's task is done or time is up."""
        self._decisions.clear()
        started = time.monotonic()
        self.say(instruction)
        if record:
            self.start_recording()
        while not self._done['task_done'] and time.monotonic() - started < timeout_s:
            self._check()
            progress(time.monotonic() - started)
            time.sleep(POLL_S)
        result = TaskResult(instruction, self._done['task_done'], time.monotonic() - started,
                            self._done['scene_task_done'])
        count_decisions(result, list(self._decisions))
        if record:
            outcome = 'success' if result.success else 'failure'
            result.episode = self.trigger(f'recorder/{outcome}')
        return result


def count_decisions(result: TaskResult, decisions: list[DiagnosticArray]) -> None:
    """Add every decision on the result's instruction to it, also those that were refused."""
    said = normalize_instruction(result.instruction)
    for message in decisions:
        status = message.status[0]
        values = {item.key: item.value for item in status.values}
        if values['instruction'] != said:
            continue
        result.ages_ms.append(float(values['age_ms']))
        for stage in STAGES:
            result.stages_ms.setdefault(stage, []).append(float(values[f'{stage}_ms']))
        if status.message != 'commanded':
            result.refusals.append(status.message)


def _parameter_value(value) -> ParameterValue:
    if isinstance(value, bool):
        return ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=value)
    if isinstance(value, int):
        return ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=value)
    return ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=value)
