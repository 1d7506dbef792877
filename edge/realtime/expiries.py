"""Whose token ends when: found each second without a look at all the others."""

from __future__ import annotations

from math import ceil

from edge.realtime.client import Client


class Expiries:
    """Clients by the whole second at which their tokens have expired."""

    def __init__(self) -> None:
        self._by_second: dict[int, dict[Client, None]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_second.values()))

    def add(self, client: Client) -> None:
        """Have an eye on the token that a client has now."""
        if client.claims is not None:
            self._by_second.setdefault(ceil(client.claims.expires_wall), {})[client] = None

    def remove(self, client: Client) -> None:
        """Forget that token: it is about to be another one, or the client has gone."""
        if client.claims is None:
            return
        second = ceil(client.claims.expires_wall)
        clients = self._by_second.get(second, {})
        clients.pop(client, None)
        if not clients:
            self._by_second.pop(second, None)

    def due(self, now_wall: float) -> list[Client]:
        """Those whose tokens have expired; each is told once."""
        seconds = [second for second in self._by_second if second <= now_wall]
        return [client for second in seconds for client in self._by_second.pop(second)]
