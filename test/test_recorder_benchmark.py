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

"""The sums of the recorder's benchmark; the recorder itself is tested elsewhere."""

from graph import rclpy  # noqa: F401 - it skips where there is no ROS
import pytest

from benchmarks.recorder_node import summarize, table


def episode(seconds: float, share: float, recorded: int) -> dict:
    return {'seconds': seconds, 'cpu_share': share, 'bytes': 10**8,
            'topics': {'joint_states': {'sent': 500, 'recorded': recorded},
                       'camera_0/image_raw': {'sent': 30, 'recorded': 30}}}


def test_losses_of_all_episodes_count():
    """Catches a loss in an early episode that a later one hides."""
    figures = summarize([episode(10.0, 0.5, 498), episode(30.0, 0.1, 500)])
    assert figures['lost'] == 2 and not figures['lost_met']
    assert figures['cpu_share'] == pytest.approx(0.2) and figures['cpu_met']
    assert figures['mb_s'] == pytest.approx(5.0)
    text = table([episode(10.0, 0.5, 500)])
    assert '0 lost; the recorder took 50 % of a core' in text
    assert '| joint_states | 500 | 500 | 50.0 |' in text
