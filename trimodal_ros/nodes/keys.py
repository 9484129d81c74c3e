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

"""Single keys from a terminal, which is as it was at any end."""

from __future__ import annotations

import codecs
import os
import select
import subprocess
import sys
import termios

LOCAL = 3   # of the attributes that termios returns: echo, and waiting for whole lines
CHARACTERS = 6
OFF = b'\0'


class NoTerminal(RuntimeError):
    """Standard input is not a terminal."""


class Keys:
    """
    Reads keys as they are pressed, without showing them; a context manager.

    Ctrl-C still interrupts; Ctrl-Z does nothing, as it would leave the screen to the shell. Should
    this process be killed, a small one that waits for its end puts the terminal right. Raises
    NoTerminal where keys can't be read.
    """

    def __init__(self):
        self._file = sys.stdin.fileno()
        if not os.isatty(self._file):
            raise NoTerminal('keys are read from a terminal, and standard input is none; over '
                             'ssh, ask for one with -t')
        self._decoder = codecs.getincrementaldecoder('utf-8')(errors='ignore')

    def __enter__(self):
        self._before, self._guard = termios.tcgetattr(self._file), self._start_guard()
        attributes = termios.tcgetattr(self._file)
        attributes[LOCAL] &= ~(termios.ICANON | termios.ECHO)
        attributes[CHARACTERS][termios.VSUSP] = OFF
        termios.tcsetattr(self._file, termios.TCSAFLUSH, attributes)  # typed ahead: for others
        return self

    def __exit__(self, *exception):
        termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)
        self._guard.stdin.close()
        self._guard.wait()

    def _start_guard(self) -> subprocess.Popen:
        saved = subprocess.run(['stty', '-g'], stdin=self._file, capture_output=True, text=True,
                               check=True).stdout.strip()
        terminal = os.dup(self._file)  # its own standard input is the pipe to wait on
        try:
            return subprocess.Popen(
                ['sh', '-c', f'cat; stty "$0" <&{terminal}', saved], stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[terminal],
                start_new_session=True)  # a session of its own: Ctrl-C isn't for it
        finally:
            os.close(terminal)

    def read(self, timeout_s: float) -> str:
        """Return what was typed, or ''. Raises EOFError when the terminal is gone."""
        if not select.select([self._file], [], [], timeout_s)[0]:
            return ''
        try:
            typed = os.read(self._file, 1024)
        except OSError:
            typed = b''
        if not typed:
            raise EOFError('the terminal is gone')
        return self._decoder.decode(typed)
