"""Asks every origin of a group, again and again, whether it is well: the only way back for one."""

import asyncio
from typing import Final

from edge.asking import health_signal
from edge.entry import VIA
from edge.errors import UpstreamError
from edge.fetch import Fetch, FillClient
from edge.origins import Origins
from edge.routes import Upstream
from failover.health import Signal

PROBE_S: Final = 2.0  # for one answer; a slow origin is worth less than the next


class Prober:
    """Probes the origins that another could stand in for."""

    def __init__(
        self, client: FillClient, origins: Origins, *, path: str, limit_s: float = PROBE_S
    ) -> None:
        self._client = client
        self._origins = origins
        self._path = path.encode()
        self._limit_s = limit_s

    async def run(self, every_s: float, *, after_s: float = 0.0) -> None:
        """Probe all, every `every_s` seconds, until cancelled; `after_s` sets workers apart."""
        if not self._origins.probed():
            return
        await asyncio.sleep(after_s)
        while True:
            await asyncio.gather(*map(self.probe, self._origins.probed()))
            await asyncio.sleep(every_s)

    async def probe(self, upstream: Upstream) -> None:
        """Ask one origin, and tell what that shows."""
        authority = f"{upstream.host}:{upstream.port}".encode()
        fields = ((b"host", authority), (b"via", VIA), (b"user-agent", b"amaro-edge probe"))
        try:
            async with asyncio.timeout(self._limit_s):
                response = await self._client.fetch(upstream, Fetch(b"HEAD", self._path, fields))
        except (UpstreamError, TimeoutError):
            self._origins.saw(upstream, Signal.FAIL)
            return
        self._origins.saw(upstream, health_signal(response.status))
        response.close()
