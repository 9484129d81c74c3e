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

"""Nodes need no network: they run where there is none, and open no connection where there is."""

import os
from pathlib import Path
import shutil
import subprocess
import sys

from conftest import so101_yaml
import pytest

pytest.importorskip('rclpy')
TEST = Path(__file__).parent

GUARD = """
import socket, sys
asked = []
def guard(event, arguments):
    if event == "socket.connect" and arguments[0].family == socket.AF_UNIX:
        return
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        asked.append(f"{event} {arguments[1:]}")
        raise OSError(f"{event} {arguments[1:]}")
sys.addaudithook(guard)
"""
LOAD = GUARD + """
from pathlib import Path
from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.spec import Observation, RobotSpec
robot = RobotSpec.from_yaml(Path(sys.argv[1]))
policy = load_checkpoint(Path(sys.argv[2]), robot=robot)
policy.plan(Observation.make_example(robot))
import trimodal_ros.nodes.policy
print("asked:", asked)
"""
LOOPBACK_UP = """
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS
"""
COMMAND = LOOPBACK_UP + """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from trimodal_ros.nodes.private_graph import enter_private_graph
enter_private_graph()
import rclpy
from policy_graph import commanding_policy
from trimodal_ros.spec import RobotSpec
rclpy.init()
with commanding_policy(Path(sys.argv[3]), RobotSpec.from_yaml(Path(sys.argv[2]))) as (driver, _):
    print("commanded", len(driver.trajectories))
rclpy.try_shutdown()
"""


def run(command: list, **environment) -> str:
    """Run in a process with the hub not switched off, whatever the tests' environment says."""
    inherited = {name: value for name, value in os.environ.items()
                 if name not in ('HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE')}
    path = ':'.join(filter(None, [str(TEST.parent), os.environ.get('PYTHONPATH')]))
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          timeout=300, env={**inherited, 'PYTHONPATH': path, **environment})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_loading_a_policy_asks_no_network(shipped):
    """Catches a library that looks for news of a model on the hub while a robot starts."""
    assert 'asked: []' in run([sys.executable, '-c', LOAD, so101_yaml(), shipped])


@pytest.fixture
def cut() -> list[str]:
    """A command that runs another where there is no network but loopback."""
    for command in (['unshare', '-n'], ['unshare', '-rn']):
        if shutil.which('unshare') and subprocess.run(
                [*command, 'true'], capture_output=True, check=False).returncode == 0:
            return command
    pytest.skip('this machine allows no network namespace')


def test_a_policy_commands_with_the_network_cut(cut, moving_checkpoint):
    """Catches a node that waits for, or fails without, something beyond its robot's network."""
    told = run([*cut, sys.executable, '-c', COMMAND, TEST, so101_yaml(), moving_checkpoint])
    assert 'commanded' in told
