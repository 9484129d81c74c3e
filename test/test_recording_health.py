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

"""Health of streams, and when their messages came: without a graph."""

from dataclasses import replace
import itertools

import pytest
from streams import CAMERA, JOINTS, LIMITS, MS, samples, shifted, START_NS, WANTED

from trimodal_ros.record.health import Health, health_of
from trimodal_ros.record.messages import BAG_TYPES, serialize
from trimodal_ros.record.receipts import Numbers, Receipts
from trimodal_ros.record.sample import content_digest, header_stamp_ns, Sample
from trimodal_ros.record.selection import Wanted
from trimodal_ros.record.stream_health import Limits
from trimodal_ros.spec import NS_PER_S


def findings(*streams, limits=LIMITS) -> list[str]:
    merged = sorted((sample for stream in streams for sample in stream),
                    key=lambda sample: sample.received_ns)
    report = health_of(merged, WANTED, limits).report(merged[-1].received_ns)
    assert report['verdict'] == ('bad' if report['findings'] else 'good')
    return report['findings']


def test_what_is_well_has_no_findings():
    """Catches an alarm that always rings."""
    assert findings(samples(), samples(JOINTS, 500, 2)) == []


def changed(stream, index, **values):
    return [each._replace(**values) if n == index else each for n, each in enumerate(stream)]


@pytest.mark.parametrize('stream, text', [
    (shifted(samples(), 10, 300), '1 gaps over 0.2 s, the longest 0.33 s'),
    (samples(every_ms=100), 'expected at least 15 Hz'),
    (changed(samples(), 9, received_ns=START_NS + 9 * 33 * MS + 400 * MS),
     '1 messages older than 0.25 s when they came, the oldest 0.41 s'),
    (changed(samples(), 9, stamp_ns=0), '1 stamps of zero'),
    (changed(samples(), 9, stamp_ns=START_NS), '1 stamps earlier than the one before'),
    (changed(samples(), 9, stamp_ns=START_NS + NS_PER_S), '1 stamps of another clock'),
    (changed(samples(), 0, stamp_ns=START_NS - 3600 * NS_PER_S), '1 stamps of another clock'),
    ([each._replace(digest=min(each.digest, 10)) for each in samples()],
     'frozen: the same pixels for 0.63 s'),
    ([each._replace(digest=each.digest // 2) for each in samples()],
     '15 of 30 images repeat the one before, at most 10% may'),
])
def test_what_is_wrong_is_found(stream, text):
    """Catches a fault that passes for health: each by its number, its worst and its limit."""
    found = findings(stream)
    assert any(each.startswith(f'{CAMERA}: ') and text in each for each in found), found


def test_joint_states_need_no_content():
    """Catches a robot at rest taken for a frozen one."""
    assert findings(samples(JOINTS, 100, 10, data=b'the same')) == []


def test_several_drivers_may_share_a_topic():
    """Catches an arm and a gripper, a few ms apart, taken for one that goes back in time."""
    gripper = samples(JOINTS, 97, 10)
    arm = [each._replace(received_ns=each.received_ns + MS, stamp_ns=each.stamp_ns - 5 * MS)
           for each in gripper]
    assert findings(samples(), arm, gripper) == []


def test_commands_have_the_stamps_they_like():
    """Catches an episode that is bad as it was held once: plans are stamped with their images."""
    wanted = {'joint_trajectory': Wanted('joint_trajectory')}
    sent = [Sample('joint_trajectory', START_NS + n, b'', None, stamp_ns) for n, stamp_ns in
            enumerate((START_NS, START_NS - NS_PER_S, 0, START_NS + NS_PER_S))]
    assert health_of(sent, wanted, LIMITS).report(START_NS + 9)['findings'] == []


def test_skew_is_behind_the_newest_of_the_others():
    """Catches a camera that is a second behind the joints and looks well on its own."""
    camera = [each._replace(stamp_ns=each.stamp_ns - 800 * MS) for each in samples()]
    found = findings(camera, samples(JOINTS, 500, 2), limits=Limits(max_late_s=2.0))
    assert found == [f'{CAMERA}: 0.83 s behind the newest of the other streams, at most 0.25 s '
                     'is allowed'] or '0.8' in found[0]


def test_silence_is_found_while_it_lasts_and_ends_in_a_gap():
    """Catches a stream that never comes back, of which no message tells."""
    health = Health(START_NS, Limits())
    health.expect(CAMERA, WANTED[CAMERA])
    assert health.stream_findings(START_NS + NS_PER_S)[CAMERA][-1].startswith('silent for 1.00 s')
    for sample in samples():
        health.note(sample)
    assert not any('silent' in text for text in
                   health.stream_findings(samples()[-1].received_ns)[CAMERA])


def test_drops_are_told_by_topic_and_make_it_bad():
    """Catches a drop that only the log knows of."""
    health = Health(START_NS, Limits())
    health.expect(CAMERA, replace(WANTED[CAMERA], min_rate_hz=0.0))
    for sample in samples():
        health.note(sample)
    health.drop(CAMERA)
    report = health.report(samples()[-1].received_ns)
    assert (report['verdict'], report['dropped']) == ('bad', 1)
    assert report['topics'][CAMERA]['dropped'] == 1 and 'dropped' in report['findings'][0]


def test_rates_are_since_they_were_asked_last():
    """Catches a rate that a long and healthy past hides."""
    health = Health(START_NS, Limits())
    health.expect(CAMERA, WANTED[CAMERA])
    for sample in samples():
        health.note(sample)
    health.rates(START_NS + NS_PER_S)
    assert health.rates(START_NS + 2 * NS_PER_S) == {CAMERA: (0.0, 0.0)}


# -- bytes


def image(stamp_ns: int, frame: str, value: int) -> bytes:
    return serialize(BAG_TYPES.Image(
        header=BAG_TYPES.header(stamp_ns, frame), height=1, width=3, encoding='mono8',
        is_bigendian=0, step=3, data=BAG_TYPES.octets(bytes([value] * 3))))


def test_digest_is_of_the_pixels_alone():
    """Catches a hash over the stamp, to which no camera is ever frozen."""
    assert content_digest(image(5, 'front', 7)) == content_digest(image(9, 'front', 7))
    assert content_digest(image(5, 'front', 7)) != content_digest(image(5, 'front', 8))
    assert header_stamp_ns(image(3 * NS_PER_S + 5, 'front', 7)) == 3 * NS_PER_S + 5


# -- what the middleware notes


def test_times_of_receipt_are_in_order():
    """Catches a file out of order, and messages that are given before an earlier one has come."""
    times = iter([10**18, 10**18 + 100])
    receipts = Receipts(lambda: next(times), simulated=False)
    receipts.look()
    assert receipts.of(10**18 - 5) == 10**18 - 5 and receipts.is_due(10**18 - 5)
    assert not receipts.is_due(receipts.of(10**18 + 5))    # something earlier may still come
    assert receipts.of(10**18 + 3 * NS_PER_S) == 10**18 + 3 * NS_PER_S   # held up meanwhile
    receipts.look()
    assert receipts.of(10**18 - 3 * NS_PER_S) == 10**18 and receipts.is_due(10**18 + 5)


def test_a_clock_that_is_set_back_is_noticed_and_a_pause_is_not():
    """Catches a busy machine, which stands still, taken for a clock that was set back."""
    passed = itertools.count(0, NS_PER_S)   # the machine stands still for a second at each look
    receipts = Receipts(lambda: 10**18 + next(passed), simulated=False,
                        steady=lambda: next(passed))
    for _ in range(3):
        receipts.look()
        assert not receipts.set_back_ns
    times = iter([50 * NS_PER_S, 51 * NS_PER_S, 20 * NS_PER_S, 20 * NS_PER_S + 5])
    simulated, found = Receipts(lambda: next(times), simulated=True), []
    for _ in range(4):
        simulated.look()
        found.append(simulated.set_back_ns)
    assert found == [0, 0, 31 * NS_PER_S, 0] and simulated.of(10**18) == 20 * NS_PER_S + 5


def test_numbers_tell_what_got_lost():
    """Catches losses that nobody counts, and a second publisher taken for a loss."""
    numbers = Numbers()
    assert numbers.lost(['a']) == 0
    for number in (7, 8, 11):
        numbers.follow(number)
    assert numbers.lost(['a']) == 2 and numbers.lost(['a']) == 0
    for number in (12, 4000, 13, 4001):
        numbers.follow(number)
    assert numbers.lost(['a', 'b']) == 0 and numbers.lost(['a', 'b']) == 0
