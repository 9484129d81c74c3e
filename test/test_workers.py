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
