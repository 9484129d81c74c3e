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

"""Messages larger than any robot sends are refused before much is done with them."""

from types import SimpleNamespace

import numpy as np
import pytest

from trimodal_ros.command.others import MAX_POINTS, Others
from trimodal_ros.command.stick import Mapping, MAX_CONTROLS, StickError
from trimodal_ros.observe.image import check_layout, ImageError, MAX_BYTES
from trimodal_ros.observe.instruction import (
    InstructionError,
    MAX_CHARACTERS,
    normalize_instruction,
)
from trimodal_ros.observe.joints import decode_joints, JointStateError, MAX_NAMES
from trimodal_ros.paths import share_dir
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.spec import SpecError
from trimodal_ros.spec.urdf_file import MAX_CHARACTERS as MAX_URDF, read_urdf


class Huge(bytes):
    """Data as long as it says, and no memory."""

    def __len__(self):
        return MAX_BYTES + 1


def test_images_are_bounded():
    """Catches an image of one pixel in rows of gigabytes, and a compressed one as large."""
    raw = SimpleNamespace(encoding='rgb8', height=1, width=1, step=MAX_BYTES + 1, data=Huge())
    for message in (raw, SimpleNamespace(format='jpeg', data=Huge())):
        with pytest.raises(ImageError, match=f'at most {MAX_BYTES} are taken'):
            check_layout(message, 'front')


def test_instructions_are_bounded():
    normalize_instruction('a' * MAX_CHARACTERS)
    with pytest.raises(InstructionError, match=f'at most {MAX_CHARACTERS}'):
        normalize_instruction('a' * (MAX_CHARACTERS + 1))


def test_joint_names_are_bounded(so101):
    """Catches a driver of a thousand joints that keeps the node from its watch."""
    def message(count):
        names = [f'joint_{index}' for index in range(count)]
        return SimpleNamespace(name=names, position=[0.0] * count)
    assert decode_joints(message(MAX_NAMES), so101) == {}
    with pytest.raises(JointStateError, match=f'at most {MAX_NAMES}'):
        decode_joints(message(MAX_NAMES + 1), so101)


def test_axes_and_buttons_are_bounded(so101):
    mapping = Mapping.from_yaml(share_dir() / 'config' / 'teleop.yaml', so101)
    mapping.read([0.0] * MAX_CONTROLS, [0] * MAX_CONTROLS)
    for axes, buttons in ((MAX_CONTROLS + 1, 20), (20, MAX_CONTROLS + 1)):
        with pytest.raises(StickError, match=f'at most {MAX_CONTROLS}'):
            mapping.read([0.0] * axes, [0] * buttons)


def test_urdfs_are_bounded():
    with pytest.raises(SpecError, match=f'at most {MAX_URDF}'):
        read_urdf('<robot>' + ' ' * MAX_URDF + '</robot>')


def test_trajectories_of_others_are_bounded(so101):
    """Catches a chunk of somebody else's that takes longer to read than it lasts."""
    point = BAG_TYPES.JointTrajectoryPoint(
        positions=np.zeros(6), velocities=np.zeros(0), accelerations=np.zeros(0),
        effort=np.zeros(0), time_from_start=BAG_TYPES.Duration(sec=1, nanosec=0))
    message = SimpleNamespace(header=BAG_TYPES.header(1, ''), points=[point] * (MAX_POINTS + 1),
                              joint_names=list(so101.joint_names))
    with pytest.raises(SpecError, match=f'{MAX_POINTS + 1} points, at most {MAX_POINTS}'):
        Others(so101).trajectory_of(message, 0)
