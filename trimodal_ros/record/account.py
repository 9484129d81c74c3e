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

"""What became of every image of one camera: used, passed over, or dropped for a reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ..observe.observer import NotReady
from ..spec import NS_PER_S

WAITS_NS = NS_PER_S     # for another camera's image, at most
ALONE = 'cameras: no image to go with it'


@dataclass
class _Image:
    stamp_ns: int
    received_ns: int
    why: str = ''


class Account:
    """Counts, in ``dropped``, the images that went into no moment, by reason."""

    def __init__(self, dropped: Counter[str]):
        self.dropped = dropped
        self._open: list[_Image] = []

    def came(self, stamp_ns: int, received_ns: int) -> None:
        """Note an image; the oldest that still waits is given up after a while."""
        while self._open and received_ns - self._open[0].received_ns > WAITS_NS:
            self._drop(self._open.pop(0))
        self._open.append(_Image(stamp_ns, received_ns))

    def failed(self, error: NotReady) -> None:
        """Note why nothing can be joined now."""
        for image in self._open:
            image.why = image.why or _reason(error)
        if self._open:
            self._open[-1].why = _reason(error)

    def joined(self, stamp_ns: int, is_used: bool) -> None:
        """Note which image was joined: those before it won't be, unless it was passed over."""
        before = [image for image in self._open if image.stamp_ns < stamp_ns]
        self._open = [image for image in self._open if image.stamp_ns > stamp_ns]
        for image in before:
            if is_used or image.why:
                self._drop(image)

    def end(self) -> None:
        for image in self._open:
            self._drop(image)
        self._open = []

    def _drop(self, image: _Image) -> None:
        self.dropped[image.why or ALONE] += 1


def _reason(error: NotReady) -> str:
    return error.what if error.fault in error.what else f'{error.what}: {error.fault}'
