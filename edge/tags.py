"""Which entries carry a purge tag."""

from collections.abc import Collection, Iterable
from typing import Final, TypeAlias

from edge.entry import Entry
from edge.index import SHARD_MASK, shards

Group: TypeAlias = list[Entry] | set[Entry]

_FEW_MAX: Final = 24  # entries in a list; a set of ten takes 73 bytes an entry, a list of them 18


class Tags:
    """Entries by tag: one alone, few in a list, many in a set."""

    __slots__ = ("_shards",)

    def __init__(self) -> None:
        self._shards: list[dict[bytes, Entry | Group]] = shards()

    def __len__(self) -> int:
        return sum(map(len, self._shards))

    def add(self, entry: Entry, tags: Iterable[bytes]) -> None:
        """Know `entry` under `tags`."""
        for tag in tags:
            shard = self._shards[hash(tag) & SHARD_MASK]
            known = shard.get(tag)
            if known is None:
                shard[tag] = entry
            elif isinstance(known, Entry):
                if known is not entry:
                    shard[tag] = [known, entry]
            elif isinstance(known, set):
                known.add(entry)
            elif entry not in known:
                if len(known) < _FEW_MAX:
                    known.append(entry)
                else:
                    shard[tag] = {*known, entry}

    def discard(self, entry: Entry, tags: Iterable[bytes]) -> None:
        """Know `entry` under `tags` no more."""
        for tag in tags:
            shard = self._shards[hash(tag) & SHARD_MASK]
            known = shard.get(tag)
            if known is None or known is entry:
                shard.pop(tag, None)
            elif not isinstance(known, Entry):
                if entry in known:
                    known.remove(entry)
                if not known:
                    del shard[tag]

    def entries(self, tag: bytes) -> Collection[Entry]:
        """The entries that carry `tag`."""
        known = self._shards[hash(tag) & SHARD_MASK].get(tag)
        if known is None:
            return ()
        return (known,) if isinstance(known, Entry) else known
