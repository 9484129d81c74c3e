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

"""What a recorder is asked to do, over services, and what is on the disk after."""

from pathlib import Path

from graph import rclpy, wait_for  # noqa: F401 - it skips where there is no ROS
import pytest
from rclpy.parameter import Parameter
from recorder_graph import CAMERA, recorder_graph, ROBOT, SENTENCE, STREAMS

# isort: split
from std_msgs.msg import Bool
from trajectory_msgs.msg import JointTrajectory

from trimodal_ros.nodes.ros import COMMAND_QOS, LATCHED_QOS
from trimodal_ros.record.episode import find_episodes, read_info
from trimodal_ros.record.reader import read_messages

pytestmark = pytest.mark.usefixtures('ros')


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_episode_says_what_it_is_about(tmp_path):
    """Catches an episode without its instruction, operator, robot or health."""
    with recorder_graph(tmp_path, operator='Ada') as graph:
        assert graph.do('start') == str(tmp_path / 'out' / 'episode_0000')
        assert 'already recording episode_0000' in graph.refused('start')
        graph.wait_for_more()
        path = graph.do('success')
        assert graph.refused('success') == 'not recording'
    info = read_info(path)
    assert (info.instruction, info.outcome, info.operator) == (SENTENCE, 'success', 'Ada')
    assert info.robot == ROBOT.content_hash and info.health['verdict'] == 'good', info.health
    recorded = [topic for topic, _, _ in read_messages(path)]
    assert all(recorded.count(topic) > 5 for topic in STREAMS)
    assert recorded.count('instruction') == 1
    assert info.health['topics'][CAMERA]['count'] == recorded.count(CAMERA)


def test_nothing_begins_before_all_is_alive(tmp_path):
    """Catches fifty episodes without the camera that nobody plugged in."""
    with recorder_graph(tmp_path, ready=False, silent=CAMERA, alive_s=1.0) as graph:
        graph.source.say(SENTENCE)
        wait_for(lambda: graph.count('joint_states'), 'joint states')
        refusal = graph.refused('start')
        assert f'{CAMERA}: published by {graph.source.get_name()}, but nothing has' in refusal
        assert 'joint_states' not in refusal
        graph.source.silent.clear()
        wait_for(lambda: graph.ask('start').success, 'recording')
        graph.do('discard')
        graph.source.silent.add('joint_states')

        def is_missed():
            answer = graph.ask('start')
            if answer.success:   # not silent for long enough
                graph.do('discard')
            return 'joint_states: ' in answer.message
        wait_for(is_missed, 'a silent topic')
        assert names(tmp_path / 'out') == ['.trash']


def test_an_instruction_is_needed(tmp_path):
    """Catches an episode that nobody can learn from, as it doesn't say what was to be done."""
    with recorder_graph(tmp_path, ready=False) as graph:
        graph.source.say('  ')
        graph.wait_for_more()
        wait_for(lambda: graph.count('instruction'), 'the instruction')
        assert 'no instruction' in graph.refused('start')
        assert 'no instruction' in graph.refused('keep')
        graph.source.say('')
        assert 'nothing to discard' in graph.refused('discard')


def test_discard_and_redo(tmp_path):
    """Catches a take that is deleted, and one that is counted twice or not at all."""
    with recorder_graph(tmp_path) as graph:
        first = graph.do('start')
        graph.wait_for_more()
        assert graph.do('redo') == first
        graph.wait_for_more()
        graph.do('failure')
        second = graph.do('start')
        assert second.endswith('episode_0001')
        assert graph.do('discard') == f'moved to {tmp_path}/out/.trash/episode_0001.partial'
        assert graph.do('redo') == first    # the last one that was finished
        graph.wait_for_more()
        graph.do('stop')
        assert dict(+graph.session.ended.counts) == {'discarded': 3, 'unknown': 1}
    assert names(tmp_path / 'out') == ['.trash', 'episode_0000']
    assert names(tmp_path / 'out' / '.trash') == [
        'episode_0000', 'episode_0000.partial', 'episode_0001.partial']


def test_what_happened_before_can_be_kept(tmp_path):
    """Catches a memory that isn't there when it is wanted, or without what was said."""
    with recorder_graph(tmp_path) as graph:
        wait_for(lambda: graph.session.intake.ring.length_s > 0.3, 'something to remember')
        path = graph.do('keep')
        graph.do('start')
        assert 'recording is on' in graph.refused('keep')
        graph.wait_for_more()
        graph.do('stop')
    info, recorded = read_info(path), list(read_messages(path))
    assert info.instruction == SENTENCE and info.health['verdict'] == 'good', info.health
    assert {topic for topic, _, _ in recorded} == {*STREAMS, 'instruction'}
    assert recorded[-1][1] - recorded[0][1] > 0.2 * 10**9
    after = min(time_ns for _, time_ns, _ in read_messages(tmp_path / 'out' / 'episode_0001'))
    assert recorded[-1][1] <= after   # no moment is in two episodes


def test_names(tmp_path):
    """Catches an episode that is overwritten, or written where nobody wants it."""
    with recorder_graph(tmp_path, episode_name='mine') as graph:
        graph.do('start')
        graph.do('success')
        assert 'exists already' in graph.refused('start')
        for name in ('../mine', '/tmp/mine', 'a/b', '.mine'):
            graph.recorder.set_parameters([Parameter('episode_name', value=name)])
            assert 'is not the name of an episode' in graph.refused('start')
        graph.recorder.set_parameters([Parameter('episode_name', value='yours')])
        graph.do('start')
    assert names(tmp_path / 'out') == ['mine', 'yours']
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'out', 'robot.yaml', 'topics.yaml']


def test_instructions_begin_and_end_episodes(tmp_path):
    """Catches a policy run that isn't recorded, or goes on into the next task."""
    with recorder_graph(tmp_path, ready=False, automatic=True) as graph:
        folder = tmp_path / 'out'

        def record(text):
            graph.source.say(text)
            wait_for(lambda: graph.session.recording is not None
                     and graph.session.recording.instruction == text, f'{text} to be recorded')
            graph.wait_for_more()
        record('one')
        record('two')
        graph.do('success')
        graph.source.say('two')
        graph.source.say('')
        record('two')
        graph.source.say('')
        wait_for(lambda: len(list(folder.glob('episode_????'))) == 3, 'three episodes')
    infos = [read_info(path) for path in find_episodes(folder)]
    assert [(info.instruction, info.outcome) for info in infos] == [
        ('one', 'unknown'), ('two', 'success'), ('two', 'unknown')]


def test_a_takeover_is_an_intervention(tmp_path):
    """Catches a correction that is taken for the policy's own."""
    with recorder_graph(tmp_path) as graph:
        takeover = graph.client.create_publisher(Bool, 'takeover', LATCHED_QOS)
        command = graph.client.create_publisher(JointTrajectory, 'joint_trajectory', COMMAND_QOS)
        wait_for(lambda: takeover.get_subscription_count() and command.get_subscription_count(),
                 'the recorder to listen')
        graph.do('start')
        takeover.publish(Bool(data=True))
        wait_for(lambda: graph.session.live.is_taken_over, 'the takeover')
        command.publish(JointTrajectory(joint_names=list(ROBOT.joint_names)))
        graph.wait_for_more('joint_trajectory', count=0)
        takeover.publish(Bool(data=False))
        wait_for(lambda: not graph.session.live.is_taken_over, 'the end of the takeover')
        path = graph.do('success')
    info = read_info(path)
    [(from_ns, to_ns)] = info.interventions
    [commanded_ns] = [time_ns for topic, time_ns, _ in read_messages(path)
                      if topic == 'joint_trajectory']
    assert info.source == 'teleoperation' and from_ns < commanded_ns < to_ns
