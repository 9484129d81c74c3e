"""Where config/, models/ and the like are: in the source tree, or installed by colcon."""

from __future__ import annotations

from pathlib import Path


def share_dir() -> Path:
    """
    Return the folder that holds ``config/``, ``launch/`` and ``models/``.

    That is the top of a clone, or ``share/trimodal_ros`` of an install prefix.
    """
    for parent in Path(__file__).resolve().parents:
        for folder in (parent, parent / 'share' / 'trimodal_ros'):
            if (folder / 'package.xml').is_file() and (folder / 'config').is_dir():
                return folder
    raise FileNotFoundError('config/ and models/ of trimodal_ros are neither beside the package '
                            'nor under share/trimodal_ros of its install prefix')
