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

"""
What crosses rooms: the robot, what it observes and the motion it is to make.

A robot is a URDF and one YAML: ``robot_file.py`` reads it,
doc/reference/robot.md has every key of it.
"""

from .camera import CameraSpec
from .controller import ControllerSpec
from .errors import SpecError
from .gripper import Binary, Finger
from .joint import JointSpec
from .observation import Observation
from .robot import NS_PER_S, RobotSpec
from .trajectory import Trajectory

__all__ = ['Binary', 'CameraSpec', 'ControllerSpec', 'Finger', 'JointSpec', 'NS_PER_S',
           'Observation', 'RobotSpec', 'SpecError', 'Trajectory']
