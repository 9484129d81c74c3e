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

"""A terminal program that a person works with, in front of nodes that run behind it."""

from __future__ import annotations

import signal
import subprocess
import time

from .private_graph import command_of, GraphError, NodeProcesses

POLL_S = 0.1


def work_in_front(processes: NodeProcesses, program: str | None, *arguments: str) -> None:
    """
    Let a program of this room have the terminal until it ends; without one wait for Ctrl-C.

    Raises GraphError when it fails or a node ends.
    """
    front = subprocess.Popen(command_of(program, *arguments)) if program else None
    try:
        while front is None or front.poll() is None:
            processes.check()
            time.sleep(POLL_S)
    except KeyboardInterrupt:  # it has been interrupted, too
        pass
    finally:
        if front is not None:
            if front.poll() is None:
                front.send_signal(signal.SIGINT)
            front.wait()
    if front is not None and front.returncode:
        raise GraphError(f'the program {program} ended with {front.returncode}')
