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

"""What is still read of damaged bags."""

from pathlib import Path
import random

from bags import chunks, COUNT, edit, number, read, STARTED, storage, write_bag
import pytest

from trimodal_ros.record.reader import read_raw
from trimodal_ros.record.recover import recover
from trimodal_ros.record.salvage import Salvage

# -- what is still read of damaged ones


def salvage(path: Path) -> list[int]:
    """Return the numbers of the messages that are still read, in their order."""
    with Salvage(path, lambda size: None) as found:
        return [number(data) for *_, data in found.messages(lambda size: None)]


@pytest.mark.parametrize('compression', ['none', 'zstd'])
def test_all_but_the_damaged_chunks_is_still_read(memory, compression):
    """Catches a damage that takes more than the chunk it is in, or lets a wrong message by."""
    path, rng = write_bag(memory / 'bag', COUNT, compression), random.Random(7)
    places, whole = chunks(path), storage(path).read_bytes()
    for _ in range(60):
        start = rng.randrange(len(whole))
        length = rng.choice([1, 20, 700, 4000])
        spoilt = bytes(byte ^ rng.randrange(1, 256) for byte in whole[start:start + length])
        storage(path).write_bytes(whole[:start] + spoilt + whole[start + length:])
        hit = [numbers for first, end, numbers in places
               if first < start + length and start < end]
        assert salvage(path) == [n for n in range(COUNT) if not any(n in each for each in hit)]


def test_lost_and_inserted_bytes_take_only_the_chunk_they_are_in(memory):
    """Catches a reader that is lost as soon as offsets are no longer what the index says."""
    path, rng = write_bag(memory / 'bag', COUNT), random.Random(8)
    places, whole = chunks(path), storage(path).read_bytes()
    for first, end, lost in places:
        start = rng.randrange(first, end)
        for inserted, length in ((b'', rng.randrange(1, end - start + 1)), (b'\x06abc', 0)):
            storage(path).write_bytes(whole[:start] + inserted + whole[start + length:])
            assert salvage(path) == [n for n in range(COUNT) if n not in lost]


def test_chunks_in_any_order_are_put_in_the_order_of_receipt(bag):
    """Catches reordered chunks read as they lie."""
    places = chunks(bag)

    def shuffle(data):
        pieces = [data[first:end] for first, end, _ in places]
        random.Random(9).shuffle(pieces)
        return data[:places[0][0]] + b''.join(pieces + pieces[:3])
    edit(bag, shuffle)
    assert salvage(bag) == list(range(COUNT))


def test_topics_are_known_though_the_chunk_that_defines_them_is_lost(bag):
    """Catches an episode lost whole because its first chunk is: definitions lie there only."""
    first, end, _ = chunks(bag)[0]
    last = chunks(bag)[-1][1]
    edit(bag, lambda data: (data[:first] + bytes(end - first) + data[end:])[:last])
    (bag / 'metadata.yaml').unlink()
    bag.rename(bag.with_name('bag.partial'))
    [recovery] = recover(bag.parent, show_progress=False)
    assert recovery.result == 'recovered' and recovery.messages > COUNT - 12
    assert {topic for topic, _, _ in read(recovery.episode)} == {'words', 'instruction'}


def test_no_flipped_bit_changes_what_is_recovered(memory):
    """Catches a topic renamed, or an instruction changed, by a bit in what has no checksum."""
    path, rng = write_bag(memory / 'bag', COUNT), random.Random(11)
    good = {(topic.name, topic.qos, received_ns, bytes(data))
            for topic, received_ns, _, data in read_raw(path)}
    whole, [*_, (_, last, _)] = storage(path).read_bytes(), chunks(path)
    (path / 'metadata.yaml').unlink()
    begin = chunks(path)[0][1]  # the rest is the second note, the index and the summary
    for place in [*(rng.randrange(begin) for _ in range(60)),
                  *(rng.randrange(last, len(whole)) for _ in range(200))]:
        spoiled = bytearray(whole)
        spoiled[place] ^= 1 << rng.randrange(8)
        storage(path).write_bytes(spoiled)
        with Salvage(path, lambda size: None) as found:
            got = {(topic.name, topic.qos, received_ns, bytes(data))
                   for topic, received_ns, _, data in found.messages(lambda size: None)}
            assert got <= good and len(got) >= COUNT - 12
            assert found.info in (read_info_of(whole, memory), STARTED)


def read_info_of(whole: bytes, memory: Path):
    """Return the info noted last in an unspoiled file."""
    path = memory / 'unspoiled'
    path.mkdir(exist_ok=True)
    (path / 'bag_0.mcap').write_bytes(whole)
    with Salvage(path, lambda size: None) as found:
        return found.info
