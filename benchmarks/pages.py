"""Pages by the thousand: WebSocket connections that join a topic and note when they hear of it."""

import asyncio
import json
import os
import time
from typing import Any

from cache_policies.signal_access import Claims, mint_signals, shared_ring

MASK = b"\0\0\0\0"  # a mask of zeros is a mask (RFC 6455 §5.3), and costs the load nothing
HANDSHAKE = (
    b"GET /.amaro/ws HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n"
    b"User-Agent: benchmark\r\nAccept-Language: en\r\nCache-Control: no-cache\r\n\r\n"
)
PING, PONG = 0x89, 0x8A
AT_ONCE = 200  # that connect side by side
LIMIT_S = 60.0


def text_frame(message: dict[str, Any]) -> bytes:
    """A message as a page sends it."""
    data = json.dumps(message).encode()
    length = len(data)
    head = bytes([0x81, 0x80 | length]) if length < 126 else b"\x81\xfe" + length.to_bytes(2, "big")
    return head + MASK + data


class Crowd:
    """All pages, and when each of them heard a signal of which `mark` is a part."""

    def __init__(self, port: int, token: str, topic: str) -> None:
        self.port, self.topic = port, topic
        self.pages: list[Page] = []
        self.joined = 0
        self.mark = b"\0"
        self.heard: list[float] = []
        self._ring = shared_ring(token)

    def token(self, number: int) -> str:
        """A token for one page."""
        now = time.time()
        claims = Claims(f"page-{number}", ("story:*",), now + 3600.0)
        return mint_signals(self._ring, claims, now)

    async def come(self, number: int) -> None:
        """Have so many pages join."""
        loop = asyncio.get_running_loop()
        wanted = self.joined + number
        for first in range(0, number, AT_ONCE):
            count = min(AT_ONCE, number - first)
            opening = [
                loop.create_connection(lambda: Page(self), "127.0.0.1", self.port)
                for _ in range(count)
            ]
            self.pages += [page for _, page in await asyncio.gather(*opening)]
            await self._until(wanted - number + first + count)

    async def _until(self, wanted: int) -> None:
        deadline = time.monotonic() + LIMIT_S
        while self.joined < wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.joined} of {wanted} pages have joined")
            await asyncio.sleep(0.01)

    async def tell(self, number: int) -> list[float]:
        """Say something to all by one of them; return after how many seconds each heard it."""
        self.mark, self.heard = b'"%06d"' % number, []
        said = {"t": "say", "topic": self.topic, "kind": "reaction", "value": f"{number:06d}"}
        frame = text_frame(said)
        deadline = time.monotonic() + LIMIT_S
        began = time.monotonic()
        self.pages[number % len(self.pages)].transport.write(frame)
        while len(self.heard) < len(self.pages):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.005)
        return sorted(at - began for at in self.heard)

    def leave(self) -> None:
        """All go."""
        for page in self.pages:
            page.transport.abort()


class Page(asyncio.Protocol):
    """One page: it looks at what comes as little as it can."""

    __slots__ = ("_crowd", "_has_joined", "transport")

    def __init__(self, crowd: Crowd) -> None:
        self._crowd, self._has_joined = crowd, False

    def connection_made(self, transport: Any) -> None:
        """Shake hands."""
        self.transport = transport
        transport.write(HANDSHAKE % self._crowd.port)

    def data_received(self, data: bytes) -> None:
        """Say who it is, then note when the signal comes."""
        crowd = self._crowd
        if data[0] == PING:  # one that hides behind a signal is let go: the next one does not
            size = data[1]
            self.transport.write(bytes([PONG, 0x80 | size]) + MASK + data[2 : 2 + size])
        if self._has_joined:
            if crowd.mark in data:
                crowd.heard.append(time.monotonic())
        elif data.startswith(b"HTTP/1.1 101 "):
            token = crowd.token(int.from_bytes(os.urandom(6), "big"))
            hello = text_frame({"t": "hello", "v": 1, "token": token})
            self.transport.write(hello + text_frame({"t": "join", "topic": crowd.topic}))
        if not self._has_joined and b'"joined"' in data:
            self._has_joined = True
            crowd.joined += 1
