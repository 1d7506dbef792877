"""Places that all titles want: one may have many of them, but never so many that none is left.

A title gets another place as long as it has fewer than twice those that are free (dynamic
thresholds, Choudhury and Hahne 1998). One alone has two thirds at most, two have two fifths each,
and whoever comes next finds some free.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from cache_policies.key import normalise
from edge.stories import STORY_MAX, story_of

EAGERNESS: Final = 2.0
T = TypeVar("T", bound=Hashable)


def title_of(key: bytes) -> bytes:
    """What shares a title's places, by the cache key: a story, else all below one directory."""
    scheme, _, rest = key.partition(b"://")
    host, _, path = normalise(rest)[1].partition(b"/")
    path = path.partition(b"?")[0]
    story = story_of("/" + path.decode("latin-1"))
    name = path.partition(b"/")[0] if story is None else story.encode("latin-1")
    return scheme + b"://" + host[:STORY_MAX] + b"/" + name[:STORY_MAX]


class FairShare:
    """How many places each title has."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.taken = 0
        self.by_title: Counter[bytes] = Counter()

    def admits(self, title: bytes) -> bool:
        """Whether a title may have another place."""
        free = self.places - self.taken
        return free > 0 and self.by_title.get(title, 0) < EAGERNESS * free

    def enter(self, title: bytes) -> None:
        """It has one more."""
        self.taken += 1
        self.by_title[title] += 1

    def leave(self, title: bytes) -> None:
        """It has one less."""
        self.taken -= 1
        self.by_title[title] -= 1
        if not self.by_title[title]:
            del self.by_title[title]


class Queues(Generic[T]):
    """Who waits for a place, each title in a line of its own; lines are served in turn."""

    def __init__(self, share: FairShare) -> None:
        self._share = share
        self._lines: dict[bytes, deque[T]] = {}
        self._turns: deque[bytes] = deque()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def arrive(self, title: bytes, who: T) -> bool:
        """Whether it has a place now; else it waits behind those of its title."""
        if title not in self._lines and self._share.admits(title):
            self._share.enter(title)
            return True
        if title not in self._lines:
            self._lines[title] = deque()
            self._turns.append(title)
        self._lines[title].append(who)
        return False

    def ahead(self, title: bytes) -> int:
        """How many wait in a title's line."""
        return len(self._lines.get(title, ()))

    def give_up(self, title: bytes, who: T) -> None:
        """It waits no longer."""
        self._lines[title].remove(who)
        if not self._lines[title]:
            self._close(title)

    def leave(self, title: bytes) -> list[T]:
        """One of a title has left its place; return those who have one now."""
        self._share.leave(title)
        entered = []
        for _ in range(len(self._turns)):
            title = self._turns.popleft()
            self._turns.append(title)
            if self._share.admits(title):
                self._share.enter(title)
                entered.append(self._lines[title].popleft())
                if not self._lines[title]:
                    self._close(title)
        return entered

    def _close(self, title: bytes) -> None:
        del self._lines[title]
        self._turns.remove(title)
