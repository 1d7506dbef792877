"""Probes that ask as a player does: one answer with a known body, or a playlist and a segment."""

from __future__ import annotations

import hashlib
import re
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

from failover.answer import ProbeFailedError
from failover.model import Probe
from failover.probe_network import trusting

AGENT: Final = "amaro-failover"
PLAYLIST_BYTES_MAX: Final = 512 * 1024
SEGMENT_BYTES_MAX: Final = 16 * 1024 * 1024

_CONTENT_ADDRESS: Final = re.compile(r"/([0-9a-f]{32})\.[a-z0-9]{1,5}$")
_MAP: Final = re.compile(r'^#EXT-X-MAP:(?:.*,)?URI="([^"]+)"', re.MULTILINE)


async def ask_page(probe: Probe) -> None:
    """Ask once; the status must be the one that is wanted, and so must the body, if one is."""
    async with _client(probe) as client:
        body = await _fetch(client, probe, probe.url, probe.body_bytes_max, probe.status)
    if probe.sha256 and hashlib.sha256(body).hexdigest() != probe.sha256:
        raise ProbeFailedError(f"{len(body)} bytes that are not the known body")


async def ask_segment(probe: Probe, number: int) -> None:
    """Follow a multivariant playlist to a segment; another rendition and segment each round.

    A segment whose name is the digest of its bytes, as the origin names them, must have these.
    """
    async with _client(probe) as client:
        url = probe.url
        variants = _uris(await _playlist(client, probe, url))
        url = urljoin(url, variants[number % len(variants)])
        media_playlist = await _playlist(client, probe, url)
        segments = _uris(media_playlist)
        named = [*_MAP.findall(media_playlist)[:1], segments[number % len(segments)]]
        for uri in named:
            body = await _fetch(client, probe, urljoin(url, uri), SEGMENT_BYTES_MAX, 200)
            _demand_right_bytes(uri, body)


def _demand_right_bytes(uri: str, body: bytes) -> None:
    if not body:
        raise ProbeFailedError("a segment without bytes")
    said = _CONTENT_ADDRESS.search(urlsplit(uri).path if "/" in uri else f"/{uri}")
    if said is not None and hashlib.sha256(body).hexdigest()[:32] != said[1]:
        raise ProbeFailedError("a segment with wrong bytes")


async def _playlist(client: httpx.AsyncClient, probe: Probe, url: str) -> str:
    body = await _fetch(client, probe, url, PLAYLIST_BYTES_MAX, 200)
    text = body.decode("utf-8", errors="replace")
    if not text.startswith("#EXTM3U"):
        raise ProbeFailedError("no playlist")
    return text


def _uris(playlist: str) -> list[str]:
    lines = map(str.strip, playlist.splitlines())
    uris = [line for line in lines if line and not line.startswith("#")]
    if not uris:
        raise ProbeFailedError("a playlist that names nothing")
    return uris


def _client(probe: Probe) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        verify=trusting(probe.ca_file),
        timeout=probe.timeout_s,
        trust_env=False,
        follow_redirects=False,
    )


async def _fetch(
    client: httpx.AsyncClient, probe: Probe, url: str, bytes_max: int, status: int
) -> bytes:
    headers, extensions = {"Accept-Encoding": "identity", "User-Agent": AGENT}, {}
    if probe.host_header and urlsplit(url).netloc == urlsplit(probe.url).netloc:
        headers["Host"] = probe.host_header
        extensions["sni_hostname"] = probe.host_header.partition(":")[0]
    async with client.stream("GET", url, headers=headers, extensions=extensions) as answer:
        if answer.status_code != status:
            raise ProbeFailedError(f"status {answer.status_code}, not {status}")
        body = bytearray()
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > bytes_max:
                raise ProbeFailedError(f"more than {bytes_max} bytes")
    return bytes(body)
