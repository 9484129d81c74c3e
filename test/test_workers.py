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

"""Processes that share work."""

import os
import subprocess
import sys

WORK = """
import os, sys
from trimodal_ros.workers import worker_pool
if __name__ == '__main__':
    with worker_pool(2) as pool:
        print(*pool.map(abs, [-1, -2]), flush=True)
        sys.stdin.read()
"""


def test_workers_end_with_a_process_that_was_killed(tmp_path):
    """Catches workers that wait forever, with a simulator each, for what nobody will ask."""
    (tmp_path / 'work.py').write_text(WORK)
    work = subprocess.Popen([sys.executable, tmp_path / 'work.py'], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True,
                            env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
    assert work.stdout.readline() == '1 2\n'
    work.kill()
    work.communicate(timeout=60)   # all who could write have ended


INTERRUPTED = """
import signal, threading
BLOCKED = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())   # while it imports
from trimodal_ros.workers import worker_pool

def deaf():
    return BLOCKED

def forever():
    threading.Event().wait()

if __name__ == '__main__':
    try:
        with worker_pool(2) as pool:
            print(BLOCKED, pool.submit(deaf).result(), flush=True)
            waiting = [pool.submit(forever) for _ in range(9)]
            signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        print('interrupted')
"""


def test_workers_do_not_hear_ctrl_c_and_end_with_it(tmp_path):
    """Catches a traceback of every worker that still imports, and an end that waits for jobs."""
    (tmp_path / 'work.py').write_text(INTERRUPTED)
    work = subprocess.run([sys.executable, tmp_path / 'work.py'], capture_output=True, text=True,
                          timeout=60, check=False,
                          env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
    assert (work.stdout, work.stderr) == ('False True\ninterrupted\n', '')
