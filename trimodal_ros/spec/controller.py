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

"""A controller that plays trajectories, and which of the robot's joints it has."""

from __future__ import annotations

from dataclasses import dataclass

TRAJECTORY_TOPIC = 'joint_trajectory'
TRAJECTORY_CONTROLLER = 'joint_trajectory_controller'   # as ros2_control's examples call it
CONTROLLER_RULES = {   # what decides which trajectories it accepts, as this package needs it
    'interpolate_from_desired_state': True, 'allow_nonzero_velocity_at_trajectory_end': False,
    'allow_partial_joints_goal': False}


@dataclass(frozen=True)
class ControllerSpec:
    """``joints``, by their names in the spec, are commanded by trajectories on ``topic``."""

    name: str
    topic: str
    joints: tuple[str, ...]

    def to_dict(self) -> dict:
        """Plain data."""
        return {**vars(self), 'joints': list(self.joints)}
