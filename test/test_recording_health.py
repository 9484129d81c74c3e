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

"""Health of streams, the gate, the ring and who commanded: without a graph."""

from dataclasses import replace
import time

import pytest

from trimodal_ros.record.gate import missing, Seen
from trimodal_ros.record.health import Health, health_of
from trimodal_ros.record.messages import BAG_TYPES, message_class, serialize
from trimodal_ros.record.provenance import Provenance
from trimodal_ros.record.receipts import Numbers, Receipts
from trimodal_ros.record.ring import Ring
from trimodal_ros.record.sample import content_digest, header_stamp_ns, Sample
from trimodal_ros.record.selection import read_selection, SelectionError, Wanted
from trimodal_ros.record.stream_health import Limits
from trimodal_ros.spec import NS_PER_S, RobotSpec

START_NS = 1000 * NS_PER_S
MS = NS_PER_S // 1000
CAMERA, JOINTS = 'front/image_raw', 'joint_states'
LIMITS = Limits()
WANTED = {CAMERA: Wanted(CAMERA, True, max_gap_s=0.2, min_rate_hz=15.0),
          JOINTS: Wanted(JOINTS, True, max_gap_s=0.1)}


def samples(topic=CAMERA, count=30, every_ms=33, **changes) -> list[Sample]:
    """Return samples that come regularly, 5 ms after their stamp, each of another content."""
    times = [START_NS + n * every_ms * MS for n in range(count)]
    return [Sample(topic, time, b'12345678', time, time - 5 * MS,
                   number if topic == CAMERA else None)._replace(**changes)
            for number, time in enumerate(times)]


def findings(*streams, limits=LIMITS) -> list[str]:
    merged = sorted((sample for stream in streams for sample in stream),
                    key=lambda sample: sample.received_ns)
    report = health_of(merged, WANTED, limits).report(merged[-1].received_ns)
    assert report['verdict'] == ('bad' if report['findings'] else 'good')
    return report['findings']


def test_what_is_well_has_no_findings():
    """Catches an alarm that always rings."""
    assert findings(samples(), samples(JOINTS, 500, 2)) == []


def shifted(stream, first, by_ms):
    """Return a stream of which all from one on comes later, and is stamped later."""
    return stream[:first] + [each._replace(received_ns=each.received_ns + by_ms * MS,
                                           stamp_ns=each.stamp_ns + by_ms * MS)
                             for each in stream[first:]]


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
    def paused() -> int:
        now_ns = time.time_ns()
        time.sleep(0.6)
        return now_ns
    receipts = Receipts(paused, simulated=False)
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


# -- the gate


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


# -- who commanded


def told(topic: str, time_ns: int, value='') -> Sample:
    if topic == 'takeover':
        data = serialize(message_class('std_msgs/msg/Bool')(data=value))
    elif topic == 'instruction':
        data = serialize(BAG_TYPES.String(data=value))
    elif topic == 'policy/decision':
        status = message_class('diagnostic_msgs/msg/DiagnosticStatus')
        pair = message_class('diagnostic_msgs/msg/KeyValue')
        data = serialize(message_class('diagnostic_msgs/msg/DiagnosticArray')(
            header=BAG_TYPES.header(time_ns), status=[status(
                level=0, name='decision', message='commanded', hardware_id='',
                values=[pair(key='checkpoint', value=value)])]))
    else:
        data = b''
    return Sample(topic, time_ns, data)


@pytest.mark.parametrize('told_of, source', [
    ([('joint_trajectory',), ('policy/decision', 'abc'), ('joint_trajectory',)], 'policy'),
    ([('joint_trajectory',), ('policy/decision', 'abc'), ('takeover', True),
      ('joint_trajectory',), ('takeover', False)], 'mixed'),
    ([('takeover', True), ('joint_trajectory',)], 'teleoperation'),
    ([('takeover', True), ('policy/decision', 'abc'), ('joint_trajectory',)], 'teleoperation'),
    ([('joint_trajectory',)], 'teleoperation'),
    ([('policy/decision', 'abc')], 'unknown'),
    ([], 'unknown')])
def test_source_is_who_commanded(told_of, source):
    """Catches teleoperation that is trained on as if a policy had done it."""
    provenance = Provenance()
    for time_ns, (topic, *value) in enumerate(told_of):
        provenance.feed(told(topic, time_ns, *value))
    assert provenance.source(100) == source


def test_interventions_are_the_times_of_a_takeover():
    """Catches a heartbeat that opens an intervention each time, and one that never ends."""
    provenance = Provenance('put it there', is_taken_over=True, from_ns=5)
    for time_ns, value in ((7, True), (10, False), (12, False), (20, True), (22, True)):
        provenance.feed(told('takeover', time_ns, value))
    assert provenance.interventions(30) == ((5, 10), (20, 30))
    provenance.feed(told('policy/decision', 25, 'abc'))
    assert provenance.checkpoint == 'abc'


# -- the selection


def test_selection_of_the_package(so101):
    """Catches a default that records less than a policy run needs."""
    from trimodal_ros.paths import share_dir
    wanted = read_selection(share_dir() / 'config' / 'recorder.yaml', so101)
    required = {each.name for each in wanted if each.required}
    assert required == {'front/image_raw', 'wrist/image_raw', 'joint_states', 'instruction'}
    assert {'joint_trajectory', 'takeover', 'joy', 'policy/decision', 'policy/debug/*',
            'policy/shadow/*', '/diagnostics'} == {each.name for each in wanted} - required


@pytest.mark.parametrize('text, complaint', [
    ('topics: {a: }', 'expected the keys cameras and topics'),
    ('{cameras: , topics: {a: {maxgap: 1}}}', 'a: expected some of required, max_gap_s'),
    ('{cameras: , topics: {a: {max_gap_s: soon}}}', "max_gap_s: 'soon', expected a number"),
    ('{cameras: , topics: {"a/*": {required: true}}}', "a pattern can't be required"),
    ('{cameras: , topics: [a]}', 'expected names with their options'),
    ('{cameras: , topics: {"a b": }}', "'a b' is not the name of a topic"),
    ('{', 'is not a readable YAML file')])
def test_selection_that_says_nothing_clear_is_refused(tmp_path, text, complaint):
    """Catches a typing error that leaves a topic out."""
    path = tmp_path / 'recorder.yaml'
    path.write_text(text)
    with pytest.raises(SelectionError, match='recorder.yaml') as error:
        read_selection(path, RobotSpec.make_example())
    assert complaint in str(error.value)
