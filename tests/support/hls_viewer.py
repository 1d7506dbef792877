"""Somebody who watches by HLS, heeds Content Steering, and notes each second without picture."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import httpx

from tests.support.edge_node import NO_TLS

FIRST_BYTE_S: Final = 4.0  # as the watch page has it
TICK_S: Final = 0.05
PENALTY_S: Final = 300.0  # as hls.js has it
HERE: Final = "here"

_SERVER = re.compile(r'#EXT-X-CONTENT-STEERING:.*?SERVER-URI="([^"]+)"')
_INFO = re.compile(r"#EXTINF:([0-9.]+)")


@dataclass(kw_only=True)
class HlsViewer:
    """Plays a clip over and over; who `heeds` nothing stays where the playlist came from."""

    url: str
    heeds: bool = True
    buffer_s: float = 2.0
    penalty_s: float = PENALTY_S
    played_s: float = 0.0
    stalled_s: float = 0.0
    failed: int = 0  # fetches
    on: str = HERE
    moves: list[tuple[float, str]] = field(default_factory=list)
    _ahead_s: float = 0.0
    _server: str = ""
    _priority: list[str] = field(default_factory=list)
    _hosts: dict[str, str] = field(default_factory=dict)
    _shunned: dict[str, float] = field(default_factory=dict)  # until when
    _began: bool = False

    async def watch(self) -> None:
        """Watch until cancelled."""
        async with (
            httpx.AsyncClient(timeout=FIRST_BYTE_S, trust_env=False, verify=NO_TLS) as client,
            asyncio.TaskGroup() as tasks,
        ):
            variants = await self._multivariant(client)
            tasks.create_task(self._play())
            tasks.create_task(self._load(client, variants))
            if self.heeds and self._server:
                tasks.create_task(self._ask(client))

    @property
    def has_begun(self) -> bool:
        """Whether there was a picture."""
        return self._began

    # what is played

    async def _play(self) -> None:
        past = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            passed, past = now - past, now
            if not self._began:
                continue
            played = min(self._ahead_s, passed)
            self._ahead_s -= played
            self.played_s += played
            self.stalled_s += passed - played

    async def _load(self, client: httpx.AsyncClient, variant: str) -> None:
        segments: list[tuple[float, str]] = []
        number = 0
        while True:
            if self._ahead_s >= self.buffer_s:
                await asyncio.sleep(TICK_S)
                continue
            if not segments:
                playlist = (await self._fetch(client, variant)).text
                segments = _segments(playlist, variant)
            length_s, url = segments[number % len(segments)]
            await self._fetch(client, url)
            number += 1
            self._ahead_s += length_s
            self._began = True

    async def _fetch(self, client: httpx.AsyncClient, url: str) -> httpx.Response:
        """What is at a URL, from the pathway in use: tried twice, then another one is."""
        while True:
            for _ in range(2):
                with suppress(httpx.HTTPError):
                    answer = await client.get(self._placed(url))
                    if answer.status_code == 200:
                        return answer
                self.failed += 1
                await asyncio.sleep(TICK_S)
            self._shunned[self.on] = time.monotonic() + self.penalty_s
            self._choose()

    def _placed(self, url: str) -> str:
        parts = urlsplit(url)
        if self.on not in self._hosts:
            return url
        return urlunsplit(parts._replace(netloc=f"{self._hosts[self.on]}:{parts.port}"))

    # where from

    async def _multivariant(self, client: httpx.AsyncClient) -> str:
        text = (await client.get(self.url)).text
        found = _SERVER.search(text)
        self._server = found[1] if found else ""
        return urljoin(self.url, _uris(text)[0])

    async def _ask(self, client: httpx.AsyncClient) -> None:
        url, ttl_s = self._server, 1.0
        while True:
            parts = urlsplit(url)
            query = [*parse_qsl(parts.query), ("_HLS_pathway", self.on)]
            with suppress(httpx.HTTPError, ValueError, KeyError):
                answer = await client.get(urlunsplit(parts._replace(query=urlencode(query))))
                said: dict[str, Any] = answer.raise_for_status().json()
                ttl_s = said["TTL"]
                clones = said["PATHWAY-CLONES"]
                self._hosts = {each["ID"]: each["URI-REPLACEMENT"]["HOST"] for each in clones}
                self._priority = said["PATHWAY-PRIORITY"]
                url = urljoin(self._server, said["RELOAD-URI"])
                self._choose()
            await asyncio.sleep(ttl_s)

    def _choose(self) -> None:
        """Take the best pathway that has not failed lately; the one in use if all have."""
        now = time.monotonic()
        good = [each for each in self._priority if self._shunned.get(each, 0.0) <= now]
        if good and good[0] != self.on:
            self.on = good[0]
            self.moves.append((now, self.on))


def _uris(playlist: str) -> list[str]:
    return [line for line in playlist.splitlines() if line and not line.startswith("#")]


def _segments(playlist: str, base: str) -> list[tuple[float, str]]:
    lengths = [float(each) for each in _INFO.findall(playlist)]
    uris = [urljoin(base, each) for each in _uris(playlist)]
    return list(zip(lengths, uris, strict=True))
