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

"""Progress bars: live in a terminal, a line now and then in a log file."""

from __future__ import annotations

import sys

from tqdm import tqdm

LOG_EVERY_S = 15.0


def progress_bar(iterable=None, **options) -> tqdm:
    """Return a tqdm bar on standard error."""
    interval_s = 0.1 if sys.stderr.isatty() else LOG_EVERY_S
    return tqdm(iterable, mininterval=interval_s, maxinterval=max(10.0, interval_s), **options)
