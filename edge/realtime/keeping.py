"""What a node's supervisor has of its hub: the process, kept alive as a worker is."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from edge.handover import Handover
from edge.keeper import Keeper
from edge.listeners import bind, bound_to
from edge.metrics import Totals
from edge.purges import PurgePage
from edge.realtime import passage
from edge.realtime.gauges import COUNTERS, FAMILIES

if TYPE_CHECKING:
    from edge.settings import EdgeSettings
    from edge.tls import Pem

COMMAND: Final = (sys.executable, "-m", "edge.realtime.service")

log = logging.getLogger("edge.node")


class RealtimeError(Exception):
    """A signal was not carried everywhere: it should be said again."""


class HubPlace:
    """The sockets of a hub, taken before anything is started, and the process that serves them."""

    def __init__(
        self, settings: EdgeSettings, pems: tuple[Pem, ...], ring: str | None = None
    ) -> None:
        """Raises ListenError."""
        assert settings.realtime is not None
        (self._listener,) = bind(settings.realtime, option="--realtime")
        self.address = bound_to(self._listener)
        self._hubs_end, self.passage = passage.pair()
        self._page = PurgePage.create(workers=1)  # nothing is purged of a hub
        self._limits = settings.limits
        given = Handover(
            settings=replace(settings, workers=1, access_ring=""),
            worker_no=0,
            page=self._page,
            listener=self._listener,
            peer_dir=None,
            pems=pems,
            passage=self._hubs_end,
            ring=ring,
        )
        self.keeper = Keeper(given, COMMAND, {}, name="the realtime hub")
        self._totals = Totals([*COUNTERS, *FAMILIES])

    def close(self) -> None:
        """Give everything back."""
        for each in (self._listener, self._hubs_end, self.passage):
            each.close()
        self._page.close()

    async def publish(self, signal: Any) -> None:
        """Tell pages what the origin says. Raises ValueError for no signal, else RealtimeError."""
        try:
            limit_s = self._limits.control_s
            answer = await self.keeper.ask("publish", signal, limit_s=limit_s)
        except (TimeoutError, ConnectionError) as error:
            raise RealtimeError(f"the hub does not answer: {error}") from None
        if "error" in answer:
            raise ValueError(answer["error"])
        if not answer["carried"]:
            raise RealtimeError("only this edge's pages were told: Valkey is away")

    async def metrics(self) -> dict[str, float]:
        """What it counts; nothing falls when it is started anew."""
        keeper = self.keeper
        answers: dict[int, dict[str, float]] = {}
        if keeper.pid is not None:
            self._totals.retire([keeper.pid])
            try:
                limit_s = self._limits.control_s
                answers[keeper.pid] = await keeper.ask("counters", limit_s=limit_s)
            except (TimeoutError, ConnectionError):
                log.warning("the realtime hub does not say what it counts")
        return self._totals.update(answers)

    def status(self) -> dict[str, Any]:
        """What `/status` says of it."""
        keeper = self.keeper
        return {
            "listen": str(self.address),
            "pid": keeper.pid,
            "state": keeper.state.value,
            "restarts": keeper.restarts,
        }
