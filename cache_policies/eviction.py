"""What a tier and its eviction policy owe each other: marks come in, victims go out."""

from abc import ABC, abstractmethod
from typing import Final, Generic, TypeVar

from cache_policies.fifo import Link

SPARED_MAX: Final = 64  # entries that one victim may cost a look: bounds the pause of a store


class Evictable(Link):
    """What eviction knows of an entry. A hit adds one to `mark`, and does nothing else."""

    __slots__ = ("mark", "rank", "seen")

    mark: int  # hits so far
    seen: int  # of those, what the policy has taken into account
    rank: float  # GDSF: the policy's age when the entry was last placed

    def __init__(self, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self.mark = 0
        self.seen = 0
        self.rank = 0.0

    @property
    def name_hash(self) -> int:
        """A number that is the same whenever this response is stored again."""
        return hash(self)


Entry = TypeVar("Entry", bound=Evictable)


class Eviction(ABC, Generic[Entry]):
    """Chooses victims so that `used_bytes` stays within `budget_bytes`.

    Every call is synchronous and takes a bounded time per victim.
    """

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self.used_bytes = 0
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def admit(self, entry: Entry) -> list[Entry]:
        """Add an entry; return the victims, which are already gone from here.

        An entry that is larger than the budget is its own only victim.
        """
        if entry.size_bytes > self.budget_bytes:
            return [entry]
        victims = self.shrink(self.budget_bytes - entry.size_bytes)
        self._count(entry, 1)
        self._place(entry)
        return victims

    def adopt(self, entry: Entry) -> None:
        """Take over an entry from another policy, which gave up those nearest to leaving first."""
        self._count(entry, 1)
        self._place_known(entry)

    def remove(self, entry: Entry) -> bool:
        """Forget an entry; False when it is not here."""
        if not self._unlink(entry):
            return False
        self._count(entry, -1)
        return True

    def shrink(self, to_bytes: int) -> list[Entry]:
        """Evict until at most `to_bytes` are used; return the victims, the first to leave first."""
        victims = []
        while self.used_bytes > to_bytes:
            victim = self._victim()
            self._count(victim, -1)
            victims.append(victim)
        return victims

    def hand_over(self, entries_max: int) -> list[Entry]:
        """Give up the entries nearest to leaving, at most so many, for another to adopt."""
        given = []
        for _ in range(min(entries_max, self._length)):
            entry = self._next()
            self._count(entry, -1)
            given.append(entry)
        return given

    def _count(self, entry: Entry, entries: int) -> None:
        self._length += entries
        self.used_bytes += entries * entry.size_bytes

    @abstractmethod
    def _place(self, entry: Entry) -> None:
        """Put a new entry where it belongs."""

    def _place_known(self, entry: Entry) -> None:
        """Put an entry where it belongs that another policy has kept so far."""
        self._place(entry)

    @abstractmethod
    def _victim(self) -> Entry:
        """Take out the entry to evict, sparing what was hit; only called when there is one."""

    @abstractmethod
    def _next(self) -> Entry:
        """Take out the entry that is nearest to leaving, hit or not."""

    @abstractmethod
    def _unlink(self, entry: Entry) -> bool:
        """Take out this entry; False when it is not here."""
