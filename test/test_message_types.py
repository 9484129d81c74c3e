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

"""Types of one's own, which are not among Jazzy's common interfaces."""

from graph import rclpy  # noqa: F401 - it skips where there is no ROS
import pytest
from rosbags.rosbag2 import Reader
from rosbags.typesys import get_types_from_msg, get_typestore, Stores
from sensor_msgs.msg import Joy
from std_msgs.msg import Bool

from trimodal_ros.nodes.message_types import (
    definition_of,
    has_header,
    import_message,
    MessageTypeError,
)
from trimodal_ros.record.episode import EpisodeInfo
from trimodal_ros.record.writer import EpisodeWriter

GRIP = """# what it holds
std_msgs/Header header
uint8 OPEN=0   # a constant
Finger[] fingers
geometry_msgs/Point[<=3] points
string<=5 name
"""
FINGER = 'float64 force\nbuiltin_interfaces/Time since'


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An install prefix with a package of two messages."""
    index = tmp_path / 'share' / 'ament_index' / 'resource_index' / 'packages'
    folder = tmp_path / 'share' / 'grip_msgs' / 'msg'
    for each in (index, folder):
        each.mkdir(parents=True)
    (index / 'grip_msgs').touch()
    (folder / 'Grip.msg').write_text(GRIP)
    (folder / 'Finger.msg').write_text(FINGER)
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    return folder


def test_definition_has_all_that_a_type_consists_of(workspace, tmp_path):
    """Catches a bag of which a type can be read only where it was built."""
    definition = definition_of('grip_msgs/msg/Grip')
    types = get_types_from_msg(definition, 'grip_msgs/msg/Grip')
    assert set(types) == {'grip_msgs/msg/Grip', 'grip_msgs/msg/Finger', 'std_msgs/msg/Header',
                          'geometry_msgs/msg/Point', 'builtin_interfaces/msg/Time'}
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register({name: each for name, each in types.items() if 'grip_msgs' in name})
    finger = store.types['grip_msgs/msg/Finger'](
        force=0.5, since=store.types['builtin_interfaces/msg/Time'](sec=1, nanosec=2))
    writer = EpisodeWriter(tmp_path / 'episode')
    writer.add_topic('finger', 'grip_msgs/msg/Finger',
                     definition=definition_of('grip_msgs/msg/Finger'))
    writer.write('finger', 5, bytes(store.serialize_cdr(finger, finger.__msgtype__)))
    with Reader(writer.close(EpisodeInfo('hold it', 'robot', 'unknown'))) as reader:
        [(connection, _, data)] = reader.messages()
        assert connection.msgtype == 'grip_msgs/msg/Finger' and connection.msgdef.data
        assert store.deserialize_cdr(data, connection.msgtype).force == 0.5


def test_common_interfaces_need_no_definition():
    assert definition_of('sensor_msgs/msg/Image') is None


@pytest.mark.parametrize('ask, name', [
    (import_message, 'gripper_msgs/msg/Grip'), (import_message, 'std_msgs/msg/Boool'),
    (import_message, 'std_msgs/Bool'), (definition_of, 'gripper_msgs/msg/Grip'),
    (definition_of, 'grip_msgs/msg/Gripper')])
def test_type_that_is_not_installed_is_named(workspace, ask, name):
    """Catches an ImportError that ends the recorder."""
    with pytest.raises(MessageTypeError, match=name):
        ask(name)


def test_header_comes_first():
    """Catches a stamp that is read from the middle of a message."""
    assert has_header(Joy) and not has_header(Bool)
