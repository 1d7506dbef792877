"""The purges that a running fill, or an entry to be judged anew, may have been too early for."""

from collections import deque
from collections.abc import Iterable
from typing import Final

from edge.last_purges import LastPurges
from edge.purge_names import touches, url_key
from edge.purges import Purge, PurgeKind

REMEMBERED: Final = 1024  # what began before the oldest of these counts as purged


class RecentPurges:
    """What operators purged lately, one by one; and when any URL was purged for good, by slot.

    Players purge URLs, too, by unsafe requests: as many as they like, and nothing is forgotten.
    """

    __slots__ = ("_forgotten", "_purges", "_urls")

    def __init__(self) -> None:
        self._purges: deque[Purge] = deque(maxlen=REMEMBERED)
        self._forgotten = 0  # purges up to here are no longer remembered
        self._urls = LastPurges()

    def note(self, purge: Purge) -> None:
        """Remember a purge."""
        if purge.kind is PurgeKind.URL and not purge.soft and not purge.value.startswith(b"/"):
            self._urls.note(hash(url_key(purge.value)), purge.sequence)
            return
        if len(self._purges) == REMEMBERED:
            self._forgotten = self._purges[0].sequence
        self._purges.append(purge)

    def any_since(
        self,
        sequence: int,
        key: bytes,
        tags: Iterable[bytes],
        until: int | None = None,
        *,
        hard: bool = False,
    ) -> bool:
        """Whether a purge after `sequence`, none after `until`, names what `key` and `tags` do.

        With `until`, one of the URL may hide an earlier one. Nobody shares a fill across that one:
        `Fills.apply` ends it.
        """
        if sequence < self._forgotten:
            return True
        if sequence < (last := self._urls.of(hash(key))) and (until is None or last <= until):
            return True
        return any(
            sequence < purge.sequence
            and not (hard and purge.soft)
            and (until is None or purge.sequence <= until)
            and touches(purge, key, tags)
            for purge in self._purges
        )
