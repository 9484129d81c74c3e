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
What a recording costs, how fast it can be, and what it loses.

    python -m benchmarks.recorder rate DISK
    python -m benchmarks.recorder cost DISK
    python -m benchmarks.recorder kill DISK
    python -m benchmarks.recorder power DISK
    python -m benchmarks.recorder node DISK

In real time, so leave the machine alone meanwhile.
"""

from __future__ import annotations

import tyro

from benchmarks.recorder_kill import kill, power
from benchmarks.recorder_node import node
from benchmarks.recorder_rate import cost, rate

if __name__ == '__main__':
    tyro.extras.subcommand_cli_from_dict(
        {'rate': rate, 'cost': cost, 'kill': kill, 'power': power, 'node': node},
        description=__doc__)
