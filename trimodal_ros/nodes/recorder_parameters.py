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

"""Parameters of the recorder: one row each, with range and description; what they amount to."""

from __future__ import annotations

from pathlib import Path

from rclpy.node import Node

from .robot_parameters import declare_numbers, declare_plain, declare_whole_numbers, optional
from .ros import parameter
from ..paths import share_dir
from ..record.selection import IMAGES
from ..record.settings import MB, Settings
from ..record.stream_health import Limits
from ..spec import RobotSpec

LIVE_TEXTS = {   # of the next episode
    'operator': ('', 'Who operates, for the metadata of the episodes'),
    'episode_name': ('', "Folder of the next episode; '' numbers them: episode_0000, ..."),
}
TEXTS = {
    'out': ('', 'Directory that gets one rosbag2 directory an episode'),
    'robot': ('', 'Robot YAML: which cameras to record'),
    'topics': ('', "YAML of what else to record, and what is asked of it; '' for the package's "
                   'config/recorder.yaml'),
    'images': ('raw', "Cameras: 'raw', 'compressed' as image_transport publishes them beside, or "
                      "'jpeg', the raw ones compressed here"),
    'compression': ('none', "Of the file's chunks: 'none', 'lz4' or 'zstd'"),
}
SWITCHES = {
    'automatic': (False, 'An instruction begins an episode, another or an empty one ends it'),
}
DEFAULTS = Settings(Path(), '')
NUMBERS = {   # default, least, most, description
    'max_loss_s': (1.0, 0.2, 60.0, 'What is older survives kill -9 and a power cut'),
    'alive_s': (1.0, 0.1, 60.0, 'A required topic that was silent for longer keeps an episode '
                                'from beginning; a latched one needs to have spoken once'),
    'ring_s': (DEFAULTS.ring_s, 0.0, 600.0, 'What ~/keep keeps: the last so many seconds; 0 for '
                                            'no memory of them'),
    'max_late_s': (Limits.max_late_s, 0.001, 60.0,
                   'From header stamp to receipt; more makes the episode bad'),
    'max_skew_s': (Limits.max_skew_s, 0.001, 60.0,
                   'How far a stream may be behind the newest stamp of the others'),
    'other_clock_s': (Limits.other_clock_s, 0.1, 3600.0,
                      'A stamp further behind its receipt is of another clock'),
    'frozen_camera_s': (Limits.frozen_camera_s, 0.0, 60.0,
                        'A camera that sends the same image for longer makes the episode bad; '
                        '0: may'),
    'max_repeated_share': (Limits.max_repeated_share, 0.0, 1.0,
                           'How many images may repeat the one before; more make it bad'),
}
WHOLE_NUMBERS = {
    'jpeg_quality': (DEFAULTS.jpeg_quality, 1, 100, "Of images 'jpeg'"),
    'jpeg_workers': (2, 1, 64, "Threads that compress images 'jpeg'"),
    'ring_mb': (DEFAULTS.ring_bytes // MB, 1, 100_000,
                'Memory of ring_s at most, in MB; with less the seconds are fewer'),
    'queue_mb': (DEFAULTS.queue_bytes // MB, 1, 100_000,
                 'What may wait for the disk, in MB; what comes then is dropped, and told'),
    'queue_messages': (DEFAULTS.queue_messages, 1, 10_000_000,
                       'How many messages may wait for the disk'),
    'min_free_mb': (DEFAULTS.floor_bytes // MB, 0, 10_000_000,
                    'Recording stops, and is refused, with less free on the disk, in MB'),
}
SYNC_MARGIN_S = 0.1   # of max_loss_s: the queue, and a sync that takes its time


def declare_parameters(node: Node) -> None:
    """Declare all of them; those of the next episode may change, the others are for good."""
    declare_plain(node, {**TEXTS, **SWITCHES}, read_only=True)
    declare_plain(node, LIVE_TEXTS)
    declare_numbers(node, NUMBERS, read_only=True)
    declare_whole_numbers(node, WHOLE_NUMBERS, read_only=True)


def read_settings(node: Node, robot: RobotSpec) -> Settings:
    """Return how to record; the folder exists then. Raises ValueError or OSError."""
    folder = Path(parameter(node, 'out'))
    folder.mkdir(parents=True, exist_ok=True)

    def value(name):
        return optional(node, name)
    limits = Limits(**{name: value(name) for name in (
        'max_late_s', 'max_skew_s', 'other_clock_s', 'frozen_camera_s', 'max_repeated_share')})
    return Settings(
        folder, robot.content_hash, (value('max_loss_s') - SYNC_MARGIN_S) / 2,
        value('compression'), value('queue_mb') * MB, value('queue_messages'), value('ring_s'),
        value('ring_mb') * MB, value('min_free_mb') * MB,
        value('jpeg_workers') if value('images') == IMAGES[-1] else 0, value('jpeg_quality'),
        limits, tuple(group.topic for group in robot.groups))


def topics_file(node: Node) -> Path:
    """Return the YAML that says what is recorded."""
    named = optional(node, 'topics')
    return Path(named) if named else share_dir() / 'config' / 'recorder.yaml'
