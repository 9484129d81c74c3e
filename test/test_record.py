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

import os
from pathlib import Path
import signal
import subprocess
import sys

from mcap.reader import make_reader
import numpy as np
import pytest

from trimodal_ros.record.episode import EpisodeError, EpisodeInfo, find_episodes, read_info
from trimodal_ros.record.messages import BAG_TYPES, serialize
from trimodal_ros.record.moments import read_labelled
from trimodal_ros.record.qos import LATCHED
from trimodal_ros.record.reader import read_messages
from trimodal_ros.record.writer import EpisodeWriter
from trimodal_ros.spec.topics import LABEL_TOPIC

INFO = EpisodeInfo('put it there', 'hash', 'policy', 'success', paraphrases=('there',), seed=3,
                   operator='Ada', interventions=((5, 9),), health={'verdict': 'good'})


def write(path: Path) -> Path:
    writer = EpisodeWriter(path)
    writer.add_topic('instruction', 'std_msgs/msg/String', [LATCHED])
    writer.write('instruction', 5, serialize(BAG_TYPES.String(data='put it there')))
    return writer.close(INFO)


def test_episode_round_trip(tmp_path):
    """Catches metadata or bytes lost on the way to disk."""
    path = write(tmp_path / 'one')
    assert read_info(path) == INFO
    [(topic, time_ns, message)] = read_messages(path)
    assert (topic, time_ns, message.data) == ('instruction', 5, 'put it there')


def test_episode_opens_in_other_mcap_readers(tmp_path):
    """Catches an MCAP only this package can read; definitions must be inside."""
    path = write(tmp_path / 'one')
    with (path / 'one_0.mcap').open('rb') as file:
        [(schema, channel, message)] = make_reader(file).iter_messages()
    assert schema.name == 'std_msgs/msg/String' and b'string data' in schema.data
    assert channel.topic == 'instruction' and message.log_time == 5


def test_nothing_is_overwritten(tmp_path):
    write(tmp_path / 'one')
    with pytest.raises(EpisodeError, match='exists already'):
        EpisodeWriter(tmp_path / 'one')


def test_killed_recording_is_not_taken_for_an_episode(tmp_path):
    """Catches a half-written bag among the training data."""
    code = (
        'import os, signal, sys\n'
        'from pathlib import Path\n'
        'from trimodal_ros.record.writer import EpisodeWriter\n'
        'writer = EpisodeWriter(Path(sys.argv[1]))\n'
        'os.kill(os.getpid(), signal.SIGKILL)\n')
    ended = subprocess.run([sys.executable, '-c', code, str(tmp_path / 'torn')], check=False)
    assert ended.returncode == -signal.SIGKILL
    write(tmp_path / 'whole')
    assert find_episodes(tmp_path) == [tmp_path / 'whole']


def test_what_is_not_an_episode_is_named(tmp_path):
    with pytest.raises(EpisodeError, match='no episode'):
        find_episodes(tmp_path)
    with pytest.raises(EpisodeError, match='not a readable episode'):
        read_info(tmp_path)


def test_truncated_episode_is_named(tmp_path):
    """Catches a bag cut short that is read as a shorter one."""
    path = write(tmp_path / 'one')
    os.truncate(path / 'one_0.mcap', 100)
    with pytest.raises(EpisodeError, match='one'):
        list(read_messages(path))


def test_bag_and_live_observations_are_equal(simulated, so101, tmp_path):
    """Catches training on something else than what the robot will see."""
    from trimodal_ros.sim.demonstrate import record_episode
    lived = []

    def commander(observation):
        lived.append(observation)
        return None
    path = tmp_path / 'parity'
    record_episode(path, simulated, so101, 5, ['put the {object} on the {place}'], 'on-policy',
                   commander, max_steps=6)
    replayed = [moment.observation for moment in read_labelled(path, so101, LABEL_TOPIC)]
    assert len(replayed) == len(lived) == 6
    for live, bag in zip(lived, replayed):
        assert live.instruction == bag.instruction and dict(live.stamps_ns) == dict(bag.stamps_ns)
        assert np.array_equal(live.position_J, bag.position_J)
        assert np.array_equal(live.command_J, bag.command_J)
        for camera in live.images:
            assert np.array_equal(live.images[camera], bag.images[camera])


def test_demonstrated_commands_are_seen_from_the_bag(episodes, so101):
    """Catches command_J stuck at the measured joints when read from a bag."""
    moments = list(read_labelled(find_episodes(episodes)[0], so101, LABEL_TOPIC))
    lag = [np.abs(seen.command_J - seen.position_J).max()
           for seen in (moment.observation for moment in moments[1:])]
    assert max(lag) > 0.01
    assert moments[0].chunk_TJ.shape == (16, 6)
