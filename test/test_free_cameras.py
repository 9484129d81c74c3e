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

"""Which images belong together when cameras run freely, and how many came."""

import numpy as np
import pytest

from trimodal_ros.observe.observer import Observer
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.record.sensor_messages import image_message, joint_state_message

MS = 1_000_000


def fed(robot, *images) -> Observer:
    """Return an observer that has seen images, (camera, stamp in ms) each."""
    observer = Observer(robot)
    for index, (camera, stamp_ms) in enumerate(images):
        picture = np.full((8, 8, 3), index, np.uint8)
        observer.add_image(camera, image_message(picture, stamp_ms * MS, '', BAG_TYPES))
    observer.add_joints(joint_state_message(robot.joint_names, [0.0] * 6, [], 100 * MS,
                                            BAG_TYPES))
    return observer


@pytest.mark.parametrize('images, front_ms, wrist_ms', [
    ([('front', 100), ('wrist', 117), ('front', 133)], 133, 117),  # free: the newest
    ([('front', 100), ('wrist', 116), ('front', 133)], 133, 116),  # jitter changes nothing
    ([('front', 100), ('wrist', 100), ('front', 133)], 100, 100),  # triggered: those at once
    ([('front', 100), ('wrist', 108), ('front', 133)], 100, 108),  # plainly closer together
])
def test_newest_images_are_taken_unless_others_are_closer(so101, images, front_ms, wrist_ms):
    """Catches a decision on older images than need be, and a pair torn apart."""
    observation = fed(so101, *images).observe(140 * MS, lambda stamp: None)
    assert observation.stamps_ns['front'] == front_ms * MS
    assert observation.stamps_ns['wrist'] == wrist_ms * MS
    assert observation.stamp_ns == min(front_ms, wrist_ms) * MS


def test_what_came_is_counted_through_a_jump_of_the_clock(so101):
    """Catches a loss of frames that can't be seen since the count began anew."""
    observer = fed(so101, ('front', 100), ('front', 133), ('wrist', 117))
    observer.clear()
    assert observer.counts == {'front': 2, 'wrist': 1, 'joints': 1}
