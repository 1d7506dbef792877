"""An origin in a thread: it counts what it is asked and stamps what it says with a version."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CACHEABLE = "cache-control: max-age=3600"


def content(path: str, version: int, size: int) -> bytes:
    """Return `size` bytes that say what they are and differ everywhere from another version's."""
    stamp = f"{path} {version}\n".encode()
    seed = hashlib.sha256(stamp).digest()
    return (stamp + seed * (size // 32 + 1))[: max(size, len(stamp))]


class CountingOrigin:
    """Answers GET /NAME?size=N&pause=S (a pause after each 64 KiB) with the current version.

    With `&named=1` it says that a GET of the same URL would be answered alike, with `&ranges=1` it
    knows ranges, of the version that If-Range names.
    """

    def __init__(self) -> None:
        self.version = 1
        self.asked: Counter[str] = Counter()
        self.last_head = b""
        self.gate: threading.Event | None = None  # heads wait for it
        self.middle: threading.Event | None = None  # bodies wait for it after 64 KiB
        self.address: tuple[str, int] = ("127.0.0.1", 0)
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    def start(self) -> None:
        self._thread.start()
        assert self._up.wait(180)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        writers: set[asyncio.StreamWriter] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.add(writer)
            ends = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
            with suppress(*ends):
                while True:
                    await self._exchange(reader, writer)
            writers.discard(writer)
            writer.close()

        server = await asyncio.start_server(connected, *self.address, backlog=1024)
        self.address = server.sockets[0].getsockname()[:2]
        self._up.set()
        await self._stop.wait()
        server.close()
        for writer in list(writers):
            writer.transport.abort()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.last_head = head
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        path, _, query = target.partition("?")
        asked = dict(pair.split("=", 1) for pair in query.split("&") if pair)
        self.asked[f"{method} {path}"] += 1
        version = self.version  # what is said is decided now, whenever it arrives
        middle = self.middle  # a later test has another: this connection may be asked again then
        await _passed(self.gate)
        body = content(path, version, int(asked.get("size", "0")))
        name = path.strip("/").split("/")[0]
        named = [f"content-location: {target}"] if "named" in asked else []
        etag, size, status = f'"{path}-{version}"', len(body), "200 OK"
        span = part_of(head, etag, size) if "ranges" in asked else None
        if span is not None:
            first, last = span
            body, status = body[first : last + 1], "206 Partial Content"
            named.append(f"content-range: bytes {first}-{last}/{size}")
        lines = [
            f"HTTP/1.1 {status}",
            f"content-length: {len(body)}",
            asked.get("cc", CACHEABLE).replace("+", " "),
            f"etag: {etag}",
            f"surrogate-key: tag-{name} every",
            *named,
        ]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        pause_s = float(asked.get("pause", "0"))
        for start in range(0, len(body), 65_536):
            writer.write(body[start : start + 65_536])
            await writer.drain()
            await _passed(middle)
            if pause_s:
                await asyncio.sleep(pause_s)


def part_of(head: bytes, etag: str, size: int) -> tuple[int, int] | None:
    """The first and last byte that a request's Range wants; None when it wants the whole."""
    lines = head.decode("latin-1").lower().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    if "range" not in fields or fields.get("if-range", etag.lower()) != etag.lower():
        return None
    first, _, last = fields["range"].removeprefix("bytes=").partition("-")
    return int(first), min(int(last or size - 1), size - 1)


async def _passed(gate: threading.Event | None) -> None:
    """Wait for an event that another thread sets."""
    while gate is not None and not gate.is_set():  # noqa: ASYNC110
        await asyncio.sleep(0.002)


@contextmanager
def counting_origin() -> Iterator[CountingOrigin]:
    origin = CountingOrigin()
    origin.start()
    try:
        yield origin
    finally:
        origin.stop()
