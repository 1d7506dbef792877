"""Asks every origin of a group, again and again, whether it is well: the only way back for one.

One worker asks for the whole node, and the others hear what it found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from edge.asking import health_signal, word_for
from edge.counters import Counters
from edge.entry import VIA
from edge.errors import UpstreamError
from edge.fetch import Fetch, FillClient
from edge.origins import Origins
from edge.routes import Upstream
from edge.settings import Limits
from failover.health import Signal

if TYPE_CHECKING:
    from edge.keeper import Keeper

PROBE_S: Final = 2.0  # for one answer; a slow origin is worth less than the next


class Prober:
    """Probes the origins that another could stand in for."""

    def __init__(
        self,
        client: FillClient,
        origins: Origins,
        counters: Counters,
        *,
        path: str,
        limit_s: float = PROBE_S,
    ) -> None:
        self._client = client
        self._origins = origins
        self._counters = counters
        self._path = path.encode()
        self._limit_s = limit_s

    async def round(self) -> dict[str, str]:
        """Probe all once; return what that showed of each URL, as `Signal` says it."""
        probed = self._origins.probed()
        signals = await asyncio.gather(*map(self._probe, probed))
        found = {each.url: signal.value for each, signal in zip(probed, signals, strict=True)}
        self.hear(found)
        return found

    def hear(self, found: dict[str, str]) -> None:
        """Learn what a round has found, here or in another worker."""
        for url, signal in found.items():
            self._origins.saw(Upstream(url), Signal(signal))

    async def _probe(self, upstream: Upstream) -> Signal:
        authority = f"{upstream.host}:{upstream.port}".encode()
        fields = ((b"host", authority), (b"via", VIA), (b"user-agent", b"amaro-edge probe"))
        try:
            async with asyncio.timeout(self._limit_s):
                response = await self._client.fetch(upstream, Fetch(b"HEAD", self._path, fields))
        except TimeoutError:
            self._counters.origin_failed(upstream.url, "probe-timeout")
            return Signal.FAIL
        except UpstreamError as error:
            self._counters.origin_failed(upstream.url, error.detail)
            return Signal.FAIL
        response.close()
        signal = health_signal(response.status)
        if signal is Signal.FAIL:
            self._counters.origin_failed(upstream.url, word_for(response.status))
        return signal


async def probe_for_all(
    keepers: Sequence[Keeper], limits: Limits, several: Callable[[], bool]
) -> None:
    """Have one worker probe, the first that answers, and the others hear of it; until cancelled.

    Nobody does while no servers could stand in for each other, as `several` tells.
    """
    while True:
        await asyncio.sleep(limits.probe_s)
        if not several():
            continue
        serving = [keeper for keeper in keepers if keeper.serving.is_set()]
        for prober in serving:
            try:
                found = await prober.ask("probe", limit_s=PROBE_S + limits.control_s)
            except (TimeoutError, ConnectionError):
                continue
            others = [keeper for keeper in serving if keeper is not prober]
            told = [keeper.ask("probed", found, limit_s=limits.control_s) for keeper in others]
            await asyncio.gather(*told, return_exceptions=True)  # who is gone has nobody to ask
            break
