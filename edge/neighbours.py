"""A worker's dealings with the other edges of its region: whom it asks, and who may ask it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from edge.control import ControlLine
from edge.counters import Counters
from edge.entry import VIA
from edge.errors import UpstreamError
from edge.fetch import Fetch, FillClient
from edge.forwarding import TOKEN
from edge.in_force import InForce
from edge.listeners import bind_another
from edge.members import configured
from edge.opening import Opened
from edge.reading import Account
from edge.region_sequence import said
from edge.routes import Upstream
from edge.settings import EdgeSettings
from edge.shield import Shield
from edge.shield_app import Entrance
from edge.shield_asking import ShieldAsker, patient
from edge.tasks import Tasks
from failover.health import Signal

_READY: Final = b"/.amaro/ready"


class Neighbours:
    """What a worker has of its region; one that is in none has nobody to ask."""

    def __init__(
        self,
        settings: EdgeSettings,
        opened: Opened,
        *,
        account: Account,
        counters: Counters,
        in_force: InForce,
    ) -> None:
        self._settings = settings
        self._places = opened.region
        self.line: ControlLine | None = None  # to the supervisor
        self._reading: asyncio.Event | None = None  # set when it has ended
        self._tasks = Tasks()
        self._listed = frozenset(settings.shield)
        self.shield = Shield(settings.advertise or None)
        self.shield.follow(configured(list(settings.shield)))
        self._client = FillClient(patient(settings.limits), account)
        self._counters = counters
        self.asker: ShieldAsker | None = None
        if not settings.region_token:
            return
        self.asker = ShieldAsker(
            shield=self.shield,
            client=self._client,
            places=opened.region,
            purged=opened.purged,
            in_force=in_force,
            limits=settings.limits,
            counters=counters,
            token=settings.region_token.encode(),
        )

    def listeners(self) -> Iterator[socket.socket]:
        """Where other edges ask this worker, if they may. Raises ListenError."""
        if self._settings.peer is not None:
            yield bind_another(self._settings.peer, option="--peer")

    def entrance(self, catch_up: Callable[[], int]) -> Entrance:
        """What decides on other edges' questions."""
        return Entrance(
            shield=self.shield,
            places=self._places,
            counters=self._counters,
            token=self._settings.region_token.encode(),
            catch_up=catch_up,
            read_on=self.read_on,
        )

    async def read_on(self) -> None:
        """Have the supervisor read the log of purges, and wait for that a little."""
        if self._reading is None:
            self._reading = asyncio.Event()
            self._tasks.start(self._read_on(self._reading))
        await self._reading.wait()

    async def _read_on(self, ended: asyncio.Event) -> None:
        try:
            if self.line is not None:
                with suppress(TimeoutError, ConnectionError):
                    await self.line.ask("read-on", limit_s=self._settings.limits.edge_catch_up_s)
        finally:
            self._reading = None
            ended.set()

    async def follow(self, members: Mapping[str, float]) -> None:
        """Take another list of members for true; the supervisor has it.

        What was counted of one that left is there until the list changes once more.
        """
        before, self._listed = self._listed, frozenset(members)
        self._counters.forget_edges(before | self._listed)
        self.shield.follow(members)

    async def told(self, _detail: Any) -> dict[str, Any]:
        """What `/status` says of this worker's members."""
        return dict(self.gauges())

    def gauges(self) -> Iterator[tuple[str, float]]:
        """The values of gauges, by name."""
        return self.shield.told()

    async def probe(self) -> None:
        """Ask members that failed whether they are well, again and again: their only way back."""
        while self.asker is not None:
            await asyncio.sleep(self._settings.limits.edge_probe_s)
            await asyncio.gather(*map(self._probe, self.shield.doubted()))

    async def _probe(self, upstream: Upstream) -> None:
        host = f"{upstream.host}:{upstream.port}".encode()
        token = self._settings.region_token.encode()
        fields = (
            (b"host", host),
            (b"via", VIA),
            (b"user-agent", b"amaro-edge probe"),
            (TOKEN, token),
        )
        signal = Signal.FAIL
        try:
            async with asyncio.timeout(self._settings.limits.edge_silent_s):
                response = await self._client.fetch(upstream, Fetch(b"HEAD", _READY, fields))
        except (TimeoutError, UpstreamError):
            pass
        else:
            response.close()
            if response.status < 400 and said(response.fields) is not None:
                signal = Signal.OK  # an edge, of this region
        self.shield.saw(upstream, signal)

    async def close(self) -> None:
        """Let go of connections."""
        await self._tasks.close()
        self._client.close()
