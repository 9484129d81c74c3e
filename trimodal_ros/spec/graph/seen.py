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

"""What was seen of a graph in a few seconds, without ROS: topics, messages, parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from ..robot import NS_PER_S

IMAGES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
JOINT_STATE = 'sensor_msgs/msg/JointState'
TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory'
JOINT_STATES, INSTRUCTION, DESCRIPTION = 'joint_states', 'instruction', 'robot_description'
CONTROLLER_STATE = 'controller_state'   # below a controller's name, sent while it is active


@dataclass(frozen=True)
class Endpoint:
    """A publisher or subscriber of a topic; ``node`` with its namespace."""

    node: str
    type: str
    reliable: bool = True
    latched: bool = False


@dataclass
class Stream:
    """
    What came on a topic.

    ``size_px`` (width, height) and ``encoding`` are of the newest image, ``positions`` of each
    joint as it came last, ``order`` how the newest message names them; ``fault`` says why the
    newest one can't be used.
    """

    received_ns: list[int] = field(default_factory=list)
    stamps_ns: list[int] = field(default_factory=list)
    size_px: tuple[int, int] | None = None
    encoding: str = ''
    positions: dict[str, float] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    fault: str = ''

    @property
    def rate_hz(self) -> float | None:
        """
        Messages a second, by receipt; None where there are too few to tell.

        >>> Stream(received_ns=[0, 100_000_000, 200_000_000]).rate_hz
        10.0
        """
        times = self.received_ns
        if len(times) < 3 or times[-1] <= times[0]:
            return None
        return (len(times) - 1) * NS_PER_S / (times[-1] - times[0])

    @property
    def age_s(self) -> float:
        """Median time from stamp to receipt; negative for stamps in the future."""
        return median((received - stamp) / NS_PER_S for received, stamp in
                      zip(self.received_ns, self.stamps_ns))


@dataclass
class Seen:
    """
    A graph as it was for ``seconds``; topics by the names of the YAML, all others by their own.

    ``found`` has every topic on the graph by its full name, with its type. ``parameters`` are
    those of the nodes that subscribe to trajectories, None for one that didn't answer. ``active``
    tells whether such a node sent its state; one whose state can't be listened to is not in it.
    """

    seconds: float
    publishers: Mapping[str, Sequence[Endpoint]] = field(default_factory=dict)
    subscribers: Mapping[str, Sequence[Endpoint]] = field(default_factory=dict)
    streams: Mapping[str, Stream] = field(default_factory=dict)
    parameters: Mapping[str, Mapping | None] = field(default_factory=dict)
    found: Mapping[str, str] = field(default_factory=dict)
    description: str = ''
    namespace: str = '/'
    active: Mapping[str, bool] = field(default_factory=dict)

    def relative(self, topic: str) -> str:
        """
        Return a topic as a YAML names it: so that it moves with the namespace, if it is in it.

        >>> Seen(1.0).relative('/front/image_raw'), Seen(1.0, namespace='/left').relative('/a/b')
        ('front/image_raw', '/a/b')
        """
        return topic.removeprefix(self.namespace.rstrip('/') + '/')

    def of_type(self, *types: str) -> list[str]:
        """Return the topics on the graph that have one of these types."""
        return sorted(topic for topic, kind in self.found.items() if kind in types)
