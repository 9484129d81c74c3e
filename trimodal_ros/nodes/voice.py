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

"""A node's log: a line of its own for each level, and no flood of errors that begin alike."""

from __future__ import annotations

import time

EVERY_S = 1.0


class Voice:
    """Tells on a logger; not locked, a line more does no harm."""

    def __init__(self, logger):
        self._logger, self._told_at = logger, {}

    def tell(self, level: str, text: str) -> None:
        """Log 'info', 'warning', 'error'; 'throttled' ones that begin alike once a second."""
        if level.startswith('throttled'):
            about, now = text.split(':')[0], time.monotonic()
            if now - self._told_at.get(about, -EVERY_S) < EVERY_S:
                return
            self._told_at[about] = now
        if level == 'info':  # a line of its own for each: rclpy ties a line to its level
            self._logger.info(text)
        elif level.endswith('warning'):
            self._logger.warning(text)
        else:
            self._logger.error(text)
