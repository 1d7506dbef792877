"""Tells edges to forget tags, and remembers those that did not hear it."""

from __future__ import annotations

import logging
import secrets
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import httpx

from origin.catalog import Purge

if TYPE_CHECKING:
    from origin.catalog import Catalog

log = logging.getLogger(__name__)

PURGE_TIMEOUT_S: Final = 2.0
BATCH_MAX: Final = 500
GIVE_UP_S: Final = 86_400.0  # an edge away for longer has nothing fresh left of what was purged


class Edges:
    """The admin listeners of every edge that serves this origin. Thread-safe."""

    def __init__(self, *, catalog: Catalog, admin_urls: Sequence[str], token: str | None) -> None:
        self._catalog = catalog
        self._admin_urls = tuple(url.rstrip("/") for url in admin_urls)
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        # Edges are neighbours: no proxy from the environment stands between us.
        self._http = httpx.Client(headers=headers, timeout=PURGE_TIMEOUT_S, trust_env=False)
        self._threads = ThreadPoolExecutor(max(1, len(self._admin_urls)), "purge")

    def purges(self, tags: Iterable[str], *, now_wall: float) -> list[Purge]:
        """Return one purge a tag and edge, to be written in the transaction that needs it."""
        sequence = secrets.token_hex(8)
        return [
            Purge(edge=edge, tag=tag, sequence=sequence, requested=now_wall)
            for tag in tags
            for edge in self._admin_urls
        ]

    def flush(self, *, now_wall: float) -> int:
        """Carry out what is pending, all edges at once; return how many purges remain."""
        pending = self._catalog.pending_purges(limit=BATCH_MAX)
        by_edge: dict[str, list[Purge]] = defaultdict(list)
        done: list[Purge] = []
        for purge in pending:
            if purge.edge not in self._admin_urls or purge.requested < now_wall - GIVE_UP_S:
                log.warning("gave up purging %s at %s", purge.tag, purge.edge)
                done.append(purge)
            else:
                by_edge[purge.edge].append(purge)
        answers = self._threads.map(self._purge, by_edge, by_edge.values())
        for purges, acknowledged in zip(by_edge.values(), answers, strict=True):
            done.extend(purges if acknowledged else ())
        self._catalog.acknowledge_purges(done)
        return len(pending) - len(done)

    def close(self) -> None:
        """Give connections and threads back."""
        self._threads.shutdown()
        self._http.close()

    def _purge(self, edge: str, purges: Sequence[Purge]) -> bool:
        tags = sorted({purge.tag for purge in purges})
        try:
            answer = self._http.post(f"{edge}/purge", json={"tags": tags})
        except httpx.HTTPError as error:
            log.warning("edge %s did not take a purge: %r", edge, error)
            return False
        if answer.status_code != 200:
            log.warning("edge %s refused a purge: %s", edge, answer.status_code)
        return answer.status_code == 200
