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

"""Teleoperation from a terminal: real pseudo-terminals, real signals."""

from contextlib import contextmanager
import os
import pty
import select
import signal
import subprocess
import sys
import termios

import pytest

pytest.importorskip('rclpy')

from graph import PATIENCE_S, refusals, spinning, wait_for  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from sensor_msgs.msg import Joy  # noqa: E402

from trimodal_ros.nodes.ros import SENSOR_QOS  # noqa: E402
from trimodal_ros.nodes.teleop_keyboard import KeyboardNode  # noqa: E402

READS = """
import sys
import signal
from trimodal_ros.nodes.keys import Keys
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
with Keys() as keys:
    print('reads', flush=True)
    while True:
        for key in keys.read(0.1):
            if key == 'x':
                sys.exit()
"""


class Terminal:
    """A terminal with a program in it; ``text`` is what it shows."""

    def __init__(self, *command):
        self._master, self.slave = pty.openpty()
        self.before, self.text = termios.tcgetattr(self.slave), ''
        self.process = subprocess.Popen(
            [sys.executable, *command], stdin=self.slave, stdout=self.slave, stderr=self.slave,
            start_new_session=True)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def shows(self, text: str) -> bool:
        """Tell whether a text has been shown so far."""
        while select.select([self._master], [], [], 0.01)[0]:
            self.text += os.read(self._master, 4096).decode(errors='replace')
        return text in self.text

    def shows_now(self, text: str) -> bool:
        """Tell whether a text is in the line that was shown last."""
        self.shows(text)
        return text in self.text.rpartition('\r')[2]

    def is_as_before(self) -> bool:
        return termios.tcgetattr(self.slave) == self.before

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self.slave)


@contextmanager
def terminal(*command):
    opened = Terminal(*command)
    try:
        yield opened
    finally:
        print(opened.text)  # for whoever looks why a test failed
        opened.close()


@pytest.mark.parametrize('how', ['x', signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_terminal_is_as_it_was_whatever_ends_the_program(how):
    """Catches a shell that doesn't show what is typed after an arm was moved in it."""
    with terminal('-c', READS) as opened:
        wait_for(lambda: opened.shows('reads'), 'the program')
        assert not opened.is_as_before()
        opened.type(how) if how == 'x' else opened.process.send_signal(how)
        opened.process.wait(PATIENCE_S)
        wait_for(opened.is_as_before, 'the terminal to be as it was')


def test_no_terminal_is_one_line():
    """Catches a traceback where the program runs under a supervisor."""
    ended = subprocess.run(
        [sys.executable, '-m', 'trimodal_ros.nodes.teleop_keyboard'], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith('error: keys are read from a terminal')
    assert ended.stderr.count('\n') == 1


@pytest.mark.parametrize('node', ['teleop', 'teleop_keyboard'])
def test_help_teaches_every_parameter(node):
    """Catches a parameter that one has to look up in the source."""
    ended = subprocess.run([sys.executable, '-m', f'trimodal_ros.nodes.{node}', '--help'],
                           capture_output=True, text=True, timeout=120, check=True)
    rows = ended.stdout.partition('\nparameter ')[2].splitlines()[1:]
    assert rows and all(len(row.split('  ')[-1]) > 10 for row in rows if row)


@pytest.mark.usefixtures('ros')
def test_legend_of_a_mapping_that_leaves_things_out(tmp_path):
    """Catches a traceback over a mapping that the teleop node takes."""
    file = tmp_path / 'keys.yaml'
    file.write_text('joint: {waist: {axis: 0}, elbow: null}\ncartesian: null\n')
    node = KeyboardNode(parameter_overrides=[Parameter('mapping', value=str(file))])
    with spinning(node):
        assert 'joint: waist' in node.legend() and 'cartesian' not in node.legend()


@pytest.mark.usefixtures('ros')
def test_keys_become_joy_until_they_are_let_go():
    """Catches a key that goes unheard, and one that is never let go."""
    node, heard = Node('listener'), []
    node.create_subscription(Joy, 'joy', lambda message: heard.append(
        (list(message.axes), list(message.buttons))), SENSOR_QOS)
    with spinning(node), terminal('-m', 'trimodal_ros.nodes.teleop_keyboard') as opened:
        wait_for(lambda: opened.shows('gripper opens, closes') and heard, 'the program')
        assert 'shoulder_pan' in opened.text and 'cartesian: x' in opened.text

        def is_pushed():
            opened.type('1')
            return heard[-1][0][0] == 0.5
        wait_for(is_pushed, 'the stick to be pushed')
        assert heard[-1][1] == [1, 0]
        wait_for(lambda: heard[-1] == ([0.0] * 8, [1, 0]), 'the key to be let go')
        wait_for(lambda: heard[-1] == ([0.0] * 8, [0, 0]), 'the hand to be taken off')
        opened.type('\x1b[A')  # an arrow is no key: neither Esc nor A
        count = len(heard)
        wait_for(lambda: len(heard) > count + 5, 'joy')
        assert heard[-1] == ([0.0] * 8, [0, 0])
        is_pushed()
        opened.type('x')
        opened.process.wait(PATIENCE_S)
        assert opened.process.returncode == 0 and opened.is_as_before()
        wait_for(lambda: heard[-1] == ([0.0] * 8, [0, 0]), 'the last word')


def test_demo_is_moved_by_keys_and_shows_what_was_recorded(tmp_path):
    """Catches anything broken between make teleop, the keys and the film."""
    out = tmp_path / 'teleop'
    with terminal('-m', 'trimodal_ros.nodes.teleop_demo', '--out', str(out)) as opened:
        wait_for(lambda: opened.shows('joint: ready'), 'the robot')

        def commands():
            if not opened.shows_now('let go'):  # a machine that stood still holds the robot
                opened.type('1')
            return opened.shows('joint: commanding')
        wait_for(commands, 'the person to command')
        opened.type('x')
        wait_for(lambda: opened.shows('film: '), 'the film')
        opened.process.wait(PATIENCE_S)
        assert opened.process.returncode == 0 and opened.is_as_before()
    assert (out / 'film.webp').stat().st_size > 1000
    assert not refusals((out / 'log' / 'simulated_robot.log').read_text())
