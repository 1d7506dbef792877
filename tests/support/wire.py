"""A connection of the edge without a socket: bytes go in, and what it would send is collected."""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from edge.handover import Handover
from edge.protocol import EdgeProtocol
from edge.purges import PurgePage
from edge.server import Server
from edge.settings import MIB, Address, EdgeSettings, Limits
from edge.whom_to_ask import upstreams_of
from edge.worker import Worker


class Wire(asyncio.Transport):
    """Collects what is written."""

    protocol: EdgeProtocol

    def __init__(self) -> None:
        super().__init__()
        self.sent = bytearray()
        self.closed = False
        self.reading = True

    def write(self, data: Any) -> None:
        self.sent += data

    def writelines(self, pieces: Any) -> None:
        for piece in pieces:
            self.sent += piece

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return 0

    def take(self) -> bytes:
        """What was sent since it was last taken."""
        sent = bytes(self.sent)
        self.sent.clear()
        return sent


def worker_without_listener(
    memory_bytes: int = 64 * MIB,
    policies: dict[str, Any] | None = None,
    ring: str | None = None,
    **limits: Any,
) -> Worker:
    """A worker whose memory a test fills; its page is closed by `close_worker`."""
    settings = EdgeSettings(
        listen=Address("127.0.0.1", 0),
        origin="http://127.0.0.1:1",
        memory_bytes=memory_bytes,
        limits=Limits(**limits),
    )
    page = PurgePage.create(workers=1)
    given = Handover(
        settings=settings,
        worker_no=0,
        page=page,
        listener=None,  # type: ignore[arg-type]
        peer_dir=None,
        policies=policies,
        ring=ring,
    )
    worker = Worker(given, upstreams_of(given))
    worker.page = page  # type: ignore[attr-defined]
    return worker


async def close_worker(worker: Worker) -> None:
    await worker.tasks.close()
    worker.follower.detach()
    worker.page.close()  # type: ignore[attr-defined]


class Connection:
    """One connection of a given protocol class, over a `Wire`."""

    def __init__(
        self,
        worker: Worker,
        protocol_class: type[EdgeProtocol],
        wire: Wire | None = None,
        config: Config | None = None,
    ) -> None:
        if config is None:
            config = Server(worker).config
            config.load()
        self.wire = wire or Wire()
        self.protocol = self.wire.protocol = protocol_class(config, ServerState(), {})
        self.protocol.connection_made(self.wire)

    def feed(self, data: bytes) -> bytes:
        """Receive `data`; return what was sent before any task had its turn."""
        self.protocol.data_received(data)
        return self.wire.take()

    async def settle(self) -> bytes:
        """Let the slow path finish; return what it sent."""
        while self.protocol.tasks and not self.wire.closed:
            await asyncio.wait(self.protocol.tasks)
        return self.wire.take()

    def close(self) -> None:
        self.protocol.connection_lost(None)
