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

"""How old an input may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..spec import RobotSpec


@dataclass(frozen=True)
class Freshness:
    """
    How old an input may be, in seconds, by its header stamp: the age budget.

    ``max_age_s`` goes for all inputs but those named in ``stream_max_age_s``: cameras by name and
    'joints'. ``camera_skew_s`` is how far cameras may part; ``frozen_s`` how long a camera may
    send the same pixels, 0 for ever.
    """

    max_age_s: float = 0.25      # of any input, when it is observed
    camera_skew_s: float = 0.05  # between the stamps of two cameras
    frozen_s: float = 0.5        # with the same pixels; 0 for ever
    # Maximum age of single inputs: cameras by name, and 'joints'.
    stream_max_age_s: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self):
        for name in ('max_age_s', 'camera_skew_s', 'frozen_s'):
            if not 0 <= getattr(self, name) < float('inf'):
                raise ValueError(f'{name}: {getattr(self, name)}, expected seconds, at least 0')

    def max_age_of(self, stream: str) -> float:
        return self.stream_max_age_s.get(stream, self.max_age_s)

    def check_streams(self, robot: RobotSpec) -> None:
        """Raise ValueError for a maximum age of an input the robot doesn't have."""
        known = [*(camera.name for camera in robot.cameras), 'joints']
        for stream in self.stream_max_age_s:
            if stream not in known:
                raise ValueError(f'stream_max_age_s: {stream!r} is not an input of {robot.name}; '
                                 f'known: {", ".join(known)}')
