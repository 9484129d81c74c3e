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

"""Bags that are not what they should be: refused with file and topic, the readable rest read."""

from pathlib import Path
import random

from bags import (
    chunks,
    COUNT,
    edit,
    edit_metadata,
    message,
    numbers,
    read,
    START_NS,
    STARTED,
    STEP_NS,
    storage,
    write_bag,
)
import pytest

from trimodal_ros.record.episode import DamagedError, EpisodeError
from trimodal_ros.record.reader import read_messages, read_raw
from trimodal_ros.record.topic import Topic
from trimodal_ros.record.writer import EpisodeWriter

# -- damaged bytes


@pytest.mark.parametrize('compression', ['none', 'lz4', 'zstd'])
def test_no_flipped_bit_changes_what_is_read(memory, compression):
    """Catches a changed message taken for what was recorded, and messages lost without a word."""
    path, rng = write_bag(memory / 'bag', COUNT, compression), random.Random(5)
    good, whole = read(path), storage(path).read_bytes()
    places = [rng.randrange(len(whole)) for _ in range(60)]
    places += [rng.randrange(len(whole) - 2500, len(whole)) for _ in range(60)]  # the index
    refused = 0
    for place in places:
        spoiled = bytearray(whole)
        spoiled[place] ^= 1 << rng.randrange(8)
        storage(path).write_bytes(spoiled)
        try:
            assert read(path) == good
        except EpisodeError as error:
            assert str(storage(path)) in str(error) or str(path) in str(error)
            refused += 1
    assert refused > 60


def test_no_missing_or_overwritten_bytes_go_unnoticed(bag):
    """Catches a hole in a file that ends as it should."""
    good, whole, rng = read(bag), storage(bag).read_bytes(), random.Random(6)
    for _ in range(60):
        start = rng.randrange(8, len(whole) - 100)
        length = rng.randrange(1, 3000)
        hole = rng.choice([b'', bytes(length), rng.randbytes(length)])
        storage(bag).write_bytes(whole[:start] + hole + whole[start + length:])
        try:
            assert read(bag) == good and hole  # an index of messages may have been there
        except DamagedError as error:
            assert 'bag_0.mcap' in str(error)


def test_a_file_cut_short_at_any_byte_is_refused(bag):
    """Catches a bag cut short that is read as a shorter one."""
    whole = storage(bag).read_bytes()
    for end in range(0, len(whole), len(whole) // 50):
        storage(bag).write_bytes(whole[:end])
        with pytest.raises(DamagedError, match=r'bag_0\.mcap.*recover'):
            read(bag)


def test_a_damaged_chunk_is_told_with_its_topics(bag):
    """Catches an error that says no more than that a checksum is wrong."""
    first, end, _ = chunks(bag)[2]

    def spoil(data):
        data[end - 5] ^= 4
        return data
    edit(bag, spoil)
    with pytest.raises(DamagedError, match=rf"bag_0\.mcap, topics 'instruction', 'words': damaged:"
                                           rf' a chunk whose checksum is wrong.* byte {first} '):
        read(bag)


@pytest.mark.parametrize('spoil, complaint', [
    (lambda data, a, b: data[:a[0]] + data[b[0]:], 'missing|another chunk'),
    (lambda data, a, b: data[:a[0]] + data[b[0]:b[1]] + data[a[1]:b[0]] + data[a[0]:a[1]]
     + data[b[1]:], 'another chunk is here'),
    (lambda data, a, b: data[:a[1]] + data[a[0]:], 'too many'),
])
def test_missing_reordered_and_doubled_chunks_are_refused(bag, spoil, complaint):
    """Catches a bag whose index still looks right though its chunks are others."""
    places = chunks(bag)
    edit(bag, lambda data: spoil(data, places[1], places[3]))
    with pytest.raises(DamagedError, match=rf'bag_0\.mcap.*damaged: .*({complaint})'):
        read(bag)


def test_numbers_of_messages_that_disagree_are_refused(bag):
    """Catches a bag whose metadata is that of another, or whose file was exchanged."""
    edit_metadata(bag, lambda told: told['topics_with_message_count'][0].update(message_count=41))
    with pytest.raises(DamagedError, match="bag, topic 'words': 40 messages, .* tells of 41"):
        read(bag)


def test_a_topic_that_metadata_does_not_tell_of_is_refused(bag):
    """Catches messages passed over because metadata.yaml was edited."""
    edit_metadata(bag, lambda told: told['topics_with_message_count'].pop())
    with pytest.raises(DamagedError, match="'instruction': 20 messages, .* tells of 0"):
        read(bag)


@pytest.mark.parametrize('text', ['', 'rosbag2_bagfile_information:', '- a\n', '\0\0\0', '{'])
def test_damaged_metadata_is_named(bag, text):
    """Catches a YAML file left empty by a power cut that ends in a traceback."""
    (bag / 'metadata.yaml').write_text(text)
    with pytest.raises(DamagedError, match='bag: damaged metadata.yaml'):
        read(bag)


# -- bags of another kind


def test_files_outside_of_the_episode_are_refused(bag):
    """Catches a bag that makes us read whatever file it names."""
    edit_metadata(bag, lambda told: told.update(relative_file_paths=['../other/a.mcap']))
    with pytest.raises(EpisodeError, match=r"'\.\./other/a\.mcap', which lies outside"):
        read(bag)


def test_another_storage_is_refused_with_a_way_out(bag):
    edit_metadata(bag, lambda told: told.update(storage_identifier='sqlite3'))
    with pytest.raises(EpisodeError, match='sqlite3.*ros2 bag convert'):
        read(bag)


def custom(path: Path, channels: list[tuple[str, str]], times_ns=None) -> Path:
    """Write a message to each (topic, type) in turn, also what ``add_topic`` would refuse."""
    writer, made = EpisodeWriter(path), {}
    for n, (topic, type_name) in enumerate(channels):
        if (topic, type_name) not in made:
            made[topic, type_name] = writer.add_channel(
                Topic(topic, type_name, '', 'string data\n'))
        received_ns = START_NS + n * STEP_NS if times_ns is None else times_ns[n]
        writer.append(made[topic, type_name], received_ns, message(n))
    return writer.close(STARTED)


def test_a_topic_that_changes_its_type_is_refused_and_the_others_read(tmp_path):
    """Catches bytes of one type read as another."""
    path = custom(tmp_path / 'bag', [('a', 'std_msgs/msg/String'), ('b', 'std_msgs/msg/String'),
                                     ('a', 'std_msgs/msg/Bool')])
    with pytest.raises(EpisodeError, match="bag, topic 'a' changes its type from "
                                           'std_msgs/msg/String to std_msgs/msg/Bool'):
        read(path)
    assert [topic for topic, _, _ in read_messages(path, ['b'])] == ['b']


def test_an_unknown_type_is_refused_and_the_others_read(tmp_path):
    """Catches an episode lost to training for a topic that training doesn't look at."""
    path = custom(tmp_path / 'bag', [('a', 'own_msgs/msg/Glove'), ('b', 'std_msgs/msg/String')])
    with pytest.raises(EpisodeError, match="bag, topic 'a': unknown message type 'own_msgs/msg/G"):
        read(path)
    assert [topic for topic, _, _ in read_messages(path, ['b'])] == ['b']
    assert len(list(read_raw(path))) == 2


def test_a_type_of_another_ros_is_refused(tmp_path):
    """Catches a type whose fields changed between distributions, read with the wrong ones."""
    writer = EpisodeWriter(tmp_path / 'bag')
    writer.add_topic('a', 'std_msgs/msg/String', type_hash='RIHS01_00')
    writer.write('a', START_NS, message(0))
    with pytest.raises(EpisodeError, match="topic 'a': std_msgs/msg/String of another ROS"):
        read(writer.close(STARTED))


def test_what_is_no_message_is_named(tmp_path):
    """Catches a traceback out of the CDR reader."""
    writer = EpisodeWriter(tmp_path / 'bag')
    writer.add_topic('a', 'std_msgs/msg/String')
    writer.write('a', START_NS, b'\0\1\0\0\xff\xff\xff\xff')
    with pytest.raises(EpisodeError, match=f"topic 'a', received {START_NS} ns: damaged: not a"):
        read(writer.close(STARTED))


def test_order_is_that_of_receipt(tmp_path):
    """Catches messages of two threads that come as they lie in the file."""
    times_ns = [START_NS + n * STEP_NS for n in (0, 2, 1, 4, 3)]
    path = custom(tmp_path / 'bag', [('a', 'std_msgs/msg/String')] * 5, times_ns)
    assert numbers(path) == [0, 2, 1, 4, 3]


@pytest.mark.parametrize('times_ns', [
    [START_NS, START_NS + 5 * 10**9, START_NS + 10**9], [START_NS, 0], [START_NS, 5]])
def test_a_clock_that_went_back_is_refused(tmp_path, times_ns):
    """Catches two stretches of time shuffled into each other."""
    path = custom(tmp_path / 'bag', [('a', 'std_msgs/msg/String')] * len(times_ns), times_ns)
    with pytest.raises(EpisodeError, match=r'bag_0\.mcap: times of receipt go back by [\d.]+ s'):
        read(path)
