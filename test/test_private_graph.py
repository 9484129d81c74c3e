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

"""Nodes that end with the program that started them."""

import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip('rclpy')

from graph import wait_for  # noqa: E402

STARTS_A_NODE = """
import signal
import sys
from pathlib import Path
from trimodal_ros.nodes.private_graph import NodeProcesses
with NodeProcesses(Path(sys.argv[1])) as processes:
    processes.start('simulated_robot', {})
    print(processes.pid('simulated_robot'), flush=True)
    signal.pause()
"""


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGHUP])
def test_node_ends_with_a_program_that_can_end_nothing_itself(tmp_path, number):
    """Catches a policy that goes on commanding when a terminal was closed, or its program died."""
    program = subprocess.Popen([sys.executable, '-c', STARTS_A_NODE, str(tmp_path)],
                               stdout=subprocess.PIPE, text=True)
    try:
        node = int(program.stdout.readline())
        log = tmp_path / 'simulated_robot.log'
        wait_for(lambda: 'obeys joint_trajectory' in log.read_text(), 'the robot')
        program.send_signal(number)
        wait_for(lambda: not os.path.exists(f'/proc/{node}/fd/0'), 'the node to end')
    finally:
        program.kill()
        program.communicate()
    assert 'real-time factor' in log.read_text()  # as it says when it is told to end
