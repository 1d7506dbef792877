"""The hub's process: accepts pages, beats once a second, and fans signals out in slices."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import secrets
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import uvloop

from cache_policies.valkey_address import parse_address
from edge.clients import ClientCounts, TrustedProxies
from edge.control import Answers, ControlLine
from edge.handover import Handover, adopt
from edge.heap import quiet_collector, tight_heap
from edge.messages import configure
from edge.realtime.admission import Admission
from edge.realtime.carriers import Alone, Carrier, Valkey
from edge.realtime.connection import SEND_BUFFER_BYTES, HubConnection, Shared
from edge.realtime.gauges import values
from edge.realtime.hub import BEAT_S, Hub
from edge.realtime.limits import HubLimits
from edge.realtime.messages import Close, parse_lasting
from edge.realtime.passage import HUB_HANDOVER_MAX, take_over
from edge.realtime.secure import secure_factory
from edge.realtime.visitors import Visitors
from edge.tls import Certificates, Pem

HTTP_1_ONLY: Final = ("http/1.1",)
BACKLOG: Final = 4096
NICER_BY: Final = 10  # than the workers: playback comes before signals

log = logging.getLogger("edge.realtime")


class Service:
    """All objects of the process."""

    def __init__(self, given: Handover, limits: HubLimits | None = None) -> None:
        settings = given.settings
        limits = limits or HubLimits()
        self._admission = Admission(given.ring, secret=settings.token, region=settings.region)
        self.hub = hub = Hub(limits, self._admission)
        proxies = TrustedProxies(settings.trusted_proxies)
        self.shared = Shared(
            hub=hub,
            visitors=Visitors(settings.realtime_origins, proxies),
            clients=ClientCounts(limits.client_connections_max, proxies),
            fanning=asyncio.Event(),
        )
        stir = self.shared.fanning.set
        self.carrier: Carrier = (
            Valkey(hub, stir, parse_address(settings.redis), secrets.token_hex(8))
            if settings.redis
            else Alone(hub, stir)
        )
        self.certificates = Certificates(given.pems, HTTP_1_ONLY) if given.pems else None
        self._listener, self._passage = given.listener, given.passage
        self._edge_limits = settings.limits
        self._ending = asyncio.Event()

    async def run(self, control: socket.socket | None) -> None:
        """Serve until SIGTERM or the supervisor's end, then let everybody go."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)
        factory = partial(HubConnection, self.shared)
        own: Callable[[], asyncio.Protocol] = factory
        if self.certificates is not None:
            own = secure_factory(self.certificates.context, self._edge_limits, self.hub, factory)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        server = await loop.create_server(own, sock=self._listener, backlog=BACKLOG)
        quiet_collector()
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(self.carrier.run()),
                group.create_task(self._beat()),
                group.create_task(self._fan_out()),
            ]
            if self._passage is not None:
                running.append(group.create_task(self._take_over(self._passage, factory)))
            if control is not None:
                asked: Answers = {
                    "access": self.open_with,
                    "counters": self.told,
                    "publish": self.publish,
                    "renew": self.renew,
                    "sync": self.sync,
                }
                line = await ControlLine.open(control, asked)
                running.append(group.create_task(self._answer(line)))
            await self._ending.wait()
            server.close()
            await self._drain()
            for task in running:
                task.cancel()

    async def sync(self, _detail: Any) -> int:
        """Say that we serve."""
        return 0

    async def publish(self, said: Any) -> dict[str, Any]:
        """Tell pages what the origin says."""
        try:
            told = parse_lasting(said)
        except ValueError as error:
            return {"error": str(error)}
        return {"carried": await self.carrier.publish(told)}

    async def told(self, _detail: Any) -> dict[str, float]:
        """The counters and gauges, by name."""
        hub = self.hub
        lost = {"fanout-lost": hub.fanouts.lost, "bytes": self.shared.bytes_sent}
        return values(hub.counted | lost | hub.gauges())

    async def renew(self, pems: list[list[str]]) -> None:
        """Take new certificates for connections to come."""
        if self.certificates is not None:
            self.certificates.renew([Pem(*pem) for pem in pems])

    async def open_with(self, ring: str) -> bool:
        """Read tokens by another ring, also of those who are here; others are heard in between."""
        self._admission.follow(ring)
        for number, client in enumerate(list(self.hub.clients), start=1):
            self.hub.verify_again(client, time.time())
            if number % self.hub.limits.fanout_clients == 0:
                await asyncio.sleep(0)
        return True

    async def _answer(self, line: ControlLine) -> None:
        await line.run()
        self._ending.set()  # the supervisor hung up

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            self.hub.beat(time.monotonic(), time.time())
            self.shared.fanning.set()

    async def _fan_out(self) -> None:
        """Send what is to be sent, a slice at a time: others are heard in between."""
        hub, stirred = self.hub, self.shared.fanning
        while True:
            await stirred.wait()
            stirred.clear()
            while hub.fanouts.step(hub.limits.fanout_clients):  # noqa: ASYNC110 waits for nothing
                await asyncio.sleep(0)
            if hub.outward:
                said, hub.outward = hub.outward, []
                self.carrier.speak(said)

    async def _take_over(self, passage: socket.socket, factory: partial[HubConnection]) -> None:
        """Serve connections that workers have accepted, from the head that they have read."""
        loop = asyncio.get_running_loop()
        while True:
            await _readable(loop, passage)
            for _ in range(HUB_HANDOVER_MAX):
                found = take_over(passage, self._edge_limits.head_max_bytes)
                if found is None:
                    break
                accepted, head = found
                try:
                    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
                    _, connection = await loop.connect_accepted_socket(factory, accepted)
                except OSError:  # its page has gone meanwhile
                    accepted.close()
                else:
                    connection.data_received(head)

    async def _drain(self) -> None:
        """Send pages elsewhere, a few at a time, so that they do not all come at once there."""
        shared = self.shared
        shared.is_draining = True
        log.info("draining %d pages", len(shared.open))
        going = list(shared.open)
        steps = max(1, round(shared.hub.limits.drain_s / 0.1))
        for step in range(steps):
            for connection in going[step::steps]:
                connection.close(Close.GOING_AWAY)
            if step < len(going):
                await asyncio.sleep(0.1)
        for connection in list(shared.open):
            connection.abort()


async def _readable(loop: asyncio.AbstractEventLoop, passage: socket.socket) -> None:
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(passage, _be_ready, ready)
    try:
        await ready
    finally:
        loop.remove_reader(passage)


def _be_ready(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def run_hub(given: Handover, control: socket.socket) -> None:
    """Serve as a child of the node's supervisor."""
    await Service(given).run(control)


def main() -> None:
    """Run as a child of the node's supervisor."""
    tight_heap()
    os.nice(NICER_BY)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))  # a page needs one
    given, control = adopt()
    configure(process="realtime")
    uvloop.run(run_hub(given, control))


if __name__ == "__main__":
    main()
