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

"""Topics as they come: any type, any QoS, changing ones, with whatever stamps."""

from contextlib import contextmanager
import sys

from graph import rclpy, spinning, wait_for
import numpy as np
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from recorder_graph import CAMERA, NUMBERS, recorder_graph, SENTENCE, Source

# isort: split
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import Joy
from std_msgs.msg import Float64, String

from trimodal_ros.nodes.ros import LATCHED_QOS, now_ns
from trimodal_ros.record.episode import read_info, read_metadata
from trimodal_ros.record.messages import TYPESTORE
from trimodal_ros.record.reader import read_messages, read_raw
from trimodal_ros.spec import NS_PER_S

pytestmark = pytest.mark.usefixtures('ros')
BEST_EFFORT = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)


@contextmanager
def stranger():
    """Another participant: within one, Fast DDS keeps a topic to one type."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node(f'stranger_{next(NUMBERS)}', context=context)
    try:
        yield node
    finally:
        node.destroy_node()
        rclpy.try_shutdown(context=context)


def recorded(path, topic: str) -> list:
    return [message for name, _, message in read_messages(path) if name == topic]


def publish(graph, publisher, messages, topic='extra') -> None:
    """Publish what is to be in the episode, and wait until it is."""
    wait_for(publisher.get_subscription_count, f'the recorder to listen to {topic}')
    count = graph.count(topic) + len(messages)
    for message in messages:
        publisher.publish(message)
    wait_for(lambda: graph.count(topic) >= count, f'{topic} to be recorded')


def test_every_message_of_a_reliable_publisher_that_comes_late(tmp_path):
    """Catches topics that are only looked for at the start, and messages left out or doubled."""
    with recorder_graph(tmp_path) as graph:
        graph.do('start')
        publisher = graph.client.create_publisher(Float64, 'extra', RELIABLE)
        other = graph.client.create_publisher(Joy, 'more/of/it', RELIABLE)
        publish(graph, publisher, [Float64(data=float(n)) for n in range(300)])
        publish(graph, other, [Joy(axes=[0.5])], 'more/of/it')
        path = graph.do('success')
    assert [message.data for message in recorded(path, 'extra')] == list(range(300))
    assert list(recorded(path, 'more/of/it')[0].axes) == [0.5]


def test_qos_follows_the_publishers(tmp_path):
    """Catches a reliable subscription that a best-effort publisher can't reach."""
    with recorder_graph(tmp_path) as graph:
        graph.do('start')
        first = graph.client.create_publisher(Float64, 'extra', RELIABLE)
        publish(graph, first, [Float64(data=1.0)])
        graph.client.destroy_publisher(first)
        second = graph.client.create_publisher(Float64, 'extra', BEST_EFFORT)
        wait_for(second.get_subscription_count, 'the recorder to change')
        while not graph.count('extra') > 1:   # what is sent before both have met may get lost
            second.publish(Float64(data=2.0))
        path = graph.do('success')
    assert {message.data for message in recorded(path, 'extra')} == {1.0, 2.0}


def test_what_was_latched_is_in_every_episode(tmp_path):
    """Catches an episode that only knows what was said while it was recorded."""
    latched = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                         durability=DurabilityPolicy.TRANSIENT_LOCAL)
    with recorder_graph(tmp_path, ready=False) as graph:
        publisher = graph.client.create_publisher(String, 'extra', latched)
        publisher.publish(String(data='told once'))
        graph.ready()
        wait_for(lambda: 'extra' in graph.session._latched, 'what is latched')
        paths = []
        for _ in range(2):
            graph.do('start')
            graph.wait_for_more()
            paths.append(graph.do('success'))
    for path in paths:
        [message] = recorded(path, 'extra')
        assert message.data == 'told once'
        [told] = [topic for topic in read_metadata(path)['topics_with_message_count']
                  if topic['topic_metadata']['name'] == 'extra']
        [profile] = told['topic_metadata']['offered_qos_profiles']
        assert profile['durability'] == 'transient_local', profile


def test_all_three_times_are_kept(tmp_path):
    """Catches times that are made up: of the header, of sending, of receipt."""
    with recorder_graph(tmp_path) as graph:
        began_ns = now_ns(graph.client)
        graph.source.stamp = lambda now: now - 7
        graph.do('start')
        graph.wait_for_more()
        path = graph.do('success')
        ended_ns = now_ns(graph.client)
    for topic, received_ns, sent_ns, data in read_raw(path):
        if topic.name == CAMERA:
            stamp = TYPESTORE.deserialize_cdr(data, topic.type_name).header.stamp
            stamp_ns = stamp.sec * NS_PER_S + stamp.nanosec
            assert began_ns < stamp_ns + 7 <= sent_ns <= received_ns <= ended_ns


@pytest.mark.parametrize('stamp, finding', [
    (lambda now: 0, 'stamps of zero'),
    (lambda now: 10**18 - now % 10**17, 'stamps of another clock'),
    (lambda now: now - now % 3 * NS_PER_S, 'stamps earlier than the one before')])
def test_stamps_that_are_wrong_are_recorded_and_told(tmp_path, stamp, finding):
    """Catches a camera with a dead clock that is found when the training fails."""
    with recorder_graph(tmp_path) as graph:
        graph.source.stamp = stamp
        graph.do('start')
        graph.wait_for_more(count=20)
        path = graph.do('success')
    health = read_info(path).health
    assert health['verdict'] == 'bad'
    assert any(CAMERA in text and finding in text for text in health['findings']), health
    assert len(recorded(path, CAMERA)) == health['topics'][CAMERA]['count'] > 20


def test_unknown_type_is_named(tmp_path, monkeypatch):
    """Catches a topic that is left out and nobody knows why."""
    publishing = rclpy.create_node(f'stranger_{next(NUMBERS)}')
    publishing.create_publisher(PoseStamped, 'extra', RELIABLE)
    monkeypatch.setitem(sys.modules, 'geometry_msgs.msg', None)   # as if it weren't installed
    with recorder_graph(tmp_path) as graph:
        wait_for(lambda: any(seen.complaint for seen in graph.recorder.listener.topics),
                 'the type to be noticed')
        graph.do('start')
        graph.wait_for_more()
        path = graph.do('success')
    publishing.destroy_node()
    [finding] = read_info(path).health['findings']
    assert finding.startswith("extra: unknown message type 'geometry_msgs/msg/PoseStamped'")
    assert recorded(path, CAMERA)


def test_topic_that_changes_its_type(tmp_path):
    """Catches bytes of one type filed under another."""
    with recorder_graph(tmp_path) as graph:
        graph.do('start')
        first = graph.client.create_publisher(Float64, 'extra', RELIABLE)
        publish(graph, first, [Float64(data=1.0)])
        graph.client.destroy_publisher(first)
        with stranger() as other:
            second = other.create_publisher(String, 'extra', RELIABLE)
            wait_for(lambda: graph.session.health.findings, 'the change to be noticed')
            path = graph.do('success')
            wait_for(second.get_subscription_count, 'the recorder to take the new type')
            graph.do('start')
            publish(graph, second, [String(data='now')])
            after = graph.do('success')
    assert [message.data for message in recorded(path, 'extra')] == [1.0]
    assert read_info(path).health['findings'][0].startswith(
        'extra: changed its type from std_msgs/msg/Float64 to std_msgs/msg/String')
    assert [message.data for message in recorded(after, 'extra')] == ['now']


def test_topic_with_two_types_keeps_an_episode_from_beginning(tmp_path):
    """Catches a required topic of which half is missing."""
    with recorder_graph(tmp_path) as graph, stranger() as other:
        other.create_publisher(String, 'joint_states', RELIABLE)
        refusals = []

        def is_refused():
            answer = graph.ask('start')
            refusals.append(answer.message)
            return not answer.success or not graph.do('discard')
        wait_for(is_refused, 'the two types to be noticed')
    assert 'joint_states: has two types at once, sensor_msgs/msg/JointState of' in refusals[-1]


def test_a_required_topic_of_another_type_is_refused(tmp_path):
    """Catches an instruction in a type that nobody reads."""
    with recorder_graph(tmp_path, ready=False) as graph, stranger() as other:
        graph.source.destroy_publisher(graph.source._instruction)
        other.create_publisher(Float64, 'instruction', LATCHED_QOS)
        wait_for(lambda: 'instruction: has type std_msgs/msg/Float64, expected std_msgs/msg/String'
                 in graph.refused('start'), 'the type to be noticed')


def test_raw_images_become_jpegs(tmp_path):
    """Catches images under the wrong topic, in the wrong colours or with other stamps."""
    import cv2
    with recorder_graph(tmp_path, images='jpeg', jpeg_quality=95) as graph:
        graph.source.pixels = np.full((48, 64, 3), (200, 30, 60), np.uint8)
        before = graph.source.sent[CAMERA]
        wait_for(lambda: graph.source.sent[CAMERA] > before + 5, 'new images')
        wait_for(lambda: graph.session.intake.ring.length_s > 0.3, 'something to remember')
        kept = graph.do('keep')
        graph.do('start')
        graph.wait_for_more()
        path = graph.do('success')
    counts = read_info(path).health['topics']
    images = recorded(path, f'{CAMERA}/compressed')
    assert len(images) == counts[CAMERA]['count'] > 5 and not recorded(path, CAMERA)
    for image in images:
        pixels = cv2.cvtColor(cv2.imdecode(image.data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        assert np.abs(pixels.astype(int) - (200, 30, 60)).max() < 6
        assert image.header.frame_id == 'front' and image.header.stamp.sec > 0
    assert recorded(kept, f'{CAMERA}/compressed')


def test_topics_are_found_in_a_namespace(tmp_path):
    """Catches names in the bag that only the recorder's own namespace explains."""
    from recorder_graph import make_recorder
    recorder = make_recorder(tmp_path, namespace='/left')
    source = Source(namespace='/left')
    with spinning(recorder, source):
        source.say(SENTENCE)
        wait_for(lambda: recorder.session.health.streams.get(CAMERA)
                 and recorder.session.health.streams[CAMERA].count, 'images of the namespace')
