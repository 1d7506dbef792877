"""What clients and prefixes have used of their limits, in words that all workers share.

A bucket is a row of words. Each worker adds to words of its own, so that nothing is ever lost by
two who write at once; what all may write is the base, and only when a bucket is full again, where
all would write the same. A bucket is thus one number (the virtual time of GCRA, ITU-T I.371):
the base and all that was spent, in nanoseconds of the limited rate.

Rows are few and fixed: eight for each value of a hash that nobody outside can foretell. Whoever is
new takes the row of who has used least, so what is forgotten is given back, and no more than that.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

ROWS: Final = 16_384
WAYS: Final = 8  # rows of one value of the hash
NS_PER_S: Final = 1_000_000_000
SECRET_BYTES: Final = 16
_NOTHING: Final = (-1, 0)  # less than anybody has used
_KEY, _BASE, _OWN = 0, 1, 2  # words of a row; then what each worker spent, then what each holds


def table_words(workers: int, rows: int = ROWS) -> int:
    """The number of 8-byte words of a table; all of them 0 is an empty one."""
    return rows * (_OWN + 2 * workers)


class LimitTable:
    """One worker's view; `words` is a memoryview of signed 8-byte words."""

    def __init__(
        self, words: memoryview, *, workers: int, worker_no: int, secret: bytes, rows: int = ROWS
    ) -> None:
        self.words = words
        self.workers = workers
        self._secret = secret
        self._sets = rows // WAYS
        self._width = _OWN + 2 * workers
        self.spent_at = _OWN + worker_no
        self.held_at = _OWN + workers + worker_no

    def attach(self) -> None:
        """Begin as a worker that holds nothing, whatever the one before it held."""
        for row in range(0, self._sets * WAYS * self._width, self._width):
            if self.words[row + self.held_at]:
                self.words[row + self.held_at] = 0

    def bucket(self, name: bytes) -> Bucket:
        """The bucket of this name; it takes its row when it is first used."""
        digest = blake2b(name, key=self._secret, digest_size=8).digest()
        key = int.from_bytes(digest, "little") >> 1 or 1
        return Bucket(self, key, key % self._sets * WAYS * self._width)

    def rows_of(self, first: int) -> range:
        """Where the rows begin among which a bucket has its own."""
        return range(first, first + WAYS * self._width, self._width)

    def spent_ns(self, row: int) -> int:
        """All that was ever spent in a row."""
        words, at = self.words, row + _OWN
        spent_ns: int = words[at]
        for other in range(at + 1, at + self.workers):  # a sum of them takes longer
            spent_ns += words[other]
        return spent_ns

    def held(self, row: int) -> int:
        """What all workers hold of a row."""
        words, first = self.words, row + _OWN + self.workers
        return sum([words[at] for at in range(first, first + self.workers)])


class Bucket:
    """What one client, or one prefix, has used of one limit."""

    __slots__ = ("_first", "_key", "_row", "_table")

    def __init__(self, table: LimitTable, key: int, first: int) -> None:
        self._table = table
        self._key = key
        self._first = first
        self._row = first

    def spend(self, cost_ns: int, burst_ns: int, now_ns: int) -> int:
        """Take `cost_ns`, if a burst of `burst_ns` has so much left: 0. Else the ns until it has.

        Then nothing is taken.
        """
        table, row = self._table, self._find(now_ns)
        words = table.words
        spent_ns = table.spent_ns(row)
        until_ns = words[row + _BASE] + spent_ns
        if until_ns < now_ns:
            words[row + _BASE] = now_ns - spent_ns
            until_ns = now_ns
        over_ns = until_ns + cost_ns - now_ns - burst_ns
        if over_ns > 0:
            return over_ns
        words[row + table.spent_at] += cost_ns
        return 0

    def wait_ns(self, cost_ns: int, burst_ns: int, now_ns: int) -> int:
        """The ns until `spend` would take so much, of which nothing is taken."""
        return max(0, self.debt_ns(now_ns) + cost_ns - burst_ns)

    def charge(self, cost_ns: int, burst_ns: int, now_ns: int) -> int:
        """Take `cost_ns` in any case; return the ns until there is a burst's room for it."""
        over_ns = self.spend(cost_ns, burst_ns, now_ns)
        if over_ns:
            self._table.words[self._row + self._table.spent_at] += cost_ns
        return over_ns

    def debt_ns(self, now_ns: int) -> int:
        """How much of it is used now."""
        row = self._find(now_ns)
        until_ns = self._table.words[row + _BASE] + self._table.spent_ns(row)
        return max(0, until_ns - now_ns)

    def enter(self, held_max: int, now_ns: int) -> int | None:
        """Hold one more of it, unless `held_max` are held: None. Returns what to `leave`."""
        table, row = self._table, self._find(now_ns)
        if table.held(row) >= held_max:
            return None
        table.words[row + table.held_at] += 1
        return row

    def leave(self, row: int) -> None:
        """Hold one less of what was entered, unless the row has become another's meanwhile."""
        words, at = self._table.words, row + self._table.held_at
        if words[row + _KEY] == self._key and words[at]:
            words[at] -= 1

    def is_forgotten(self) -> bool:
        """Whether no row is its own: it begins anew."""
        words, rows = self._table.words, self._table.rows_of(self._first)
        return all(words[row + _KEY] != self._key for row in rows)

    def _find(self, now_ns: int) -> int:
        """Where our row is, which may have been another's meanwhile."""
        table, key = self._table, self._key
        words = table.words
        if words[self._row + _KEY] == key:
            return self._row
        best, least = self._first, None
        for row in table.rows_of(self._first):
            found = words[row + _KEY]
            if found == key:
                self._row = row
                return row
            if not found:
                best, least = row, _NOTHING
                continue
            used_ns = max(0, words[row + _BASE] + table.spent_ns(row) - now_ns)
            used = table.held(row), used_ns  # who holds something stays, if anybody else is there
            if least is None or used < least:
                best, least = row, used
        words[best + _KEY] = key
        for at in range(best + _OWN + table.workers, best + _OWN + 2 * table.workers):
            if words[at]:
                words[at] = 0  # held by who is forgotten: it is not the new one's
        words[best + _BASE] = now_ns - table.spent_ns(best)
        self._row = best
        return best
