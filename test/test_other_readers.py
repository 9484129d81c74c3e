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

"""Bags in the hands of other programs' readers, and theirs in ours."""

import json
from pathlib import Path
import shutil
import subprocess

from bags import (
    COUNT,
    edit_metadata,
    message,
    numbers,
    START_NS,
    STARTED,
    STEP_NS,
    storage,
    write_bag,
)
from mcap.reader import make_reader
from mcap.writer import CompressionType, IndexType, Writer
import pytest
from rosbags.interfaces import QosDurability, QosReliability
from rosbags.rosbag2 import CompressionMode, Reader, StoragePlugin, Writer as RosbagsWriter
from rosbags.rosbag2.enums import CompressionFormat
import yaml

from trimodal_ros.record.episode import EpisodeError, METADATA_KEY
from trimodal_ros.record.messages import TYPESTORE
from trimodal_ros.record.reader import read_raw
from trimodal_ros.record.synced import COMPRESSIONS
from trimodal_ros.record.writer import EpisodeWriter

MCAP_JS = Path(__file__).parent / 'mcap_js'


@pytest.mark.parametrize('compression', COMPRESSIONS)
def test_mcap_and_rosbags_read_the_same_as_we(tmp_path, compression):
    """Catches a bag that only this package can read, or that means something else elsewhere."""
    path = write_bag(tmp_path / 'one', 60, compression)
    ours = [(topic.name, received_ns, bytes(data))
            for topic, received_ns, _, data in read_raw(path)]
    with Reader(path) as reader:
        rosbags = [(connection.topic, time_ns, bytes(data))
                   for connection, time_ns, data in reader.messages()]
    with storage(path).open('rb') as file:
        reader = make_reader(file, validate_crcs=True)
        mcap = [(channel.topic, each.log_time, each.data)
                for _, channel, each in reader.iter_messages()]
    assert len(ours) == 60 and ours == rosbags == mcap


@pytest.mark.parametrize('compression', COMPRESSIONS)
def test_the_reader_of_npm_reads_the_same_as_we(tmp_path, compression):
    """Catches a bag that Foxglove doesn't open, or shows at other times."""
    if not (MCAP_JS / 'node_modules').is_dir() or shutil.which('node') is None:
        pytest.skip('@mcap/core is not installed: make mcap-js does it, where there are node '
                    'and npm')
    path = write_bag(tmp_path / 'one', compression=compression)
    printed = subprocess.run(['node', MCAP_JS / 'read.mjs', storage(path)], capture_output=True,
                             text=True, check=True).stdout
    theirs = [json.loads(line) for line in printed.splitlines()]
    assert {(each['type'], each['encoding'], each['definition']) for each in theirs} == {
        ('std_msgs/msg/String', 'cdr', 'string data\n')}
    assert [(each['topic'], each['logTime'], each['publishTime'], each['data'])
            for each in theirs] == [
        (topic.name, str(received_ns), str(sent_ns), bytes(data).hex())
        for topic, received_ns, sent_ns, data in read_raw(path)]


def test_mcap_has_what_rosbag2_looks_for(tmp_path):
    """Catches a bag that ``ros2 bag play`` refuses, or plays with other QoS."""
    path = write_bag(tmp_path / 'one')
    assert storage(path).name == 'one_0.mcap'
    with storage(path).open('rb') as file:
        reader = make_reader(file)
        assert reader.get_header().profile == 'ros2'
        summary = reader.get_summary()
        records = {record.name: record.metadata for record in reader.iter_metadata()}
    assert {(schema.name, schema.encoding, schema.data) for schema in summary.schemas.values()} \
        == {('std_msgs/msg/String', 'ros2msg', b'string data\n')}
    channels = {channel.topic: channel for channel in summary.channels.values()}
    for channel in channels.values():
        assert channel.message_encoding == 'cdr'
        assert channel.metadata['topic_type_hash'].startswith('RIHS01_')
    [qos] = yaml.safe_load(channels['instruction'].metadata['offered_qos_profiles'])
    assert (qos['reliability'], qos['durability']) == ('reliable', 'transient_local')
    told = yaml.safe_load(records['rosbag2']['serialized_metadata'])
    assert told['version'] == 9 and told['message_count'] == 60


def test_metadata_yaml_is_that_of_jazzy(tmp_path):
    """Catches a field that rosbag2's YAML decoder of version 9 would throw on."""
    path = write_bag(tmp_path / 'one')
    told = yaml.safe_load((path / 'metadata.yaml').read_text())['rosbag2_bagfile_information']
    assert (told['version'], told['storage_identifier'], told['message_count']) == (9, 'mcap', 60)
    assert told['relative_file_paths'] == ['one_0.mcap']
    assert told['starting_time'] == {'nanoseconds_since_epoch': START_NS}
    assert told['duration'] == {'nanoseconds': 59 * STEP_NS}
    assert told['files'] == [{'path': 'one_0.mcap', 'starting_time': told['starting_time'],
                              'duration': told['duration'], 'message_count': 60}]
    assert told['compression_format'] == told['compression_mode'] == ''
    assert all(isinstance(text, str) for text in told['custom_data'].values())
    assert METADATA_KEY in told['custom_data'] and told['ros_distro'] == 'jazzy'
    topics = {each['topic_metadata']['name']: each for each in told['topics_with_message_count']}
    assert {name: each['message_count'] for name, each in topics.items()} == {
        'words': 40, 'instruction': 20}
    words = topics['words']['topic_metadata']
    assert set(words) == {'name', 'type', 'serialization_format', 'offered_qos_profiles',
                          'type_description_hash'}
    assert set(words['offered_qos_profiles'][0]) == {
        'history', 'depth', 'reliability', 'durability', 'deadline', 'lifespan', 'liveliness',
        'liveliness_lease_duration', 'avoid_ros_namespace_conventions'}
    with Reader(path) as reader:
        offered = {each.topic: each.ext.offered_qos_profiles[0] for each in reader.connections}
    assert offered['words'].reliability == QosReliability.BEST_EFFORT
    assert offered['instruction'].durability == QosDurability.TRANSIENT_LOCAL


def test_both_times_are_kept(tmp_path):
    """Catches a stamp overwritten by the time of receipt."""
    path = write_bag(tmp_path / 'one')
    assert all(sent_ns == received_ns - 1_000_000 for _, received_ns, sent_ns, _ in read_raw(path))
    with storage(path).open('rb') as file:
        assert all(each.publish_time == each.log_time - 1_000_000
                   for _, _, each in make_reader(file).iter_messages())


def test_a_type_of_ones_own_is_kept_with_its_definition(tmp_path):
    """Catches a custom message that nobody can read any more, for want of its definition."""
    writer = EpisodeWriter(tmp_path / 'one')
    with pytest.raises(EpisodeError, match=r"'glove'.*unknown message type 'own_msgs/msg/Glove'"):
        writer.add_topic('glove', 'own_msgs/msg/Glove')
    writer.add_topic('glove', 'own_msgs/msg/Glove', definition='float64 bend\n')
    writer.write('glove', START_NS, b'\0\1\0\0' + bytes(8))
    path = writer.close(STARTED)
    with Reader(path) as reader:
        assert reader.connections[0].msgdef.data == 'float64 bend\n'


@pytest.mark.parametrize('is_compressed', [False, True])
def test_bags_of_rosbags_are_read(tmp_path, is_compressed):
    """Catches a reader for our own bags only: those without checksums are many."""
    writer = RosbagsWriter(tmp_path / 'bag', version=9, storage_plugin=StoragePlugin.MCAP)
    if is_compressed:
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with writer:
        words = writer.add_connection('words', 'std_msgs/msg/String', typestore=TYPESTORE)
        for n in range(COUNT):
            writer.write(words, START_NS + n * STEP_NS, message(n))
    assert numbers(tmp_path / 'bag') == list(range(COUNT))


@pytest.mark.parametrize('options', [
    {'use_chunking': False}, {'index_types': IndexType.NONE},
    {'compression': CompressionType.LZ4, 'use_statistics': False},
    {'repeat_channels': False, 'repeat_schemas': False, 'use_summary_offsets': False},
    {'enable_crcs': False, 'enable_data_crcs': True}])
def test_whatever_mcap_allows_is_read(bag, options):
    """Catches a bag of ``ros2 bag record --storage-preset-profile fastwrite``: no chunks in it."""
    with storage(bag).open('wb') as file:
        writer = Writer(file, chunk_size=2000, **options)
        writer.start('ros2')
        schema = writer.register_schema('std_msgs/msg/String', 'ros2msg', b'string data\n')
        channels = [writer.register_channel(topic, 'cdr', schema)
                    for topic in ('instruction', 'words')]
        for n in range(COUNT):
            writer.add_message(channels[n % 3 > 0], START_NS + n, message(n), START_NS)
        writer.finish()
    assert numbers(bag) == list(range(COUNT))


def test_a_bag_in_several_files_is_read(tmp_path):
    """Catches a split bag of which only the first file is read."""
    first, second = write_bag(tmp_path / 'first'), write_bag(tmp_path / 'second')
    shutil.move(storage(second), first / 'first_1.mcap')

    def tell(told):
        told['relative_file_paths'] = ['first_0.mcap', 'first_1.mcap']
        for each in told['topics_with_message_count']:
            each['message_count'] *= 2
    edit_metadata(first, tell)
    assert numbers(first) == 2 * list(range(COUNT))
