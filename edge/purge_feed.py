"""Another's log of purges over HTTP: what a node that keeps a disk may have missed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import httpx

from edge.missed_purges import FeedError, Missed, Place, missed

PAGE_TIMEOUT_S: Final = 2.0


class PurgeFeed:
    """Reads the log at a URL, with the token of the admin listener."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"authorization": f"Bearer {token}"}
        self._url = url
        self._http = httpx.AsyncClient(headers=headers, timeout=PAGE_TIMEOUT_S, trust_env=False)

    async def after(self, place: Place | None) -> AsyncIterator[Missed]:
        """All that was purged after `place`, page by page. Raises FeedError."""
        is_last = False
        while not is_last:
            number = 0 if place is None else place.number
            try:
                answer = await self._http.get(self._url, params={"after": number})
                if answer.status_code != httpx.codes.OK:
                    raise FeedError(f"{self._url} answers {answer.status_code}")
                page = answer.json()
            except (httpx.HTTPError, ValueError) as error:
                raise FeedError(f"{self._url}: {error!r}") from None
            if not isinstance(page, dict):
                raise FeedError(f"{self._url}: not a page of a purge log")
            found, is_last = missed(place, page)
            yield found
            place = found.place

    async def close(self) -> None:
        """Give connections back."""
        await self._http.aclose()
