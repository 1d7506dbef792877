"""The hub's own listener over TLS: the handshakes of the workers, with a page behind them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, Final

from edge.realtime.connection import HubConnection
from edge.realtime.hub import Hub
from edge.secure import Handshakes, SecureConnection
from edge.settings import Limits


class _Counters:
    """Counts refusals where the hub counts."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def refuse(self, reason: str) -> None:
        self._hub.counted[f"handshake {reason}"] += 1


class _Shared:
    """What `Handshakes` needs."""

    def __init__(self, limits: Limits, hub: Hub) -> None:
        self.limits, self.counters = limits, _Counters(hub)


_UNUSED: Final[Any] = None  # what uvicorn gives to protocols


def secure_factory(
    context: ssl.SSLContext,
    limits: Limits,
    hub: Hub,
    factory: Callable[[], HubConnection],
) -> Callable[[], asyncio.Protocol]:
    """Make protocols that decrypt what comes and give it to one of `factory`."""
    shared: Any = _Shared(limits, hub)
    given = {
        "http1": staticmethod(lambda *_: factory()),
        "handshakes": Handshakes(shared, context),
    }
    secure = type("SecureHubConnection", (SecureConnection,), given)
    return lambda: secure(_UNUSED, _UNUSED, _UNUSED, asyncio.get_running_loop())
