"""Is a service ready? One question over HTTP or a Valkey socket, with a deadline."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

PROBE_MAX_S = 2.0
REPLY_MAX_BYTES = 1024


async def is_ready(url: str) -> bool:
    """Say whether the service at the URL (`http://host:port` or `unix:///path`) is ready now."""
    if not url.startswith("unix:"):
        return await answers_ok(f"{url}/.amaro/ready")
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(PROBE_MAX_S):
            return await _ask_valkey(url)
    return False


async def answers_ok(url: str) -> bool:
    """Say whether a GET of the URL is answered with 200 now."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(PROBE_MAX_S):
            return await _ask_http(url)
    return False


async def _ask_http(url: str) -> bool:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
    reply = await _exchange(reader, writer, request.encode())
    return reply.startswith((b"HTTP/1.1 200 ", b"HTTP/1.0 200 "))


async def _ask_valkey(url: str) -> bool:
    parts = urlsplit(url)
    password = parse_qs(parts.query).get("password", [""])[0]
    reader, writer = await asyncio.open_unix_connection(unquote(parts.path))
    question = f"AUTH {password}\r\nPING\r\n" if password else "PING\r\n"
    return b"+PONG" in await _exchange(reader, writer, f"{question}QUIT\r\n".encode())


async def _exchange(reader: StreamReader, writer: StreamWriter, question: bytes) -> bytes:
    """Return the start of the reply; both protocols answer us within one small packet."""
    try:
        writer.write(question)
        reply = b""
        while len(reply) < REPLY_MAX_BYTES and (piece := await reader.read(REPLY_MAX_BYTES)):
            reply += piece
        return reply
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
