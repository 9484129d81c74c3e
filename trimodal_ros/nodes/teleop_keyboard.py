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
A terminal's keys as a stick for the teleop node: publishes ``joy`` (sensor_msgs/Joy).

Start the teleop node with ``-p mapping:=keyboard.yaml``. Hold a key to move; let go to stop. Any
key, the space bar too, holds the dead-man button for another second: you command. The speed is a
share of the teleop node's speeds.
"""

from __future__ import annotations

import shutil
import sys
import time

from diagnostic_msgs.msg import DiagnosticArray
import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Joy
from std_srvs.srv import Trigger
import yaml

from .help_text import help_text
from .keys import Keys, NoTerminal
from .robot_parameters import declare_plain
from .ros import now_ns, parameter, qualified, ROS_TYPES, SENSOR_QOS, stop_signals
from ..command.keys import FASTER, KeyStick, MODE_KEY, PAIRS, SLOWER
from ..command.stick import mapping_file
from ..command_line import one_line_errors

JOY_S = 0.05         # between two messages where no key is pressed
QUIT, RESUME, ESCAPE = 'x', '\n', '\x1b'
SEQUENCES = (ESCAPE + '[', ESCAPE + 'O')   # begin what arrows and function keys send
READ_S = 0.01        # at a time
LEAVE_S = 0.2        # for the last message to arrive


class KeyboardNode(Node):
    """Publishes what the keys ask for; tells how the teleop node is."""

    def __init__(self, **options):
        super().__init__('teleop_keyboard', **options)
        self._declare_parameters()
        self.keys, self.state, self._next_s = KeyStick(), 'no teleop node yet', 0.0
        self._teleop = parameter(self, 'teleop')
        self._joy = self.create_publisher(Joy, 'joy', SENSOR_QOS)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        self._asks = {key: self.create_client(Trigger, f'{self._teleop}/{name}')
                          for key, name in ((ESCAPE, 'stop'), (RESUME, 'resume'))}

    def _declare_parameters(self) -> None:
        declare_plain(self, {
            'mapping': ('keyboard.yaml', "The teleop node's mapping, to name the keys by"),
            'teleop': ('teleop', 'Name of the teleop node')}, read_only=True)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == f'{qualified(self, self._teleop)}: state':
                values = {item.key: item.value for item in status.values}
                self.state = f'{values["mode"]}: {status.message}'

    def press(self, key: str) -> None:
        """Act on a key."""
        if key in self._asks:
            self._asks[key].call_async(Trigger.Request())
        self.keys.press(key, time.monotonic())
        self._next_s = 0.0

    def publish_if_due(self) -> None:
        """Publish what the keys ask for: after each key, and again and again."""
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + JOY_S
            axes, buttons = self.keys.joy(now_s)
            self._joy.publish(Joy(header=ROS_TYPES.header(now_ns(self)), axes=axes,
                                  buttons=buttons))

    def let_go(self) -> None:
        """Tell that no key is pressed any more, and let that arrive."""
        self.keys.let_go()
        self._next_s = 0.0
        self.publish_if_due()
        time.sleep(LEAVE_S)

    def legend(self) -> str:
        """Return which keys there are and what they mean in each mode."""
        mapping = yaml.safe_load(mapping_file(parameter(self, 'mapping')).read_text()) or {}
        rows = [f'  {plus} {minus}   ' + '   '.join(
            f'{mode}: {_named(mapping, mode, axis)}' for mode in ('joint', 'cartesian')
            if _named(mapping, mode, axis))
            for axis, (plus, minus) in enumerate(PAIRS) if _named(mapping, 'joint', axis)
            or _named(mapping, 'cartesian', axis)]
        return '\n'.join([
            'hold a key to move the arm:', *rows, '  o c   gripper opens, closes',
            f'  {MODE_KEY} next mode   {FASTER} {SLOWER} speed   space: keep the arm where it is',
            f'  Esc stop   Enter resume   {QUIT} or Ctrl-C end'])


def _named(mapping: dict, mode: str, axis: int) -> str:
    return next((name for name, control in (mapping.get(mode) or {}).items()
                 if control and control.get('axis') == axis), '')


def run(node: KeyboardNode, keys: Keys) -> None:
    """Publish until a key or a signal ends it, and show how it goes in one line."""
    stop, shown = stop_signals(), ''
    print(node.legend())
    while not stop.is_set():
        typed = keys.read(READ_S)
        for key in '' if typed.startswith(SEQUENCES) else typed:
            if key == QUIT:
                return
            node.press(key)
        node.publish_if_due()
        rclpy.spin_once(node, timeout_sec=0)
        line = f'speed {100 * node.keys.speed:3.0f} %   {node.state}'
        if line != shown:
            shown = line
            width = shutil.get_terminal_size().columns - 1
            print(f'\r{line[:width]:{width}}', end='', flush=True)


def main(args: list[str] | None = None) -> None:
    if {'-h', '--help'} & set(sys.argv[1:] if args is None else args):
        print(help_text(KeyboardNode))
        return
    with one_line_errors(NoTerminal, EOFError, yaml.YAMLError), Keys() as keys:
        _run_with(keys, args)


def _run_with(keys: Keys, args: list[str] | None) -> None:
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    node = KeyboardNode()
    try:
        run(node, keys)
    finally:
        node.let_go()
        print()
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
