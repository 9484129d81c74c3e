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

"""A window on the world when there is a display; nothing otherwise."""

from __future__ import annotations

import os

from .world import World

LOOK_AT_M = (0.18, 0.0, 0.06)
VIEW = (0.9, 140.0, -30.0)  # distance in m, azimuth and elevation in degrees


class NoViewer:
    """Stands in where there is no display."""

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass


def open_viewer(world: World, wanted: bool = True):
    """Return MuJoCo's passive viewer, or a NoViewer without a display or when not wanted."""
    if not wanted or not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        return NoViewer()
    from mujoco import viewer
    window = viewer.launch_passive(world.model, world.data, show_left_ui=False,
                                   show_right_ui=False)
    with window.lock():
        window.cam.lookat[:] = LOOK_AT_M
        window.cam.distance, window.cam.azimuth, window.cam.elevation = VIEW
    return window
