"""Look-up by key that never stops the loop: many small dicts, and purges that settle by and by.

One dict of a million keys takes 300 ms to grow. And a purge that names a part of all keys would
have to look at each before anything may be answered again. Instead it sets everything aside: the
hit path finds nothing there, all others settle a key, as the purge demands, before they see it.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, Generic, TypeVar

SHARDS: Final = 256
SHARD_MASK: Final = SHARDS - 1
_ASIDE_MAX: Final = 64  # sets of keys that wait for orders; each costs a look-up of a miss 60 ns

Found = TypeVar("Found")
Order = TypeVar("Order")


def shards() -> list[dict[bytes, Found]]:
    """Empty dicts; a key is in the one of the low bits of its hash."""
    return [{} for _ in range(SHARDS)]


class _Aside(Generic[Found, Order]):
    """What was there when `orders` came, oldest first, and is not settled yet."""

    __slots__ = ("orders", "settled", "shards")

    def __init__(self, held: list[dict[bytes, Found]]) -> None:
        self.shards = held
        self.settled = 0  # so many of them are empty
        self.orders: list[Order] = []

    def take(self, held: list[dict[bytes, Found]]) -> None:
        """Let what came later wait with the rest, for orders that came before it, too."""
        for shard, more in zip(self.shards, held, strict=True):
            shard.update(more)
        self.settled = 0


class Index(Generic[Found, Order]):
    """A mapping of keys. `shards` is what the hit path may read; every method sees all of it."""

    __slots__ = ("_aside", "_aside_max", "_settle", "shards")

    def __init__(
        self,
        settle: Callable[[bytes, Found, list[Order]], None],
        aside_max: int = _ASIDE_MAX,
    ) -> None:
        """`settle` carries out orders on what is under a key, which is in its place by then."""
        self.shards: list[dict[bytes, Found]] = shards()
        self._aside: list[_Aside[Found, Order]] = []
        self._aside_max = aside_max
        self._settle = settle

    def __len__(self) -> int:
        held = (self.shards, *(each.shards for each in self._aside))
        return sum(sum(map(len, each)) for each in held)

    def get(self, key: bytes) -> Found | None:
        """What is under a key, settled."""
        at = hash(key) & SHARD_MASK
        found = self.shards[at].get(key)
        if found is None and self._aside:
            for aside in self._aside:
                waiting = aside.shards[at].pop(key, None)
                if waiting is not None:
                    self._put_back(key, waiting, aside.orders)
            return self.shards[at].get(key)
        return found

    def __setitem__(self, key: bytes, found: Found) -> None:
        if self._aside:
            self.get(key)
        self.shards[hash(key) & SHARD_MASK][key] = found

    def __delitem__(self, key: bytes) -> None:
        del self.shards[hash(key) & SHARD_MASK][key]

    def items(self) -> Iterator[tuple[bytes, Found]]:
        """Every key that is settled, and what is under it."""
        for shard in self.shards:
            yield from shard.items()

    def set_aside(self, order: Order) -> None:
        """Carry out an order on all that is here, before anybody sees it again.

        When more orders come than are settled, what was stored between two of them hears of the
        earlier one, too: it is fetched once more, where settling it now would stop everybody.
        """
        if any(self.shards):
            self._aside = [each for each in self._aside if any(each.shards)]
            if len(self._aside) < self._aside_max:
                self._aside.append(_Aside(self.shards))
            else:
                self._aside[-1].take(self.shards)
            self.shards = shards()
        for aside in self._aside:
            aside.orders.append(order)

    @property
    def is_settled(self) -> bool:
        """Whether no order is left to be carried out."""
        return not self._aside

    def settle(self, keys_max: int) -> None:
        """Settle the next few keys, those that have waited longest first."""
        while self._aside and keys_max > 0:
            aside = self._aside[0]
            if aside.settled == SHARDS:
                del self._aside[0]
                continue
            shard = aside.shards[aside.settled]
            keys = list(islice(shard, keys_max))
            for key in keys:
                self._put_back(key, shard.pop(key), aside.orders)
            keys_max -= max(1, len(keys))
            if not shard:
                aside.settled += 1

    def _put_back(self, key: bytes, found: Found, orders: list[Order]) -> None:
        self.shards[hash(key) & SHARD_MASK][key] = found
        self._settle(key, found, orders)
