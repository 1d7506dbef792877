"""Our own authoritative name server: UDP and TCP listeners, bounded in number and time."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from failover.dns_answering import truncated
from failover.dns_dispatch import Dispatcher
from failover.endpoint import Endpoint
from failover.response_rate import RatePolicy, ResponseRate, Verdict

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPolicy:
    """What one client may take of a name server."""

    connections_max: int = 256  # by TCP, of all clients
    idle_s: float = 10.0  # a connection without a query (RFC 7766 §6.2.3)
    lifetime_s: float = 120.0  # of a connection, transfers included
    receive_buffer_bytes: int = 4 * 1024 * 1024  # of the UDP socket: bursts
    rate: RatePolicy = field(default_factory=RatePolicy)


@asynccontextmanager
async def name_server(
    listen: Endpoint, dispatcher: Dispatcher, policy: ServerPolicy
) -> AsyncIterator[Endpoint]:
    """Serve by UDP and TCP until the end of the block; gives the address, with the port in use."""
    async with AsyncExitStack() as stack:
        tcp = _Tcp(dispatcher, policy)
        server = await asyncio.start_server(tcp.serve, listen.host, listen.port, backlog=256)
        stack.push_async_callback(tcp.close, server)
        place = Endpoint(listen.host, server.sockets[0].getsockname()[1])
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Udp(dispatcher, ResponseRate(policy.rate)),
            local_addr=(place.host, place.port),
        )
        stack.callback(transport.close)
        datagrams = transport.get_extra_info("socket")
        datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, policy.receive_buffer_bytes)
        log.info("answers DNS at %s", place)
        yield place


class _Udp(asyncio.DatagramProtocol):
    """One datagram, one answer."""

    def __init__(self, dispatcher: Dispatcher, rate: ResponseRate) -> None:
        self._dispatcher, self._rate = dispatcher, rate
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # by name only, before 3.12

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        verdict = self._rate.judge(addr[0], time.monotonic())
        if verdict is not Verdict.SEND:
            self._dispatcher.counts.limited += 1
        if verdict is Verdict.DROP:
            return
        reply = self._dispatcher.reply(data, udp=True)
        if not isinstance(reply, bytes):
            return
        self._transport.sendto(truncated(reply) if verdict is Verdict.TRUNCATE else reply, addr)

    def error_received(self, exc: Exception) -> None:
        log.debug("a client's port is closed: %s", exc)


class _Tcp:
    """Connections with any number of queries, one after the other (RFC 7766)."""

    def __init__(self, dispatcher: Dispatcher, policy: ServerPolicy) -> None:
        self._dispatcher, self._policy = dispatcher, policy
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection: asyncio runs this in a task for each."""
        task = asyncio.current_task()
        assert task is not None
        if len(self._tasks) >= self._policy.connections_max:
            self._dispatcher.counts.crowded += 1
            writer.transport.abort()
            return
        self._tasks.add(task)
        try:
            async with asyncio.timeout(self._policy.lifetime_s):
                while await self._exchange(reader, writer):
                    pass
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            log.debug("a connection has ended: %s", error)
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if writer.is_closing() else writer.close()

    async def close(self, server: asyncio.Server) -> None:
        """Take no more connections and end those that are open."""
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one query; say whether another may follow."""
        async with asyncio.timeout(self._policy.idle_s):
            length = int.from_bytes(await reader.readexactly(2), "big")
            wire = await reader.readexactly(length)
        reply = self._dispatcher.reply(wire, udp=False)
        if reply is None:
            return False
        for message in [reply] if isinstance(reply, bytes) else reply:
            writer.write(len(message).to_bytes(2, "big") + message)
            await writer.drain()
        return True
