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

import numpy as np
import pytest

from trimodal_ros.spec import Observation, RobotSpec, SpecError, Trajectory


def test_yaml_with_unknown_key_is_refused(tmp_path):
    """Catches a misspelt key that would silently fall back to a default."""
    path = tmp_path / 'robot.yaml'
    path.write_text('robot: a\nrate: 10\nhorizon: 8\njoints: []\ncameras: {}\n')
    with pytest.raises(SpecError, match='rate_hz'):
        RobotSpec.from_yaml(path)


def test_file_that_is_not_yaml_is_named(tmp_path):
    """Catches a traceback from a bracket too many."""
    path = tmp_path / 'robot.yaml'
    path.write_text('robot: ]')
    with pytest.raises(SpecError, match='robot.yaml is not YAML'):
        RobotSpec.from_yaml(path)


def test_shipped_yaml_survives_a_checkpoint(so101):
    """Catches a field lost on the way through config.json."""
    assert RobotSpec.from_dict(so101.to_dict()) == so101


@pytest.mark.parametrize('change, complaint', [
    ({'position_J': [0.0, 0.0]}, 'shape'),
    ({'position_J': [0.0, np.nan, 0.0]}, "joint 'elbow' is nan"),
    ({'images': {}}, "camera 'front'"),
    ({'images': {'front': np.zeros((48, 64, 3), np.float32)}}, 'float32'),
])
def test_observation_refuses_what_the_policy_cannot_use(change, complaint):
    """Catches a border that lets a wrong shape, type or NaN through."""
    example = Observation.make_example()
    values = {'robot': example.robot, 'stamp_ns': 0, 'images': dict(example.images),
              'position_J': example.position_J, 'command_J': example.command_J,
              'instruction': ''}
    with pytest.raises(SpecError, match=complaint):
        Observation(**{**values, **change})


def test_observation_cannot_be_changed():
    """Catches a callback that would paint over an image while the policy looks at it."""
    observation = Observation.make_example()
    with pytest.raises(ValueError):
        observation.images['front'][0] = 0


@pytest.mark.parametrize('times, complaint', [
    ([], 'at least one'), ([0.1, 0.1], 'increasing'), ([0.1, np.nan], 'finite')])
def test_trajectory_times_are_checked(times, complaint):
    """Catches what the controller would refuse with one line in its log."""
    with pytest.raises(SpecError, match=complaint):
        Trajectory(RobotSpec.make_example(), 0, times, np.zeros((len(times), 3)))


def test_trajectory_names_the_joint_that_is_not_finite():
    """Catches a NaN on its way to the controller, which does not look."""
    with pytest.raises(SpecError, match="joint 'elbow' is nan"):
        Trajectory(RobotSpec.make_example(), 0, [0.1], [[0.0, np.nan, 0.0]])
