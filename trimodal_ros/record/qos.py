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

"""Quality of service that topics were offered with, in the words of rosbag2."""

from __future__ import annotations

from collections.abc import Sequence

from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2.metadata import dump_qos_v9
import yaml

UNSET = QosTime(sec=0, nsec=0)


def offered_qos(reliable: bool, latched: bool = False, depth: int = 1) -> Qos:
    """Return a profile that keeps the last ``depth``; ``latched`` is transient local."""
    return Qos(
        QosHistory.KEEP_LAST, depth,
        QosReliability.RELIABLE if reliable else QosReliability.BEST_EFFORT,
        QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        UNSET, UNSET, QosLiveliness.AUTOMATIC, UNSET, False)


RELIABLE = offered_qos(reliable=True)
LATCHED = offered_qos(reliable=True, latched=True)


def qos_dicts(profiles: Sequence[Qos]) -> list[dict]:
    """Return profiles as metadata.yaml has them from version 9 on."""
    return [dict(profile) for profile in dump_qos_v9(list(profiles))]


def qos_text(profiles: Sequence[Qos]) -> str:
    """Return profiles as an MCAP channel has them, in its metadata."""
    return yaml.safe_dump(qos_dicts(profiles), sort_keys=False)
