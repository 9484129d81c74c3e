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

"""Whose message on joint_trajectory it is, and what the controller makes of it."""

from dataclasses import replace

import numpy as np
import pytest

from trimodal_ros.command.message import to_message
from trimodal_ros.command.others import Others
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.record.moments import Replay
from trimodal_ros.spec import NS_PER_S, RobotSpec, SpecError, Trajectory


@pytest.fixture
def told():
    robot = RobotSpec.make_example()
    plan = Trajectory.make_example(robot)
    plan = replace(plan, velocity_TJ=np.zeros_like(plan.position_TJ))
    return Others(robot), plan


def test_own_message_is_known_and_another_is_not(told):
    """Catches a commander that takes what it has sent for somebody else's, or misses theirs."""
    others, plan = told
    own = to_message(plan, BAG_TYPES)
    others.note_own(own)
    other = to_message(replace(plan, stamp_ns=plan.stamp_ns + 1), BAG_TYPES)
    assert others.trajectory_of(other, plan.stamp_ns).stamp_ns == plan.stamp_ns + 1
    assert others.trajectory_of(to_message(plan, BAG_TYPES), plan.stamp_ns) is None
    assert others.trajectory_of(own, plan.stamp_ns) is not None  # sent once, heard twice


def test_lost_message_of_ones_own_does_not_confuse(told):
    """Catches a count of messages, which one that is lost would put out of step."""
    others, plan = told
    messages = [to_message(replace(plan, stamp_ns=plan.stamp_ns + number), BAG_TYPES)
                for number in range(3)]
    for message in messages:
        others.note_own(message)
    assert others.trajectory_of(messages[2], plan.stamp_ns) is None


@pytest.mark.parametrize('change, complaint', [
    ({'stamp_ns': 1}, 'was over'), ({'velocity': 0.1}, 'end at rest'),
    ({'names': ['a', 'b', 'c']}, 'is for joints')])
def test_what_the_controller_refuses_is_not_commanded(told, change, complaint):
    """Catches a bridge from, or training on, a motion that nobody plays."""
    others, plan = told
    message = to_message(plan, BAG_TYPES)
    if 'stamp_ns' in change:
        message.header.stamp.sec = 0
        message.header.stamp.nanosec = 1
    if 'velocity' in change:
        message.points[-1].velocities = np.full(3, change['velocity'])
    message.joint_names = change.get('names', message.joint_names)
    now_ns = plan.stamp_ns + NS_PER_S // 100
    with pytest.raises(SpecError, match=complaint):
        others.trajectory_of(message, now_ns)
    replay = Replay('bag', plan.robot)
    replay.feed('joint_trajectory', now_ns, message)
    assert not replay.pilot.commanded and replay.refused == {'joint_trajectory': 1}


def test_message_without_a_stamp_starts_now(told):
    """Catches a trajectory that is taken for one of 1970, and over."""
    others, plan = told
    message = to_message(replace(plan, stamp_ns=0), BAG_TYPES)
    assert others.trajectory_of(message, plan.stamp_ns).stamp_ns == plan.stamp_ns
