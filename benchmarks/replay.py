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
How fast recordings are judged, in how much memory, and how large the page gets.

    python -m benchmarks.replay speed
    python -m benchmarks.replay memory --out DISK
    python -m benchmarks.replay page

In real time, so leave the machine alone meanwhile.
"""

from __future__ import annotations

import tyro

from benchmarks.replay_memory import memory
from benchmarks.replay_page import page
from benchmarks.replay_speed import speed

if __name__ == '__main__':
    tyro.extras.subcommand_cli_from_dict(
        {'speed': speed, 'memory': memory, 'page': page}, description=__doc__)
