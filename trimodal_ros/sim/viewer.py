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

from collections.abc import Callable
import os
import threading
import warnings

from .world import World

LOOK_AT_M = (0.18, 0.0, 0.06)
VIEW = (0.9, 140.0, -30.0)  # distance in m, azimuth and elevation in degrees
CLOSE_TIMEOUT_S = 5.0


class NoViewer:
    """Stands in where there is no display."""

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass


class Viewer:
    """MuJoCo's passive viewer; closed only when its threads are, or the process may crash."""

    def __init__(self, world: World):
        from mujoco import viewer
        others = set(threading.enumerate())
        self._window = viewer.launch_passive(world.model, world.data, show_left_ui=False,
                                             show_right_ui=False)
        self._threads = set(threading.enumerate()) - others
        with self._window.lock():
            camera = self._window.cam
            camera.lookat[:] = LOOK_AT_M
            camera.distance, camera.azimuth, camera.elevation = VIEW

    def sync(self) -> None:
        self._window.sync()

    def close(self) -> None:
        self._window.close()
        for thread in self._threads:
            thread.join(CLOSE_TIMEOUT_S)


def open_viewer(world: World, wanted: bool = True,
                say: Callable[[str], None] = print) -> Viewer | NoViewer:
    """
    Return a window on the world, or a NoViewer when it is not wanted or can't be opened.

    ``say`` is told why there is no window where there is a display.
    """
    if not wanted or not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        return NoViewer()
    trouble = _trouble_with_windows()
    if trouble:
        say(f'no window: {trouble}')
        return NoViewer()
    return Viewer(world)


def _trouble_with_windows() -> str:
    """
    Return why no window can be opened, '' when one can.

    Tried with a hidden one: where it can't open its own, MuJoCo's viewer ends the process.
    """
    import glfw
    with warnings.catch_warnings():
        warnings.simplefilter('error', glfw.GLFWError)
        try:
            if not glfw.init():
                return 'GLFW does not start'
            glfw.window_hint(glfw.VISIBLE, glfw.FALSE)
            glfw.destroy_window(glfw.create_window(64, 48, 'hidden', None, None))
        except glfw.GLFWError as error:
            return str(error)
        finally:
            glfw.terminate()
    return ''
