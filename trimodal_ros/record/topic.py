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

"""A topic as a bag knows it: type, definition and offered QoS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rosbags.interfaces import Qos

from .episode import EpisodeError
from .messages import TYPESTORE
from .qos import qos_text


@dataclass(frozen=True)
class Topic:
    """
    A channel of a bag.

    ``definition`` is the text of the type and of all it consists of, as MCAP's ``ros2msg``
    wants it; ``type_hash`` is RIHS01, or '' where it isn't known; ``qos`` is YAML.
    """

    name: str
    type_name: str
    qos: str
    definition: str
    type_hash: str = ''
    encoding: str = 'ros2msg'


def make_topic(name: str, type_name: str, qos: Sequence[Qos], definition: str | None = None,
               type_hash: str = '') -> Topic:
    """
    Return a topic; types of Jazzy's common interfaces need no ``definition``.

    Raises EpisodeError for another type without one.
    """
    if definition is None:
        if type_name not in TYPESTORE.types:
            raise EpisodeError(f'topic {name!r}: unknown message type {type_name!r}, and no '
                               'definition given; give the text of its .msg file')
        definition, _ = TYPESTORE.generate_msgdef(type_name, ros_version=2)
        type_hash = type_hash or TYPESTORE.hash_rihs01(type_name)
    return Topic(name, type_name, qos_text(qos), definition, type_hash)
