"""The titles of stories, as the running stack's origin tells them."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from httpx import AsyncClient

PATIENCE_S: Final = 2.0
AT_ONCE: Final = 16
KNOWN_MAX: Final = 4096
_ASSET: Final = re.compile(r"[a-z2-7]{16}")


class Titles:
    """Asks once for each story; one without a title, or without an answer, has none."""

    def __init__(self, origin_url: str | None) -> None:
        self._origin_url = origin_url
        self._known: dict[str, str] = {}

    async def learn(self, stories: Iterable[str]) -> None:
        """Ask for the titles of those that are not known yet."""
        from httpx import AsyncClient, Limits  # noqa: PLC0415

        new = {each for each in stories if each not in self._known and _ASSET.fullmatch(each)}
        if self._origin_url is None or not new:
            return
        if len(self._known) > KNOWN_MAX:
            self._known.clear()
        limits = Limits(max_connections=AT_ONCE)
        async with AsyncClient(limits=limits, timeout=PATIENCE_S, trust_env=False) as http:
            await asyncio.gather(*(self._ask(http, each) for each in new))

    def of(self, story: str) -> str:
        """The title, "" without one."""
        return self._known.get(story, "")

    async def _ask(self, http: AsyncClient, story: str) -> None:
        from httpx import HTTPError  # noqa: PLC0415

        try:
            said = (await http.get(f"{self._origin_url}/api/assets/{story}")).json()
            self._known[story] = str(said.get("title") or "")
        except (HTTPError, ValueError, AttributeError):
            self._known[story] = ""
