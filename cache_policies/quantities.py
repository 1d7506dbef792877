"""Rates as operators write them: 100/s, 6000/m of requests; 40Mbit/s, 5MiB/s of bytes."""

from __future__ import annotations

import re
from typing import Final

PER_S_MAX: Final = 1e6
BPS_MAX: Final = 1e12

_OF_TIME: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0}
_BYTES: Final = {
    "bit": 1 / 8,
    "kbit": 125.0,
    "Mbit": 125e3,
    "Gbit": 125e6,
    "B": 1.0,
    "kB": 1e3,
    "MB": 1e6,
    "GB": 1e9,
    "KiB": 1024.0,
    "MiB": 1024.0**2,
    "GiB": 1024.0**3,
}
_RATE = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)/([smh])")
_BANDWIDTH = re.compile(rf"(\d{{1,13}}(?:\.\d{{1,6}})?)({'|'.join(_BYTES)})/s")


def parse_rate(text: object) -> float:
    """Return requests a second. Raises ValueError with the accepted form."""
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("a rate is a number in a time: 100/s, 600/m or 50/h")
    per_s = float(match[1]) / _OF_TIME[match[2]]
    if not 0.0 < per_s <= PER_S_MAX:
        raise ValueError("want more than 0 and at most 1000000/s")
    return per_s


def render_rate(per_s: float) -> str:
    """Return what `parse_rate` reads as `per_s`, in the shortest time in which it is whole."""
    for unit, seconds in _OF_TIME.items():
        if abs(per_s * seconds - round(per_s * seconds)) < 1e-6 and round(per_s * seconds):
            return f"{per_s * seconds:.0f}/{unit}"
    return f"{per_s * 3600.0:.6f}/h"


def parse_bandwidth(text: object) -> float:
    """Return bytes a second. Raises ValueError with the accepted form."""
    match = _BANDWIDTH.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("a bandwidth has a unit: 40Mbit/s, 500kB/s or 5MiB/s")
    bps = float(match[1]) * _BYTES[match[2]]
    if not 1_000.0 <= bps <= BPS_MAX:
        raise ValueError("want 1kB/s at least and 1000GB/s at most")
    return bps


def render_bandwidth(bps: float) -> str:
    """Return what `parse_bandwidth` reads as `bps`."""
    for unit in ("GiB", "MiB", "Gbit", "Mbit", "kbit"):
        if bps % _BYTES[unit] == 0.0:
            return f"{bps / _BYTES[unit]:.0f}{unit}/s"
    return f"{bps:.6f}B/s"
