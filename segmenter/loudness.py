"""How much louder or quieter a source must become, from what `ebur128` measured (EBU R 128)."""

from __future__ import annotations

import re
from typing import Final

TARGET_LUFS: Final = -16.0
PEAK_MAX_DBFS: Final = -1.0
LIMITED_MAX_DB: Final = 6.0  # that the limiter may take off the highest peaks
SILENCE_LUFS: Final = -69.0
GAIN_MIN_DB: Final = -24.0

INTEGRATED: Final = re.compile(r"\bI:\s+(-?[\d.]+|-?inf|nan) LUFS")
PEAK: Final = re.compile(r"\bPeak:\s+(-?[\d.]+|-?inf|nan) dBFS")


def gain_db(report: str) -> float:
    """Return the gain in decibels that brings a measured source to the target loudness.

    `report` is the end of ffmpeg's log. Silence, and a source nobody could measure, keep theirs.
    """
    integrated = INTEGRATED.findall(report)
    peaks = PEAK.findall(report)
    if not integrated or not peaks:
        return 0.0
    loudness_lufs, peak_dbfs = float(integrated[-1]), float(peaks[-1])
    if not loudness_lufs > SILENCE_LUFS or not peak_dbfs > SILENCE_LUFS:
        return 0.0
    headroom_db = PEAK_MAX_DBFS - peak_dbfs + LIMITED_MAX_DB
    return round(max(GAIN_MIN_DB, min(TARGET_LUFS - loudness_lufs, headroom_db)), 2)
