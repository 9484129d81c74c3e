"""builtin_interfaces/Time as integer nanoseconds."""

from __future__ import annotations

from ..spec import NS_PER_S


def stamp_ns(stamp) -> int:
    """Return the nanoseconds of a message's ``header.stamp``."""
    return stamp.sec * NS_PER_S + stamp.nanosec
