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

"""What a live node decides, and what offline replay of its recording says: the same bits."""

from pathlib import Path

from conftest import so101_yaml
from graph import call, overrides, spinning, wait_for
import numpy as np
import rclpy
from std_srvs.srv import Trigger

from trimodal_ros.evaluate.replay.recording import Recording
from trimodal_ros.evaluate.replay.station import Settings
from trimodal_ros.nodes.recorder import RecorderNode
from trimodal_ros.plan.batch import BatchPlanner
from trimodal_ros.plan.checkpoint import load_checkpoint

DECISIONS = 14
LEAST = 3            # a machine that stands still loses some images on the way to the recorder,
SHARE = 0.5          # and hears of a command later than it was sent, when an image was taken
EVERY_IMAGE_S = 0.01


class Noting(BatchPlanner):
    """Keeps what was thought about, and what came of it."""

    def __init__(self, policy):
        super().__init__(policy)
        self.planned = {}

    def think(self, observations, swapped=None):
        thoughts = super().think(observations, swapped)
        self.planned.update((each.stamp_ns, (each, thought.planned))
                            for each, thought in zip(observations, thoughts))
        return thoughts


def planned_live(policy) -> list:
    """Let a policy node note what it plans from, and what."""
    pilot, seen = policy.commander.pilot, []
    plan = pilot.planner

    def noting(observation):
        planned = plan(observation)
        seen.append((observation, planned))
        return planned
    pilot.planner = noting
    return seen


def is_same(node, bag) -> bool:
    """Tell whether two observations are the same to the last bit."""
    return (node.instruction == bag.instruction and node.stamps_ns == bag.stamps_ns
            and np.array_equal(node.position_J, bag.position_J)
            and np.array_equal(node.command_J, bag.command_J)
            and all(np.array_equal(node.images[name], bag.images[name]) for name in node.images))


def test_live_node_and_offline_replay_plan_the_same_bits(
        commanding, moving_checkpoint, so101, tmp_path):
    """Catches commands, images or joints that a recording tells otherwise, and sums that do."""
    driver, policy = commanding
    recorder = RecorderNode(parameter_overrides=overrides(out=tmp_path, robot=so101_yaml()))
    client = rclpy.create_node('client')
    with spinning(recorder, client):
        wait_for(lambda: call(client, Trigger, 'recorder/start').success, 'recording')
        seen = planned_live(policy)
        wait_for(lambda: len(seen) >= DECISIONS, 'decisions')
        path = call(client, Trigger, 'recorder/stop').message
    planner = Noting(load_checkpoint(moving_checkpoint))
    replayed = {decision.stamp_ns: decision for _, decision in Recording(Path(path), so101).replay(
        [planner], Settings(EVERY_IMAGE_S))}
    assert planner.is_exact and replayed
    both = [(observation, planned, *planner.planned[planned.stamp_ns])
            for observation, planned in list(seen) if planned.stamp_ns in planner.planned]
    same = [(planned, replay) for node, planned, bag, replay in both if is_same(node, bag)]
    assert len(same) >= max(LEAST, SHARE * len(both))
    for planned, replay in same:
        assert np.array_equal(planned.position_TJ, replay.position_TJ)
        assert planned.alignment == replay.alignment
        if planned.stamp_ns in replayed:
            assert np.array_equal(planned.position_TJ, replayed[planned.stamp_ns].planned_TJ)
