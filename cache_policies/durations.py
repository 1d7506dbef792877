"""Durations as operators write them: 500ms, 30s, 5m, 12h, 7d."""

from __future__ import annotations

import re
from typing import Final

DURATION_MAX_S: Final = 10 * 365 * 86_400.0

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)")


def parse_duration(text: object) -> float:
    """Return seconds, to the millisecond. Raises ValueError with the accepted form."""
    if text == 0 and not isinstance(text, bool):
        return 0.0
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("a duration is a number with a unit: 500ms, 30s, 5m, 12h or 7d")
    seconds = round(float(match[1]) * _SECONDS[match[2]], 3)
    if seconds > DURATION_MAX_S:
        raise ValueError("longer than 3650d; write 3650d for ever")
    return seconds


def render_duration(seconds: float) -> str:
    """Return what `parse_duration` reads as `seconds`, in the largest unit that is whole."""
    for unit in ("d", "h", "m", "s"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:.0f}{unit}"
    return f"{seconds * 1000:.0f}ms" if seconds else "0s"
