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

"""A recorder's session without a graph: what becomes of orders that come while the disk works."""

import os
import threading

from recorder_session import make_session, STRING, TOLD

from trimodal_ros.record.episode import find_episodes, read_info
from trimodal_ros.record.messages import BAG_TYPES, serialize
from trimodal_ros.record.reader import read_messages
from trimodal_ros.record.sample import Sample


def test_what_is_still_being_kept_can_be_discarded(tmp_path):
    """Catches a discard that finds no episode yet, and one whose episode comes after all."""
    go_on = threading.Event()

    def slowly(topic):   # as a ring of half a gigabyte is
        go_on.wait()
        return STRING
    session = make_session(tmp_path, kind_of=slowly)
    kept, discarded = session.keep(), session.discard()
    assert not kept.done() and not discarded.done()
    go_on.set()
    assert discarded.result() == tmp_path / '.trash' / 'episode_0000'
    assert dict(+session.ended.counts) == {'discarded': 1}
    session.close()
    assert [path.name for path in tmp_path.iterdir()] == ['.trash']


def test_what_is_still_being_kept_is_finished_at_the_end(tmp_path):
    """Catches a recorder that ends before what was kept is an episode."""
    is_closing = threading.Event()

    def slowly(topic):
        is_closing.wait()
        return STRING
    session = make_session(tmp_path, kind_of=slowly)
    session.keep()
    closing = threading.Thread(target=session.close)
    closing.start()
    is_closing.set()
    closing.join()
    assert [path.name for path in find_episodes(tmp_path)] == ['episode_0000']


def test_overflow_is_counted_by_topic_and_told_at_once(tmp_path):
    """Catches drops that are known at the end, or never, or not of which topic."""
    told = []
    session = make_session(tmp_path, ('big', 'small'), queue_bytes=1000, ring_s=0.0,
                           tell=lambda level, text: told.append(text))
    session.start([])
    is_held, go_on = os.pipe()
    session.intake.scribe.do(lambda: os.read(is_held, 1))   # a disk that takes its time
    big, small = (serialize(BAG_TYPES.String(data='x' * size)) for size in (580, 80))
    for number in range(5):
        session.take(Sample('big', 10**12 + number, big))
        session.take(Sample('small', 10**12 + number, small))
    counts = {name: stream.dropped for name, stream in session.health.streams.items()}
    assert counts == {'big': 4, 'small': 1, 'instruction': 0}
    assert sum('messages dropped so far' in text for text in told) == 5
    os.write(go_on, b'x')
    path = session.end('success').result()
    session.close()
    recorded = [topic for topic, _, _ in read_messages(path)]
    assert (recorded.count('big'), recorded.count('small')) == (1, 4)
    health = read_info(path).health
    assert health['verdict'] == 'bad' and health['dropped'] == 5
    assert any(text.startswith('big: 4 messages dropped') for text in health['findings'])


def test_clock_set_back_ends_the_episode(tmp_path):
    """Catches an episode in which two moments have one time."""
    session = make_session(tmp_path)
    session.start([])
    session.take(TOLD._replace(received_ns=10**12 + 5))
    session.set_back(5 * 10**9)
    assert session.recording is None and 'the clock was set back by 5.0 s' in session.failure
    session.close()
    [path] = find_episodes(tmp_path)
    assert len(list(read_messages(path))) == 1
    assert 'the clock was set back' in read_info(path).health['findings'][0]
