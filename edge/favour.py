"""What eviction is made to believe of an object that is expected to be asked for soon.

Without it S3-FIFO takes such an object for one that nobody comes back to: where 12 MB/s come into
400 MB of memory it leaves after 3 s, and players with 6 s of buffer ask too late.
"""

from typing import Final

from cache_policies.eviction import Evictable

FAVOUR: Final = 2  # hits that eviction is to believe in: so many keep what is on probation


def favour(entry: Evictable) -> None:
    """Have eviction spare it at its next look."""
    entry.seen = entry.mark - FAVOUR


def end_favour(entry: Evictable) -> None:
    """Have only further hits count: the one that was expected says nothing of how popular it is."""
    entry.seen = entry.mark
