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

"""What every node of this package shares: message classes, QoS and the way it is run."""

from __future__ import annotations

from array import array
from collections.abc import Callable
import signal
import sys
import threading
import time
import traceback

from builtin_interfaces.msg import Duration, Time
import numpy as np
import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.expand_topic_name import expand_topic_name
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, qos_profile_sensor_data, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Header, String
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from .heap import HeapTrim
from .help_text import help_text
from ..command.message import MessageTypes
from ..command_line import one_line_errors

ROS_TYPES = MessageTypes(
    Time=Time, Duration=Duration, Header=Header, String=String, Image=Image,
    JointState=JointState, JointTrajectory=JointTrajectory,
    JointTrajectoryPoint=JointTrajectoryPoint,
    floats=lambda values: array('d', np.asarray(values, dtype=np.float64).tobytes()),
    octets=lambda values: array('B', values))  # an array skips the setter's walk over bytes

RCLError = rclpy_implementation.RCLError
SIGNAL_POLL_S = 0.1
SENSOR_QOS = qos_profile_sensor_data
COMMAND_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
HEAR_COMMANDS_QOS = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)
HEAR_ALL_QOS = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
LATCHED_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                         durability=DurabilityPolicy.TRANSIENT_LOCAL)


def now_ns(node: Node) -> int:
    """Return the node's clock, which may be simulated."""
    return node.get_clock().now().nanoseconds


def run_node(make_node: type[Node], args: list[str] | None = None) -> None:
    """
    Spin one node until SIGINT, SIGTERM, SIGHUP or shutdown; its ``close`` has the last word.

    rclpy's own handlers would shut the context down first, and nothing could be sent any more.
    With ``--help`` among the arguments no node is made: its help is printed.
    """
    if {'-h', '--help'} & set(sys.argv[1:] if args is None else args):
        print(help_text(make_node))
        return
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    stop = stop_signals()
    node = None
    try:
        with one_line_errors(ParameterException):
            node = make_node()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        trim = HeapTrim()
        while not stop.is_set() and rclpy.ok():
            _spin_once(executor, node)
            trim.tick()
    finally:
        if node is not None:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()


def _spin_once(executor: SingleThreadedExecutor, node: Node) -> None:
    """Spin; a lifecycle transition that isn't possible now is refused: rclpy 7.1 would end."""
    try:
        executor.spin_once(timeout_sec=SIGNAL_POLL_S)
    except RCLError as error:
        if 'lifecycle' not in str(error):
            raise
        node.get_logger().error(f'transition refused: {error}')


class SpinThread:
    """Spins a node on a thread of its own; ``close`` ends that and destroys the node."""

    def __init__(self, node: Node):
        self._node, self._stop = node, threading.Event()
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)
        self._thread = threading.Thread(target=self._spin, name='spin', daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        while not self._stop.is_set():
            self._executor.spin_once(timeout_sec=SIGNAL_POLL_S)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._node.destroy_node()


def wait_until(condition: Callable, seconds: float, pause_s: float):
    """Return the condition's value once it is true, or after that time whatever it is."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(pause_s)
    return value


def stop_signals() -> threading.Event:
    """Return an event that signals to end set from now on; SIGHUP stays ignored under nohup."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    return stop


def qualified(node: Node, name: str = '') -> str:
    """
    Return the node's name, or another's as this node would call it, with its namespace.

    So are names told on /diagnostics, which all robots share: 'policy', or 'left/policy'.
    """
    return expand_topic_name(name or node.get_name(), node.get_name(),
                             node.get_namespace()).lstrip('/')


def parameter(node: Node, name: str):
    """Return a declared parameter's value; empty strings count as missing and are an error."""
    value = node.get_parameter(name).value
    if node.get_parameter(name).type_ == Parameter.Type.STRING and not value:
        description = node.describe_parameter(name).description
        raise ValueError(f'parameter {name!r} is empty: {description}')
    return value


def on_incompatible_qos(topic: str, complain: Callable[[str, str], None]) -> Callable:
    """Return the callback for QoS that doesn't match; it complains of the topic, in words."""
    def told(event) -> None:
        policy = event.last_policy_kind.name.removeprefix('RMW_QOS_POLICY_')
        complain(topic, f'{topic}: {event.total_count} publishers or subscribers of it offer or '
                        f'ask for an incompatible {policy}, and nothing arrives')
    return told


def log_traceback(node: Node, what: str) -> None:
    """Log the exception being handled: rclpy swallows those raised in transitions."""
    node.get_logger().error(f'{what}: {traceback.format_exc()}')
