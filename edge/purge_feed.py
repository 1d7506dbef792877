"""A region's log of purges over HTTP, page by page."""

from __future__ import annotations

import asyncio
from typing import Final

import httpx

from edge.log_page import FeedError, LogPage, read_page

PAGE_TIMEOUT_S: Final = 2.0  # for each step, and
PAGE_S: Final = 30.0  # for all of a page, which may come over a slow line
PAGE_MAX: Final = 1_000  # purges


class PurgeFeed:
    """Reads the log at a URL, with the token of the admin listener."""

    def __init__(self, url: str, token: str, *, page_s: float = PAGE_S) -> None:
        headers = {"authorization": f"Bearer {token}"}
        self._url = url
        self._page_s = page_s
        self._http = httpx.AsyncClient(headers=headers, timeout=PAGE_TIMEOUT_S, trust_env=False)

    async def page(self, after: int, log: str = "") -> LogPage:
        """The purges after a number, as many as the log gives at once. Raises FeedError.

        Whose log is said to have that number may see that it was set back.
        """
        asked: dict[str, str | int] = {"after": after, "limit": PAGE_MAX}
        if log:
            asked["log"] = log
        try:
            async with asyncio.timeout(self._page_s):
                answer = await self._http.get(self._url, params=asked)
            if answer.status_code != httpx.codes.OK:
                raise FeedError(f"{self._url} answers {answer.status_code}")
            said = answer.json()
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            raise FeedError(f"{self._url}: {error!r}") from None
        return read_page(said, after)

    async def close(self) -> None:
        """Give connections back."""
        await self._http.aclose()
