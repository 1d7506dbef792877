"""Tells the hubs of edges which stories can be watched now, until each has heard it.

What is told follows from the catalog, so nothing is kept that a crash could lose: an origin that
starts tells the last minutes again, and hubs know an event that they have told by its key.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx

if TYPE_CHECKING:
    from origin.watchable import Story, WatchableStories

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 2.0
REPEAT_S: Final = 600.0  # an edge that was away for longer has pages that have asked by themselves
NO_HUB: Final = 404
HUSH_S: Final = 30.0  # before an edge without a hub is asked again whether it has one


@dataclass(slots=True)
class _Hub:
    """One edge, and what it has told its pages."""

    admin_url: str
    told: set[str] = field(default_factory=set)  # asset ids
    due_wall: float = 0.0
    is_well: bool = True


class Signals:
    """The hubs of every edge that serves this origin. One thread at a time calls `flush`."""

    def __init__(
        self, *, stories: WatchableStories, admin_urls: Sequence[str], token: str | None
    ) -> None:
        self._stories = stories
        self._hubs = [_Hub(url.rstrip("/")) for url in admin_urls]
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        # Edges are neighbours: no proxy from the environment stands between us.
        self._http = httpx.Client(headers=headers, timeout=TIMEOUT_S, trust_env=False)
        self._threads = ThreadPoolExecutor(max(1, len(self._hubs)), "signals")

    def flush(self, *, now_wall: float) -> None:
        """Tell every hub what it has not told yet; one that is away hears it later."""
        due = [hub for hub in self._hubs if hub.due_wall <= now_wall]
        stories = self._stories.since(now_wall - REPEAT_S) if due else []
        recent = {story.asset_id for story in stories}
        for hub in due:
            hub.told &= recent
        list(self._threads.map(self._tell, due, [stories] * len(due), [now_wall] * len(due)))

    def close(self) -> None:
        """Give connections and threads back."""
        self._threads.shutdown()
        self._http.close()

    def _tell(self, hub: _Hub, stories: Sequence[Story], now_wall: float) -> None:
        for story in stories:
            if story.asset_id in hub.told:
                continue
            for signal in signals_of(story):
                if not self._took(hub, signal, now_wall):
                    return
            hub.told.add(story.asset_id)

    def _took(self, hub: _Hub, signal: dict[str, Any], now_wall: float) -> bool:
        try:
            status = self._http.post(f"{hub.admin_url}/signals", json=signal).status_code
            why = f"status {status}"
        except httpx.HTTPError as error:
            status, why = 0, repr(error)
        if status == NO_HUB:
            hub.due_wall = now_wall + HUSH_S
            return False
        if status != 200 and hub.is_well:
            log.warning("edge %s did not take a signal, will repeat: %s", hub.admin_url, why)
        hub.is_well = status == 200
        return hub.is_well


def signals_of(story: Story) -> tuple[dict[str, Any], ...]:
    """What those hear who wait for a story, and those who look at its region's feed."""
    said = {
        "kind": "watchable",
        "key": f"{story.asset_id}-watchable",
        "value": {"asset_id": story.asset_id, "region": story.region},
    }
    return (
        {"topic": f"story:{story.asset_id}", **said},
        {"topic": f"feed:{story.region}", **said},
    )
