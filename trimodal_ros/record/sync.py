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

"""
How the streams of an episode go together, as the live node would have joined them.

By header stamp, as-of the camera; a moment is a complete set of images.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from .episode import EpisodeError, of_other_robot, read_info
from .moments import Replay
from ..observe.freshness import Freshness
from ..observe.observer import Joined
from ..spec import RobotSpec

PERCENTILES = {'p50': 50, 'p95': 95, 'max': 100}


@dataclass(frozen=True)
class Spread:
    """Percentiles of a time in ms."""

    p50: float
    p95: float
    max: float

    @classmethod
    def of(cls, values_ns: array) -> Spread | None:
        """
        Return them, or None of nothing.

        >>> Spread.of(array('q', [0, 1_000_000, 2_000_000]))
        Spread(p50=1.0, p95=1.9, max=2.0)
        """
        if not values_ns:
            return None
        values_ms = np.percentile(np.asarray(values_ns) / 1e6, list(PERCENTILES.values()))
        return cls(*(round(float(value), 3) for value in values_ms))


@dataclass(frozen=True)
class StreamSync:
    """
    One input, a camera by name or 'joints'.

    ``skew_ms`` is how far its stamps are from those of the moments it is joined into; ``age_ms``
    how long after its stamp the moment was complete; both None where there is no moment.
    """

    messages: int
    skew_ms: Spread | None
    age_ms: Spread | None


@dataclass(frozen=True)
class EpisodeSync:
    """
    An episode: ``moments`` that can be used, and how many are ``dropped``, by reason.

    ``refused``: messages, by topic, that could not be taken at all. ``fault``: what makes the
    episode unreadable from some point on; the figures are of what comes before.
    """

    path: str
    moments: int
    dropped: Mapping[str, int]
    refused: Mapping[str, int]
    streams: Mapping[str, StreamSync]
    fault: str = ''

    def to_json(self) -> dict:
        return asdict(self)


@dataclass
class _Times:
    skew_ns: array = field(default_factory=lambda: array('q'))
    age_ns: array = field(default_factory=lambda: array('q'))


def measure_sync(path: Path, robot: RobotSpec, freshness: Freshness | None = None) -> EpisodeSync:
    """Return how an episode's streams go together, or its fault; no image is decoded."""
    replay, dropped, fault = Replay(path, robot, freshness), Counter(), ''
    times = {name: _Times() for name in (*(c.name for c in robot.cameras), 'joints')}
    moments = 0
    try:
        info = read_info(path)
        for joined in replay.joined(0.0, dropped):
            moments += 1
            for name, stamp in _stamps(joined):
                times[name].skew_ns.append(abs(stamp - joined.stamp_ns))
                times[name].age_ns.append(replay.now_ns - stamp)
    except EpisodeError as error:
        fault = str(error)
    else:
        fault = '' if moments else of_other_robot(info, robot)
    counts = replay.observer.counts
    streams = {name: StreamSync(counts[name], Spread.of(each.skew_ns), Spread.of(each.age_ns))
               for name, each in times.items()}
    return EpisodeSync(str(path), moments, dict(dropped), dict(replay.refused), streams, fault)


def _stamps(joined: Joined) -> Iterator[tuple[str, int]]:
    for name, sample in joined.samples.items():
        yield name, sample.stamp_ns
    yield 'joints', joined.joint_stamp_ns


def describe_sync(episode: EpisodeSync) -> str:
    """Return an episode's figures as lines a person reads."""
    total = episode.moments + sum(episode.dropped.values())
    lines = [f'{episode.path}: {episode.moments} of {total} moments can be used']
    for name, stream in episode.streams.items():
        lines.append(f'  {name}: {stream.messages} messages, skew {_text(stream.skew_ms)}, '
                     f'age {_text(stream.age_ms)}')
    lines += [f'  dropped: {count}, {why}' for why, count in sorted(episode.dropped.items())]
    lines += [f'  unreadable: {count} messages on {topic!r}'
              for topic, count in sorted(episode.refused.items())]
    return '\n'.join([*lines, *([f'  fault: {episode.fault}'] if episode.fault else [])])


def _text(spread: Spread | None) -> str:
    return 'unknown' if spread is None else (
        f'p50 {spread.p50:.1f} p95 {spread.p95:.1f} max {spread.max:.1f} ms')
