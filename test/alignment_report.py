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
"""What the command makes of a small checkpoint, run once for all tests."""

from contextlib import redirect_stdout
import io
import json
from types import SimpleNamespace

import numpy as np

from trimodal_ros.evaluate.__main__ import main


def make_report(out, checkpoint, episodes):
    """Return what the command makes of a checkpoint: its figures, page and what it prints."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        main(['alignment', '--checkpoint', str(checkpoint), '--episodes', str(episodes),
              '--json', str(out / 'space.json'), '--html', str(out / 'space.html'),
              '--size', '40', '--workers', '1'])
    return SimpleNamespace(out=out, printed=printed.getvalue(), html=out / 'space.html',
                           figures=json.loads((out / 'space.json').read_text()))


def stand_in():
    """Return what is asked of a policy: joints of odd names, the last a gripper."""
    return SimpleNamespace(
        robot=SimpleNamespace(joint_names=('j0', 'a$_$b', '爪'),
                              is_gripper_J=np.array([False, False, True])),
        statistics=SimpleNamespace(chunk_offset=(0.0, 0.0, 0.2)))
