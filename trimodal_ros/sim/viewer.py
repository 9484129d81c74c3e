"""A window on the world when there is a display; nothing otherwise."""

from __future__ import annotations

import os

from .world import World


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
    return viewer.launch_passive(world.model, world.data, show_left_ui=False,
                                 show_right_ui=False)
