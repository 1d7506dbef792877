"""Tells edges to forget tags, and remembers those that did not hear it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx

from origin.catalog import Purge

if TYPE_CHECKING:
    from origin.catalog import Catalog

log = logging.getLogger(__name__)

PURGE_TIMEOUT_S: Final = 2.0
BATCH_MAX: Final = 500
RETRY_MAX_S: Final = 5.0
GIVE_UP_S: Final = 86_400.0  # an edge away for longer has nothing fresh left of what was purged


@dataclass(slots=True)
class _Link:
    """One edge, and when to try it again after it did not answer."""

    admin_url: str
    failures: int = 0
    due_wall: float = 0.0


class Edges:
    """The admin listeners of every edge that serves this origin. Thread-safe."""

    def __init__(self, *, catalog: Catalog, admin_urls: Sequence[str], token: str | None) -> None:
        self._catalog = catalog
        self._links = [_Link(url.rstrip("/")) for url in admin_urls]
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        # Edges are neighbours: no proxy from the environment stands between us.
        self._http = httpx.Client(headers=headers, timeout=PURGE_TIMEOUT_S, trust_env=False)
        self._threads = ThreadPoolExecutor(max(1, len(self._links)), "purge")

    def purges(self, tags: Iterable[str], *, now_wall: float) -> list[Purge]:
        """Return one purge a tag and edge, to be written in the transaction that needs it.

        One more is for the log: edges that nobody named here may read it.
        """
        sequence = secrets.token_hex(8)
        edges = (None, *(link.admin_url for link in self._links))
        return [
            Purge(edge=edge, tag=tag, sequence=sequence, requested=now_wall)
            for tag in tags
            for edge in edges
        ]

    def flush(self, *, now_wall: float) -> None:
        """Carry out what is pending, all edges at once; one that is away is left for later."""
        due = [link for link in self._links if link.due_wall <= now_wall]
        for _ in self._threads.map(self._flush, due, [now_wall] * len(due)):
            pass  # exceptions of the catalog come out here

    def give_up_old(self, *, now_wall: float) -> int:
        """Drop what nobody can still need to hear; return how much that was."""
        edges = [link.admin_url for link in self._links]
        return self._catalog.drop_purges(edges=edges, before_wall=now_wall - GIVE_UP_S)

    def close(self) -> None:
        """Give connections and threads back."""
        self._threads.shutdown()
        self._http.close()

    def _flush(self, link: _Link, now_wall: float) -> None:
        while pending := self._catalog.pending_purges(link.admin_url, limit=BATCH_MAX):
            reason = self._purge(link.admin_url, sorted({purge.tag for purge in pending}))
            if reason is not None:
                if link.failures == 0:
                    log.warning(
                        "edge %s did not take a purge, will repeat: %s", link.admin_url, reason
                    )
                link.failures += 1
                link.due_wall = now_wall + min(RETRY_MAX_S, 0.25 * 2.0**link.failures)
                return
            link.failures, link.due_wall = 0, 0.0
            self._catalog.acknowledge_purges(pending)

    def _purge(self, admin_url: str, tags: Sequence[str]) -> str | None:
        """Purge tags at one edge; return why that failed, None when it did not."""
        try:
            answer = self._http.post(f"{admin_url}/purge", json={"tags": tags})
        except httpx.HTTPError as error:
            return repr(error)
        return None if answer.status_code == 200 else f"status {answer.status_code}"
