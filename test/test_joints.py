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

"""Joint states: values that can't be, and joints of several drivers on one topic."""

import numpy as np
import pytest

from trimodal_ros.observe.joints import decode_joints, JointStateError
from trimodal_ros.observe.observer import NotReady, Observer
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.record.sensor_messages import image_message, joint_state_message
from trimodal_ros.spec import NS_PER_S, RobotSpec

ROBOT = RobotSpec.make_example()


def joints(names, positions, stamp=0):
    return joint_state_message(names, positions, [], stamp, BAG_TYPES)


def seeing() -> Observer:
    """Return an observer that has an image and no joints."""
    observer, camera = Observer(ROBOT), ROBOT.cameras[0]
    observer.add_image(camera.name, image_message(
        np.zeros((camera.height, camera.width, 3), np.uint8), NS_PER_S, '', BAG_TYPES))
    return observer


def test_joints_are_read_by_name():
    """Catches positions taken in the order of the message."""
    seen = decode_joints(joints(['gripper', 'extra', 'shoulder', 'elbow'], [3, 9, 1, 2]), ROBOT)
    assert seen == {'shoulder': 1, 'elbow': 2, 'gripper': 3}


@pytest.mark.parametrize('names, positions, complaint', [
    (['shoulder', 'elbow', 'elbow', 'gripper'], [1, 2, 2, 3], 'more than once'),
    (['shoulder', 'elbow', 'gripper'], [1, np.nan, 3], "'elbow' is nan"),
    (['shoulder', 'elbow', 'gripper'], [1, 2], '3 names but 2'),
])
def test_unusable_joint_states_are_refused_by_name(names, positions, complaint):
    """Catches a value that can't be, read as one."""
    with pytest.raises(JointStateError, match=complaint):
        decode_joints(joints(names, positions), ROBOT)


def of_two_drivers() -> Observer:
    """Return what is fed by an arm's driver and by a gripper's that is a bit behind."""
    observer = seeing()
    for stamp in (NS_PER_S - 20_000_000, NS_PER_S):
        observer.add_joints(joints(['elbow', 'shoulder'], [stamp / NS_PER_S, 1.0], stamp))
        observer.add_joints(joints(['lamp'], [np.nan], stamp))
        observer.add_joints(joints(['gripper'], [stamp / NS_PER_S], stamp + 5_000_000))
    return observer


def test_joints_of_two_drivers_are_put_together():
    """Catches a robot that waits for one message with all joints, and a gripper seen too late."""
    seen = of_two_drivers().observe(NS_PER_S + 10_000_000, lambda stamp: None)
    assert seen.position_J.tolist() == [1.0, 1.0, 0.98]  # the newest gripper is after the image
    assert seen.stamps_ns['joints'] == NS_PER_S - 15_000_000


def test_joint_that_falls_out_is_named():
    """Catches a dead gripper hidden by an arm that is alive, and a joint read as zero."""
    observer = seeing()
    observer.add_joints(joints(['elbow', 'shoulder'], [1.0, 1.0], NS_PER_S))
    with pytest.raises(NotReady, match="joint_states: nothing yet of 'gripper'"):
        observer.check_alive(NS_PER_S)
    observer.add_joints(joints(['gripper'], [1.0], NS_PER_S - 200_000_000))
    with pytest.raises(NotReady, match="joint_states: joint 'gripper' stamped 0.300 s ago"):
        observer.check_alive(NS_PER_S + 100_000_000)


def test_wrong_joint_is_not_mended_by_another_driver():
    """Catches a gripper that says NaN, forgotten as soon as the arm speaks."""
    observer = of_two_drivers()
    with pytest.raises(JointStateError):
        observer.add_joints(joints(['gripper'], [np.nan], NS_PER_S))
    observer.add_joints(joints(['elbow', 'shoulder'], [1.0, 1.0], NS_PER_S))
    with pytest.raises(NotReady, match="unusable joint_states: joint_states: joint 'gripper' is"):
        observer.check_alive(NS_PER_S)
    observer.add_joints(joints(['gripper'], [0.5], NS_PER_S))
    observer.check_alive(NS_PER_S)
