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
What a replay comes to: the content of its JSON, and what its page is made of.

``doc/how-to/replay.md`` describes every field. Plain data but for the classes: ``to_json``
of a Result has no NaN; None stands for what could not be measured. Sizes are bounded whatever the
recordings'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
import math
from typing import Literal

from .catalogue import MEASURES, PRIMARY

VERSION = 2
Bound = Literal['min', 'max', 'not_worse', 'margin']
Verdict = Literal['better', 'worse', 'no difference shown']


@dataclass(frozen=True)
class Figure:
    """
    One measure: over all, and where it has such parts by joint name and by step of the chunk.

    ``count`` is how many values it is the mean of; ``value`` is None where there is none.
    """

    value: float | None
    count: int
    joint: Mapping[str, float | None] = field(default_factory=dict)
    step: tuple[float | None, ...] = ()


Figures = Mapping[str, Figure]   # by the names of catalogue.MEASURES; others were not measured


@dataclass(frozen=True)
class Compared:
    """A measure beside the baseline's: the paired difference with its 95 % interval."""

    value: float | None
    baseline: float | None
    difference: float | None
    low: float | None
    high: float | None
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """
    Two checkpoints on the same moments.

    ``verdict`` is that of the measure PRIMARY. ``clusters`` are what is drawn again and again for
    the intervals: ``resampled`` is 'episodes' or, where there are too few, 'stretches of 10 s'.
    """

    verdict: Verdict
    resampled: str
    clusters: int
    measures: Mapping[str, Compared]
    primary: str = PRIMARY


@dataclass(frozen=True)
class Curves:
    """
    An episode for the eye, all lists of one length.

    Where it is long a list has the smallest and the largest of each group of steps, in the order
    they came, so what is at one place may be of neighbouring steps.

    ``time_s`` counts from the first message. At the steps of the chunk ``recorded`` is what was
    commanded and ``planned`` what the policy planned at its newest decision, by joint in its
    unit; ``baseline`` is the other policy's, empty without one.
    """

    time_s: tuple[float, ...] = ()
    recorded: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    planned: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    baseline: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """
    The decisions of an episode, all lists of one length.

    Where it is long, of neighbours only one that was not sent, or the one furthest off.

    ``stamp_ns`` points at the frames. ``error_rad`` is the mean over the chunk, ``status`` is
    'commanded', 'refused' or 'late'.
    """

    stamp_ns: tuple[int, ...] = ()
    time_s: tuple[float, ...] = ()
    status: tuple[str, ...] = ()
    error_rad: tuple[float | None, ...] = ()
    image_sentence: tuple[float | None, ...] = ()
    scene_motion: tuple[float | None, ...] = ()
    scene_recorded: tuple[float | None, ...] = ()
    age_ms: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Moment:
    """
    A moment worth a look: the frames of ``episode`` at ``stamp_ns`` show it.

    ``measure`` is by what it is bad, ``why`` says it in words, with numbers. ``joint`` is the one
    it is due to most, '' for none, and ``planned`` the whole plan of that moment for it, by step.
    """

    episode: str
    instruction: str
    stamp_ns: int
    time_s: float
    measure: str
    value: float
    why: str
    joint: str = ''
    planned: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Episode:
    """
    One recording. ``fault`` says why it could not be judged, or not to its end; '' if it could.

    ``start_ns`` is the receipt of its first message, ``dropped`` counts the moments that could
    not be decided on, by reason, ``refusals`` the refused plans.
    """

    path: str
    fault: str = ''
    instruction: str = ''
    outcome: str = ''
    start_ns: int = 0
    duration_s: float = 0.0
    decisions: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    refusals: Mapping[str, int] = field(default_factory=dict)
    figures: Figures = field(default_factory=dict)
    baseline: Figures = field(default_factory=dict)
    series: Series = Series()
    curves: Curves = Curves()


@dataclass(frozen=True)
class Histogram:
    """Counts between neighbouring ``edges``, one fewer than these; the last has all above."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Robot:
    """The robot, as far as the figures need it."""

    name: str
    joints: tuple[str, ...]
    units: Mapping[str, str]    # of each joint: 'rad', 'm' or 'percent'
    cameras: tuple[str, ...]
    rate_hz: float
    horizon: int


@dataclass(frozen=True)
class Passed:
    """
    A threshold and what was measured; ``measure`` may name a joint: 'action_error.elbow'.

    Of 'not_worse' and 'margin' ``value`` is by how much it is worse than the baseline, the lower
    and the upper end of the 95 % interval.
    """

    measure: str
    bound: Bound
    threshold: float
    value: float | None
    ok: bool

    @property
    def unit(self) -> str:
        return MEASURES[self.measure.partition('.')[0]].unit

    @property
    def allows(self) -> str:
        return 'at least' if self.bound == 'min' else 'at most'


@dataclass(frozen=True)
class Result:
    """
    All of a replay.

    ``checkpoint`` and ``baseline`` are content hashes, '' for none. ``settings`` are those of the
    run, by name. ``histograms`` are of times in ms by name. ``real_time`` is how many seconds of
    recording were judged in a second. ``still`` compares the action error with that of plans that
    never move, which stand in for the baseline.
    """

    checkpoint: str
    robot: Robot
    mode: Literal['offline', 'node', 'recorded']
    settings: Mapping[str, object]
    decisions: int
    duration_s: float
    figures: Figures
    instructions: Mapping[str, Figures]
    episodes: tuple[Episode, ...]
    worst: tuple[Moment, ...] = ()
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    thresholds: tuple[Passed, ...] = ()
    baseline: str = ''
    baseline_figures: Figures = field(default_factory=dict)
    comparison: Comparison | None = None
    still: Comparison | None = None
    real_time: float | None = None
    version: int = VERSION

    @property
    def faults(self) -> list[Episode]:
        """Recordings that could not be judged, or not to their end."""
        return [episode for episode in self.episodes if episode.fault]

    @property
    def failures(self) -> list[Passed]:
        """Thresholds that were passed, to the wrong side."""
        return [passed for passed in self.thresholds if not passed.ok]

    def to_json(self) -> dict:
        """Return plain data; what is not finite becomes None."""
        return _plain(asdict(self))


def _plain(value):
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

