"""Progress bars: live in a terminal, a line now and then in a log file."""

from __future__ import annotations

import sys

from tqdm import tqdm

LOG_EVERY_S = 15.0


def progress_bar(iterable=None, **options) -> tqdm:
    """Return a tqdm bar on standard error."""
    interval_s = 0.1 if sys.stderr.isatty() else LOG_EVERY_S
    return tqdm(iterable, mininterval=interval_s, maxinterval=max(10.0, interval_s), **options)
