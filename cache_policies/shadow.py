"""A policy in miniature: names and sizes only, of a sample of all keys, in a budget to match."""

from typing import Final

from cache_policies.eviction import Evictable, Eviction
from cache_policies.gdsf import Gdsf
from cache_policies.lru import Lru
from cache_policies.s3fifo import S3Fifo
from cache_policies.sieve import Sieve

POLICIES: Final[dict[str, type[Eviction[Evictable]]]] = {
    "lru": Lru,
    "sieve": Sieve,
    "s3fifo": S3Fifo,
    "gdsf": Gdsf,
}


class Name(Evictable):
    """What stands for a response in a shadow."""

    __slots__ = ("_name_hash",)

    def __init__(self, name_hash: int, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self._name_hash = name_hash

    @property
    def name_hash(self) -> int:
        """The name itself."""
        return self._name_hash


def is_sampled(name_hash: int, halvings: int) -> bool:
    """Whether a name is among the one of 2 ** `halvings` that shadows look at."""
    return not (name_hash >> 40) & ((1 << halvings) - 1)  # ghosts use the bits below


class Shadow:
    """What would be in the tier if `policy` had run it from the start."""

    def __init__(self, policy: str, budget_bytes: int) -> None:
        self._make = POLICIES[policy]
        self._policy = self._make(budget_bytes)
        self._before: Eviction[Evictable] | None = None  # while its names are taken over
        self._halvings = 0
        self._names: dict[int, Name] = {}

    def __len__(self) -> int:
        return len(self._names)

    def ask(self, name_hash: int, size_bytes: int, times: int) -> bool:
        """Take `times` requests for a response; return whether the first of them was a hit."""
        found = self._names.get(name_hash)
        if found is not None:
            if found.size_bytes == size_bytes:
                found.mark += times
                return True
            self._policy.remove(found)  # it has another size now
        fresh = self._names[name_hash] = Name(name_hash, size_bytes)
        for victim in self._policy.admit(fresh):
            del self._names[victim.name_hash]
        fresh.mark += times - 1
        return found is not None

    def rescale(self, budget_bytes: int, halvings: int) -> None:
        """Begin to go on with another share of all names; `move` until it is done."""
        self._before, self._policy = self._policy, self._make(budget_bytes)
        self._halvings = halvings

    def move(self, names_max: int) -> bool:
        """Take over the next names that are sampled still; return whether that was all."""
        if self._before is None:
            return True
        for name in self._before.hand_over(names_max):
            if is_sampled(name.name_hash, self._halvings):
                self._policy.adopt(name)
            else:
                del self._names[name.name_hash]
        for victim in self._policy.shrink(self._policy.budget_bytes):
            del self._names[victim.name_hash]
        if not len(self._before):
            self._before = None
        return self._before is None
