"""Who is to be asked whether they are there: everybody once a period, a few at each beat."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from edge.realtime.client import Client


class Heartbeats:
    """Clients in as many buckets as a period has beats; no timer of their own costs them memory."""

    def __init__(self, beats: int) -> None:
        self._buckets: list[set[Client]] = [set() for _ in range(beats)]
        self._numbers = count()
        self._beat = 0

    def __len__(self) -> int:
        return sum(map(len, self._buckets))

    def __iter__(self) -> Iterator[Client]:
        for bucket in self._buckets:
            yield from bucket

    def add(self, client: Client) -> None:
        """Look after a client, for the first time a whole period from now at most."""
        client.bucket = next(self._numbers) % len(self._buckets)
        self._buckets[client.bucket].add(client)

    def remove(self, client: Client) -> None:
        """Look after it no more."""
        self._buckets[client.bucket].discard(client)

    def next(self) -> list[Client]:
        """Those whose turn it is."""
        self._beat = (self._beat + 1) % len(self._buckets)
        return list(self._buckets[self._beat])
