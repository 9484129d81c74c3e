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

"""``record cut``: recordings cut into episodes."""

from collections import Counter
from dataclasses import replace

from bags import START_NS, STARTED, STEP_NS, storage, write_bag
from cutting import cut, said
import numpy as np
import pytest
from test_sync import Bag, START_NS as BAG_START_NS, STEP_NS as FRAME_NS

from trimodal_ros.command.message import to_message
from trimodal_ros.record.__main__ import main
from trimodal_ros.record.cut import cut_recordings, Cuts
from trimodal_ros.record.episode import EpisodeInfo, read_info
from trimodal_ros.record.messages import BAG_TYPES, message_class, serialize
from trimodal_ros.record.moments import read_commanded, Sampling
from trimodal_ros.record.qos import LATCHED
from trimodal_ros.record.reader import read_raw
from trimodal_ros.record.writer import EpisodeWriter
from trimodal_ros.spec import NS_PER_S, Trajectory
from trimodal_ros.train.cache import open_frames
from trimodal_ros.train.selection import choose, Selection

TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory'


def raw(path) -> list:
    return [(m.topic, m.received_ns, m.sent_ns, bytes(m.data)) for m in read_raw(path)]


def without_carried(path) -> list:
    """Return the messages of a part that were received in it."""
    count = sum(map(len, read_info(path).part_of['carried'].values()))
    return raw(path)[count:]


def words(path) -> list[str]:
    """Return topic, and text or number of points, of the messages of a part."""
    return [f'{m.topic.name} {bytes(m.data)[8:-1].decode()}' for m in read_raw(path)]


# -- what is in a part


@pytest.mark.parametrize('compression', ['none', 'zstd'])
def test_every_message_is_in_one_part_as_it_was(tmp_path, compression):
    """Catches one lost or doubled at a cut, another time, QoS, definition or compression."""
    whole = write_bag(tmp_path / 'bags' / 'one', compression=compression)
    parts = cut(tmp_path / 'bags', tmp_path / 'parts', every_s=0.25)
    assert [part.name for part in parts] == ['one_00', 'one_01', 'one_02']
    assert [message for part in parts for message in without_carried(part)] == raw(whole)
    assert [len(without_carried(part)) for part in parts] == [25, 25, 10]
    sizes = [storage(path).stat().st_size for path in (whole, parts[0])]
    assert (sizes[1] < 60 * 200) == (compression == 'zstd') == (sizes[0] < 60 * 200)


def test_a_message_at_a_cut_is_in_the_later_part(tmp_path):
    """Catches a cut that is off by one, times from another zero, and a part of nothing."""
    write_bag(tmp_path / 'bags' / 'one')
    parts = cut(tmp_path / 'bags', tmp_path / 'parts', at_s=(0.1, 0.105, 0.108, 0.59))
    begins_ns = [without_carried(part)[0][1] - START_NS for part in parts]
    assert begins_ns == [0, 10 * STEP_NS, 11 * STEP_NS, 59 * STEP_NS]
    assert [part.name[-2:] for part in parts] == ['00', '01', '03', '04']
    again = cut_recordings([tmp_path / 'bags'], tmp_path / 'parts',
                           Cuts(at_s=(0.1, 0.105, 0.108, 0.59)), show_progress=False)
    assert str(again[0]).endswith('4 parts, 4 of them were there already; nothing was received '
                                  'in 1 more')


def test_no_part_of_the_last_message_alone(tmp_path):
    """Catches a recording of twice the length cut into three."""
    write_bag(tmp_path / 'bags' / 'one', count=61)
    assert len(cut(tmp_path / 'bags', tmp_path / 'parts', every_s=0.3)) == 2


def test_what_was_latched_comes_first(tmp_path):
    """Catches a part in which the robot was told nothing, or what it was told long before."""
    said(tmp_path / 'bags' / 'one', (0, 'instruction', 'a'), (0, 'takeover', 'b'), (0, 'Joy', 'c'),
         (1, 'instruction', 'd'), (2, 'Joy', 'e'), (4, 'takeover', 'f'), (5, 'Joy', 'g'))
    first, second, third = cut(tmp_path / 'bags', tmp_path / 'parts', every_s=2)
    assert words(second) == ['takeover b', 'instruction d', 'Joy e']
    assert words(third) == ['takeover b', 'instruction d', 'takeover f', 'Joy g']
    assert [m.received_ns - START_NS for m in read_raw(third)] == [
        4 * NS_PER_S, 4 * NS_PER_S, 4 * NS_PER_S, 5 * NS_PER_S]
    assert [m.sent_ns - START_NS for m in read_raw(second)][:2] == [0, NS_PER_S]
    assert read_info(first).part_of['carried'] == {}
    assert read_info(third).part_of['carried'] == {
        'takeover': [START_NS], 'instruction': [START_NS + NS_PER_S]}


def test_of_static_transforms_all_come_first(tmp_path):
    """Catches a camera without its frame: each publisher's message tells of other frames."""
    types = message_class
    writer = EpisodeWriter(tmp_path / 'bags' / 'one', STARTED)
    writer.add_topic('/tf_static', 'tf2_msgs/msg/TFMessage', [LATCHED, LATCHED])
    writer.add_topic('Joy', 'std_msgs/msg/String')
    for place, frame in enumerate(('front', 'wrist')):
        writer.write('/tf_static', START_NS + place, serialize(types('tf2_msgs/msg/TFMessage')(
            transforms=[types('geometry_msgs/msg/TransformStamped')(
                header=BAG_TYPES.header(0, 'base'), child_frame_id=frame,
                transform=types('geometry_msgs/msg/Transform')(
                    translation=types('geometry_msgs/msg/Vector3')(x=0.0, y=0.0, z=0.0),
                    rotation=types('geometry_msgs/msg/Quaternion')(x=0., y=0., z=0., w=1.)))])))
    writer.write('Joy', START_NS + NS_PER_S, serialize(BAG_TYPES.String(data='')))
    whole = writer.close(STARTED)
    _, second = cut(tmp_path / 'bags', tmp_path / 'parts', at_s=(0.5,))
    assert [m[3] for m in raw(second)] == [m[3] for m in raw(whole)]


# -- what is commanded in a part


def moving(path, robot, frames=40, stamped=True, **changes):
    """Write a bag of an arm that rests for 10 frames, then moves; commanded each 0.6 s, 1.6 s."""
    bag = Bag(path, robot)
    bag.writer.add_topic('joint_trajectory', TRAJECTORY)
    bag.writer.add_topic('demonstrated', TRAJECTORY)
    for number in range(frames):
        bag.frame(number, joints={'position': 0.1 + position_at(number) / 10})
        if number % 6 == 0:
            time_s_T = (1 + np.arange(robot.horizon)) / robot.rate_hz
            position_T = [position_at(number + 1 + step) for step in range(robot.horizon)]
            stamp = BAG_START_NS + number * FRAME_NS
            data = serialize(to_message(Trajectory(
                robot, stamp, time_s_T, np.repeat(position_T, len(robot.joints)).reshape(
                    len(position_T), -1)), BAG_TYPES))
            for topic in ('joint_trajectory', 'demonstrated'):
                bag.writer.write(topic, stamp + 1000, data, stamp)
    return bag.close(**changes)


def position_at(number: int) -> float:
    return 0.02 * max(0, number - 10)


def labels(path, robot) -> dict:
    return {moment.observation.stamp_ns: moment.chunk_TJ
            for moment in read_commanded(path, robot, Sampling(), Counter())}


def test_labels_of_parts_are_those_of_the_whole(tmp_path, so101):
    """
    Catches a cut that changes what was commanded.

    An arm that rested at the cut and moved then was not to go on resting, a trajectory under way
    then was not carried out to its end, and one sent before is what was commanded first.
    """
    whole = labels(moving(tmp_path / 'bags' / 'one', so101), so101)
    parts = [labels(part, so101)
             for part in cut(tmp_path / 'bags', tmp_path / 'parts', at_s=(0.95, 2.8))]
    assert not parts[0] and len(parts[1]) == 28 - 10 - so101.horizon and len(parts[2]) > 5
    for part in parts:
        for stamp, chunk_TJ in part.items():
            np.testing.assert_allclose(chunk_TJ, whole[stamp], atol=1e-9)


def test_only_commands_under_way_are_carried(tmp_path, so101):
    """Catches labels doubled, and a trajectory that was over played once more."""
    moving(tmp_path / 'bags' / 'one', so101, frames=24)
    parts = cut(tmp_path / 'bags', tmp_path / 'parts', at_s=(1.9, 2.2))
    carried = [set(read_info(part).part_of['carried']) for part in parts]
    assert carried == [set(), {'instruction', 'joint_trajectory'},
                       {'instruction', 'joint_trajectory'}]
    bag = Bag(tmp_path / 'late' / 'one', so101)
    bag.writer.add_topic('joint_trajectory', TRAJECTORY)
    trajectory = Trajectory(so101, BAG_START_NS, [0.1], np.zeros((1, 6)))
    message = to_message(trajectory, BAG_TYPES)
    bag.writer.write('joint_trajectory', BAG_START_NS, serialize(message))
    for number in range(10):
        bag.frame(number)
    bag.close()
    _, second = cut(tmp_path / 'late', tmp_path / 'others', at_s=(0.5,))
    assert set(read_info(second).part_of['carried']) == {'instruction'}


def test_who_commanded_when_is_still_known(tmp_path, so101):
    """Catches a policy's way into trouble that is imitated, since the takeover is cut off it."""
    taken = ((BAG_START_NS + 22 * FRAME_NS, BAG_START_NS + 30 * FRAME_NS),)
    moving(tmp_path / 'bags' / 'one', so101, source='mixed', outcome='success',
           interventions=taken)
    kept = []
    for roots in ([tmp_path / 'bags'], cut(tmp_path / 'bags', tmp_path / 'parts', at_s=(2.1,))):
        frames = open_frames(list(roots), so101, 'demonstration', 1)
        weight_N = choose(frames, Selection()).weight_N
        kept.append({stamp: weight for stamp, weight in zip(frames.stamp_N, weight_N)})
    assert len(kept[1]) > 4 and kept[1].items() <= kept[0].items()
    assert 0.0 in kept[1].values()


def test_list_tells_of_a_part_who_took_over_in_it(tmp_path, capsys):
    """Catches an intervention that each part is said to have."""
    taken = ((START_NS + NS_PER_S // 5, START_NS + NS_PER_S // 2),)
    said(tmp_path / 'bags' / 'one', (0, 'Joy', ''), (0.6, 'Joy', ''),
         info=replace(STARTED, interventions=taken))
    cut(tmp_path / 'bags', tmp_path / 'parts', at_s=(0.3, 0.55))
    main(['list', str(tmp_path / 'parts')])
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 3 and '1 (0.1 s)' in printed[1] and '(' not in printed[2]


# -- what a part says of itself


def test_a_part_is_about_what_was_told_in_it(tmp_path):
    """Catches a part under the sentence of another one, with words and a task not its own."""
    info = replace(STARTED, instruction='go there', paraphrases=('be there',), task={'place': 'x'})
    said(tmp_path / 'bags' / 'one', (0, 'instruction', ' go   there '), (3, 'instruction', 'back'),
         (6, 'instruction', ''), (9, 'Joy', ''), info=info)
    parts = cut(tmp_path / 'bags', tmp_path / 'parts', at_s=(2.0, 3.5, 7.0))
    infos = list(map(read_info, parts))
    assert [(each.instruction, each.paraphrases, each.task) for each in infos] == [
        ('go there', ('be there',), {'place': 'x'}), ('go there', ('be there',), {'place': 'x'}),
        ('back', (), {}), ('go there', ('be there',), {'place': 'x'})]


def test_a_part_says_what_it_was_cut_from(tmp_path):
    """Catches a part that nobody can find the whole of, or that passes for one."""
    info = EpisodeInfo('put it there', 'hash', 'mixed', 'failure', 'abc', operator='Ada', seed=3,
                       health={'verdict': 'bad', 'findings': ['a gap']})
    said(tmp_path / 'bags' / 'one', *((n, 'Joy', '') for n in range(9)), info=info)
    first, second, third = cut(tmp_path / 'bags', tmp_path / 'parts', every_s=3)
    told = read_info(second)
    assert replace(told, part_of={}) == info
    assert told.part_of.pop('fingerprint') == read_info(first).part_of['fingerprint']
    assert told.part_of == {
        'episode': 'one', 'number': 1, 'count': 3, 'from_ns': START_NS + 3 * NS_PER_S,
        'to_ns': START_NS + 6 * NS_PER_S, 'is_last': False, 'carried': {}}
    assert [read_info(part).goes_on for part in (first, second, third)] == [True, True, False]
    inner = cut(second, tmp_path / 'again', at_s=(1.0,))
    assert [read_info(part).goes_on for part in inner] == [True, True]
    assert read_info(inner[1]).part_of['part_of'] == read_info(second).part_of
