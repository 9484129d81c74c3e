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

"""What must be there before an episode begins, and what is remembered of before."""

from streams import samples, shifted, START_NS

from trimodal_ros.record.gate import missing, Seen
from trimodal_ros.record.ring import Ring
from trimodal_ros.record.sample import Sample
from trimodal_ros.record.selection import Wanted
from trimodal_ros.spec import NS_PER_S


def test_gate_names_what_is_missing_and_what_is_known_of_it():
    """Catches an episode without its camera, and a refusal that doesn't say which."""
    now_ns, required = START_NS, Wanted('a', required=True)
    cases = {
        'a: nobody publishes it': Seen(required),
        'a: published by x, but nothing has come yet': Seen(required, 'T', ['x', 'x']),
        'a: published by x, but silent for 2.0 s; alive is once in 1 s': Seen(
            required, 'T', ['x'], newest_ns=now_ns - 2 * NS_PER_S),
        'a: has two types': Seen(required, 'T', ['x'], 'has two types', newest_ns=now_ns)}
    for text, seen in cases.items():
        assert missing([seen], now_ns, 1.0) == [text]
    alive = Seen(required, 'T', ['x'], newest_ns=now_ns - NS_PER_S // 2)
    latched = Seen(required, 'T', [], latched=True, newest_ns=1)
    assert missing([alive, latched, Seen(Wanted('b'))], now_ns, 1.0) == []


# -- the ring


def test_ring_keeps_the_last_seconds_and_bytes():
    """Catches a memory that grows, and one that forgets too much."""
    ring = Ring(0.5, 10**6)
    for sample in samples():
        ring.add(sample)
    assert 0.46 <= ring.length_s <= 0.5
    small = Ring(60.0, 80)
    for sample in samples():
        small.add(sample)
    assert small.bytes == 80 and len(small.take_all()) == 10 and small.bytes == 0


def test_ring_remembers_what_was_latched_before_it_begins():
    """Catches a kept episode that doesn't know its instruction any more."""
    ring = Ring(0.5, 10**6)
    for text in (b'first', b'second'):
        ring.add(Sample('instruction', START_NS, text), latched=True)
    for sample in samples():
        ring.add(sample)
    kept = ring.take_all()
    assert kept[0].data == b'second' and kept[0].received_ns == kept[1].received_ns
    for sample in shifted(samples(), 0, 2000):
        ring.add(sample)
    assert ring.take_all()[0].data == b'second'


