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

"""Who commanded in a recording, and which topics are in it."""

import pytest
from streams import LIMITS, samples, WANTED

from trimodal_ros.record.health import health_of
from trimodal_ros.record.messages import BAG_TYPES, message_class, serialize
from trimodal_ros.record.provenance import Provenance
from trimodal_ros.record.sample import Sample
from trimodal_ros.record.selection import read_selection, SelectionError
from trimodal_ros.spec import RobotSpec


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


def test_a_policy_whose_commands_are_not_heard_is_a_finding():
    """Catches a remapped robot, recorded all night without a single command."""
    provenance, decided = Provenance(), told('policy/decision', 0, 'abc')
    provenance.feed(decided)
    assert provenance.finding == ''   # its command may have come just before the episode
    provenance.feed(decided)
    assert 'joint_trajectory: nothing has come, and a policy' in provenance.finding
    [sample, *_] = samples()
    report = health_of([sample], WANTED, LIMITS).report(sample.received_ns, provenance.finding)
    assert report['verdict'] == 'bad' and provenance.finding in report['findings']
    provenance.feed(told('joint_trajectory', 0))
    assert provenance.finding == ''


def test_interventions_are_the_times_of_a_takeover():
    """Catches a heartbeat that opens an intervention each time, and one that never ends."""
    provenance = Provenance('put it there', is_taken_over=True, from_ns=5)
    for time_ns, value in ((7, True), (10, False), (12, False), (20, True), (22, True)):
        provenance.feed(told('takeover', time_ns, value))
    assert provenance.interventions(30) == ((5, 10), (20, 30))
    provenance.feed(told('policy/decision', 25, 'abc'))
    assert provenance.checkpoint == 'abc'


def test_selection_of_the_package(so101):
    """Catches a default that records less than a policy run needs."""
    from trimodal_ros.paths import share_dir
    wanted = read_selection(share_dir() / 'config' / 'recorder.yaml', so101)
    required = {each.name for each in wanted if each.required}
    assert required == {'front/image_raw', 'wrist/image_raw', 'joint_states', 'instruction'}
    assert {each.name for each in wanted} - required == {
        'joint_trajectory', 'takeover', 'stopped', 'joy', 'leader/joint_states',
        'policy/decision', 'policy/debug/*', 'policy/shadow/*', '/diagnostics'}


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
