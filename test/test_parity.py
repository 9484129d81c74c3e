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

"""What the live policy node observed, and what the recorder's bag gives: the same."""

from conftest import so101_yaml
from graph import call, overrides, spinning, wait_for
import numpy as np
from policy_graph import SENTENCE
import rclpy
from std_srvs.srv import Trigger

from trimodal_ros.nodes.recorder import RecorderNode
from trimodal_ros.observe.freshness import Freshness
from trimodal_ros.record.episode import read_info
from trimodal_ros.record.moments import Replay
from trimodal_ros.record.reader import read_messages

DECISIONS = 12
LEAST = 3            # a machine that stands still loses some images on the way to the recorder
LATE = Freshness(max_age_s=60.0, camera_skew_s=60.0, frozen_s=0.0)  # of receipt, then
COMMAND_RAD = 0.1    # the arm goes 0.1 rad/s, and the recorder hears of it later


def observed_live(policy) -> list:
    """Let a policy node note what it plans from."""
    pilot, seen = policy.commander.pilot, []
    plan = pilot.planner

    def noting(observation):
        seen.append(observation)
        return plan(observation)
    pilot.planner = noting
    return seen


def images_of(observation) -> tuple:
    """Return which images an observation is of: of several at once the next may come first."""
    return tuple(sorted((name, observation.stamps_ns[name]) for name in observation.images))


def observed_in(path, robot, stamps) -> dict:
    """Return what could be observed while one of some images was the oldest, by its images."""
    replay, found = Replay(path, robot, LATE), {}
    for topic, time_ns, message in read_messages(path):
        replay.feed(topic, time_ns, message)
        if replay.observer.image_stamp_ns in stamps:
            observation = replay.observe()
            found[images_of(observation)] = observation
    return found


def joints_in(path, robot) -> dict:
    """Return what was measured, by stamp."""
    replay, measured = Replay(path, robot, LATE), {}
    for topic, time_ns, message in read_messages(path):
        replay.feed(topic, time_ns, message)
        newest = replay.observer.newest_joints(time_ns)
        if topic == 'joint_states' and newest is not None:
            measured[newest.stamp_ns] = newest.position_J
    return measured


def test_live_node_and_recorded_episode_observe_the_same(commanding, so101, tmp_path):
    """Catches training on other images, joints or commands than the robot decided on."""
    driver, policy = commanding
    recorder = RecorderNode(parameter_overrides=overrides(out=tmp_path, robot=so101_yaml()))
    client = rclpy.create_node('client')
    with spinning(recorder, client):
        wait_for(lambda: call(client, Trigger, 'recorder/start').success, 'recording')
        seen = observed_live(policy)
        wait_for(lambda: len(seen) >= DECISIONS, 'decisions')
        live = list(seen)
        path = call(client, Trigger, 'recorder/stop').message
    assert read_info(path).instruction == SENTENCE
    stored = observed_in(path, so101, {each.stamp_ns for each in live})
    both = [(each, stored[images_of(each)]) for each in live if images_of(each) in stored]
    assert len(both) >= LEAST
    measured = joints_in(path, so101)
    for node, bag in both:
        assert node.instruction == bag.instruction == SENTENCE
        for name in node.images:
            assert np.array_equal(node.images[name], bag.images[name])
        # Topics overtake each other: the newest joints not newer than the image may have come
        # to one of the two before the image and to the other after it.
        stamp = node.stamps_ns['joints']
        assert np.array_equal(node.position_J, measured.get(stamp, node.position_J))
        if stamp == bag.stamps_ns['joints']:
            assert np.array_equal(node.position_J, bag.position_J)
        assert np.abs(node.command_J - bag.command_J).max() < COMMAND_RAD
    assert any(node.stamps_ns == bag.stamps_ns for node, bag in both)
