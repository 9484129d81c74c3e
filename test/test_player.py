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

"""Recordings played over DDS: what arrives, when, and how far a policy is by then."""

from contextlib import contextmanager
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import threading

from graph import rclpy, spinning, wait_for

# isort: split
from bags import LATCHED, message, SENSOR, START_NS, STARTED, STEP_NS, storage
from policy_graph import make_policy, SUCCESS
import pytest
from rosgraph_msgs.msg import Clock
from std_msgs.msg import String

from trimodal_ros.nodes.bag_player import Paced, play_bag, Stepped
from trimodal_ros.nodes.follower import Follower, FollowError, Stopped
from trimodal_ros.nodes.playback import Pace, Playback
from trimodal_ros.nodes.ros import HEAR_ALL_QOS, now_ns
from trimodal_ros.observe.stamp import stamp_ns
from trimodal_ros.record.episode import EpisodeError
from trimodal_ros.record.playing import check_names, choose_topics, is_sensor, played
from trimodal_ros.record.reader import read_raw
from trimodal_ros.record.writer import EpisodeWriter

SOON = threading.Event()   # never set


# -- what is played


@pytest.mark.parametrize('name, type_name, expected', [
    ('/front/image_raw/compressed', 'sensor_msgs/msg/CompressedImage', True),
    ('instruction', 'std_msgs/msg/String', True), ('words', 'std_msgs/msg/String', False),
    ('joy', 'sensor_msgs/msg/Joy', False), ('leader/joint_states', 'sensor_msgs/msg/JointState',
                                            False),
    ('takeover', 'std_msgs/msg/Bool', False), ('emergency_stop', 'std_msgs/msg/Bool', False),
    ('joint_trajectory', 'trajectory_msgs/msg/JointTrajectory', False)])
def test_commands_are_no_sensors(name, type_name, expected):
    """Catches a recording that moves an arm, stops one, or takes one over."""
    assert is_sensor(name, type_name) is expected


def test_topics_named_are_played_and_nothing_else(episodes):
    """Catches commands played beside what was asked for, and a misspelt topic that isn't told."""
    path = episodes / 'seed_0'
    assert {topic.name for topic in choose_topics(path)} == {
        'front/image_raw', 'wrist/image_raw', 'joint_states', 'instruction'}
    [topic] = choose_topics(path, ['joint_trajectory'])
    assert topic.type_name == 'trajectory_msgs/msg/JointTrajectory'
    with pytest.raises(EpisodeError, match='seed_0: none of nonsense among its topics: demonst'):
        choose_topics(path, ['nonsense'])
    with pytest.raises(EpisodeError, match='topics nonsense are in none of the bags, which have'):
        check_names([path], ['nonsense', 'instruction'])


@pytest.mark.parametrize('profiles, expected', [
    ([], (False, False, 10)), ([SENSOR], (False, False, 5)), ([LATCHED], (True, True, 1)),
    ([SENSOR, LATCHED], (False, False, 5))])
def test_offered_is_what_every_publisher_offered(profiles, expected):
    """Catches a player that promises more than a subscriber got when it was recorded."""
    from trimodal_ros.record.qos import qos_dicts
    topic = played(Path('bag'), 'x', 'sensor_msgs/msg/Image', qos_dicts(profiles))
    assert topic[2:] == expected
    with pytest.raises(EpisodeError, match="bag, topic 'x': unreadable QoS"):
        played(Path('bag'), 'x', 'sensor_msgs/msg/Image', [{'history': 1}])


def test_time_goes_on_at_a_rate_and_stands_still():
    """Catches time that runs on while it is paused, or jumps when it goes on."""
    machine_ns = [0]
    pace = Pace(2.0, lambda: machine_ns[0])
    pace.begin(100)
    machine_ns[0] = 10
    assert pace.now_ns == 120
    pace.pause(True)
    machine_ns[0] = 50
    assert pace.now_ns == 120
    pace.pause(False)
    machine_ns[0] = 60
    assert pace.now_ns == 140 and pace.left_s(140 + 2_000_000_000) == pytest.approx(1.0)


# -- over DDS


class Ear(rclpy.node.Node):
    """Hears words and the clock, in order."""

    def __init__(self):
        super().__init__('ear')
        self.words, self.times_ns = [], []
        self.create_subscription(String, 'instruction', self._hear, HEAR_ALL_QOS)
        self.create_subscription(Clock, '/clock', lambda told: self.times_ns.append(
            stamp_ns(told.clock)), HEAR_ALL_QOS)

    def _hear(self, said) -> None:
        self.words.append(int(said.data.split()[0]))


def write_words(path: Path, count: int = 20, first_ns: int = START_NS) -> Path:
    writer = EpisodeWriter(path, STARTED, 'none', sync_s=1e6)
    writer.add_topic('instruction', 'std_msgs/msg/String', [LATCHED])
    writer.add_topic('takeover', 'std_msgs/msg/Bool')
    for number in range(count):
        writer.write('instruction', first_ns + number * STEP_NS, message(number))
        writer.write('takeover', first_ns + number * STEP_NS, b'\0\1\0\0\1')
    return writer.close(STARTED)


@contextmanager
def heard():
    """Spin an ear and a node to play on, once they have met."""
    ear, node = Ear(), rclpy.create_node('plays')
    with spinning(ear, node):
        yield ear, node


def test_what_was_recorded_comes_as_it_was_and_in_its_time(ros, tmp_path):
    """Catches messages lost, repeated or played before their time, and takeovers played."""
    path = write_words(tmp_path / 'words')
    with heard() as (ear, node):
        playback = Playback(node)
        playback.open(path)
        wait_for(lambda: not playback.unheard(), 'the ear')
        play_bag(path, Paced(playback, 5.0, SOON))
        wait_for(lambda: len(ear.words) == 20, 'all words')
        last_ns = START_NS + 19 * STEP_NS
        wait_for(lambda: ear.times_ns and ear.times_ns[-1] == last_ns, 'the time of the last')
        assert ear.words == list(range(20)) and ear.times_ns == sorted(ear.times_ns)
        assert not node.count_publishers('takeover')
        assert playback.published == {'/instruction': 20}


def test_bag_that_ends_in_the_middle_is_named(ros, tmp_path):
    """Catches a player that takes a torn recording for a whole one."""
    path = write_words(tmp_path / 'words')
    os.truncate(storage(path), storage(path).stat().st_size // 2)
    with heard() as (_, node):
        with pytest.raises(EpisodeError, match=f'{path}.*damaged'):
            play_bag(path, Paced(Playback(node), 5.0, SOON))


def test_player_ends_at_once_while_paused(ros, tmp_path):
    """Catches Ctrl-C that waits for somebody to go on."""
    path, stop = write_words(tmp_path / 'words'), threading.Event()
    with heard() as (_, node):
        player = Paced(Playback(node), 1.0, stop)
        player.pause(True)
        ended = []

        def play():
            try:
                play_bag(path, player)
            except Stopped:
                ended.append(True)
        thread = threading.Thread(target=play)
        thread.start()
        stop.set()
        thread.join()
        assert ended


# -- in steps


@contextmanager
def stepping(checkpoint, path, **values):
    """Spin a policy, inactive, that rehearses; yield it and a player that steps with it."""
    policy = make_policy(checkpoint, use_sim_time=True, dry_run=True, frozen_camera_s=0.0,
                         **values)
    node, decisions = rclpy.create_node('plays'), []
    with spinning(policy, node):
        assert policy.trigger_configure() == SUCCESS
        report = policy.report

        def noting(decision, told):
            decisions.append((decision.observation.stamp_ns, now_ns(policy)))
            report(decision, told)
        policy.report = noting
        playback = Playback(node)
        playback.open(path)
        wait_for(lambda: not playback.unheard(), 'the policy')
        follower = Follower(node, policy.get_name(), SOON)
        yield policy, Stepped(playback, follower, SOON, policy.trigger_activate), decisions


def test_step_waits_for_every_decision(ros, moving_checkpoint, episodes):
    """Catches an image that is overtaken by the next, and a decision at another time than its
    image came.
    """
    path = episodes / 'seed_0'
    with stepping(moving_checkpoint, path) as (policy, player, decisions):
        play_bag(path, player)
        assert player.progress.decisions == len(decisions)
        assert player.progress.taken['/front/image_raw'] == 12
    images_ns = [recorded.received_ns for recorded in read_raw(path, ['wrist/image_raw'])]
    # On the first one it is activated and reads what it is told.
    assert decisions == [(stamp, stamp) for stamp in images_ns[1:]]


def test_policy_holds_and_goes_on_when_a_bag_begins_again(ros, moving_checkpoint, episodes):
    """Catches a loop in which the policy decides in the first round only, or on the last one's
    images.
    """
    path = episodes / 'seed_0'
    with stepping(moving_checkpoint, path) as (policy, player, decisions):
        play_bag(path, player)
        first, told = list(decisions), []
        tell, policy.tell = policy.tell, lambda *words: (told.append(words[1]), tell(*words))
        play_bag(path, player)
        assert player.progress.active
    again = decisions[len(first):]
    assert any(line.startswith('holding: clock jumped back') for line in told)
    assert len(again) >= len(first) - 4   # three good ones end the hold
    assert set(again) <= set(first)


def test_policy_that_goes_by_another_clock_is_named(ros, moving_checkpoint, episodes):
    """Catches a player that waits for ever, without a word."""
    path = episodes / 'seed_0'
    policy, node = make_policy(moving_checkpoint, dry_run=True), rclpy.create_node('plays')
    with spinning(policy, node):
        follower = Follower(node, policy.get_name(), SOON, patience_s=1.0)
        with pytest.raises(FollowError, match='is not configured: ros2 lifecycle set it'):
            follower.begin({})
        assert policy.trigger_configure() == SUCCESS
        player = Stepped(Playback(node), follower, SOON, lambda: None)
        with pytest.raises(FollowError, match='start it with -p use_sim_time:=true'):
            play_bag(path, player)


# -- as a program


def run(*arguments):
    return subprocess.run([sys.executable, '-m', 'trimodal_ros.nodes.player',
                           *map(str, arguments)], capture_output=True, text=True, check=False)


def test_program_plays_the_bags_that_it_can(tmp_path):
    """Catches a bad bag that ends all, or that nobody is told of."""
    write_words(tmp_path / 'a'), write_words(tmp_path / 'c', first_ns=START_NS - 10**9)
    bad = shutil.copytree(tmp_path / 'a', tmp_path / 'b')
    storage(bad).unlink()
    ended = run(tmp_path, '--rate', 10, '--wait-s', 0)
    assert ended.returncode == 1 and f'error: {bad}' in ended.stderr, ended.stderr
    assert 'c: 100%' in ended.stderr and 'Traceback' not in ended.stderr


@pytest.mark.parametrize('arguments, told', [
    ([], 'no bags'), (['/no/such/bags'], 'is not a directory'),
    (['BAGS', '--rate', '0'], 'rate: 0.0, expected more than 0'),
    (['BAGS', '--topics', 'nonsense'], 'topics nonsense are in none of the bags')])
def test_what_cannot_be_played_is_one_line(tmp_path, arguments, told):
    """Catches a traceback where a path or a number is wrong."""
    from trimodal_ros.nodes.player import main
    write_words(tmp_path / 'words')
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path) if word == 'BAGS' else word for word in arguments])
    assert ended.value.code.startswith('error: ') and told in ended.value.code


def test_interrupt_ends_a_loop_without_a_word(tmp_path):
    """Catches a player that can't be ended, or that dies with a traceback."""
    write_words(tmp_path / 'words')
    process = subprocess.Popen(
        [sys.executable, '-m', 'trimodal_ros.nodes.player', str(tmp_path), '--loop', '--wait-s',
         '0', '--rate', '20'], stderr=subprocess.PIPE, text=True)
    lines = []
    while sum('100%' in line for line in lines) < 2:   # rounds
        lines.append(process.stderr.readline())
        assert process.poll() is None, lines
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and 'Traceback' not in errors
