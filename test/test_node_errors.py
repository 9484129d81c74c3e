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

"""Nodes that can't start say why in one line."""

from conftest import so101_yaml
import graph  # noqa: F401 - it skips where there is no ROS
import pytest

from trimodal_ros.nodes import recorder, teleop

ROBOT = ('-p', f'robot:={so101_yaml()}')


@pytest.mark.parametrize('node, arguments, complaint', [
    (recorder, (), "parameter 'robot' is empty"),
    (recorder, ('-p', 'robot:=/no/such.yaml'), '/no/such.yaml.*No such file'),
    (recorder, (*ROBOT, '-p', 'images:=jpg'), 'images: .*expected one of raw'),
    (recorder, (*ROBOT, '-p', 'compression:=gzip'), "compression: .*expected one of 'none'"),
    (recorder, (*ROBOT, '-p', 'max_loss_s:=100.0'), 'max_loss_s out of range'),
    (teleop, (*ROBOT, '-p', 'mapping:=nope.yaml'), "no file 'nope.yaml'.*'keyboard.yaml'")])
def test_a_node_that_cannot_start_says_why(node, arguments, complaint, tmp_path):
    """Catches a traceback for a misspelt parameter, or one that is noticed an episode later."""
    out = ('-p', f'out:={tmp_path}') if node is recorder else ()
    with pytest.raises(SystemExit, match=f'^error: .*{complaint}') as ended:
        node.main(['--ros-args', *out, *arguments])
    assert '\n' not in ended.value.code
