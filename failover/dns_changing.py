"""Bringing a name to new records at one provider: an effect that may be repeated at any time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from failover.dns_contract import DnsAdapter
from failover.dns_errors import ConflictError, DnsError, RateLimitedError
from failover.rrsets import RRsets, with_ttl, with_ttl_min

PAUSE_S: Final = 0.2  # before what failed is asked again, doubled each time
PAUSE_MAX_S: Final = 2.0
CONFLICTS_MAX: Final = 3  # then somebody else keeps changing the name

Pause: TypeAlias = Callable[[float], Awaitable[None]]


class DeposedError(Exception):
    """Whoever began a change is not to write any more; nothing was written since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a change came to."""

    before: RRsets
    after: RRsets
    acted: bool  # False: it was so already
    attempts: int


def _always() -> bool:
    return True


async def set_records(  # noqa: PLR0913 - what to bring where, and how long one may
    adapter: DnsAdapter,
    zone: str,
    name: str,
    wanted: RRsets,
    *,
    within_s: float = 8.0,
    may_act: Callable[[], bool] = _always,
    pause: Pause = asyncio.sleep,
) -> Changed:
    """Bring a name to `wanted`, whatever it has; raises the last DnsError when time is over.

    `may_act` is asked before every write, since what was found there may be another's by then:
    raises DeposedError when it says no. `pause` waits before what failed is tried again, at most
    so many seconds; a provider that names a time itself is given that time.
    """
    return await _bring(adapter, zone, name, lambda _: wanted, within_s, may_act, pause)


async def set_ttl(
    adapter: DnsAdapter, zone: str, name: str, ttl_s: int, *, within_s: float = 8.0
) -> Changed:
    """Give the values that a name has another TTL; a switch that comes between them wins."""
    return await _bring(
        adapter, zone, name, lambda found: with_ttl(found, ttl_s), within_s, _always, asyncio.sleep
    )


async def _bring(  # noqa: PLR0913, PLR0917 - as set_records
    adapter: DnsAdapter,
    zone: str,
    name: str,
    want: Callable[[RRsets], RRsets],
    within_s: float,
    may_act: Callable[[], bool],
    pause: Pause,
) -> Changed:
    until_mono = time.monotonic() + within_s
    before: RRsets | None = None
    conflicts = attempts = 0
    while True:
        attempts += 1
        try:
            found = await adapter.read(zone, name)
            before = found if before is None else before
            wanted = with_ttl_min(want(found), adapter.ttl_min_s)
            if not may_act():
                raise DeposedError
            await adapter.replace(zone, name, found, wanted)
        except DnsError as error:
            conflicts += isinstance(error, ConflictError)
            pause_s = _pause_s(error, attempts)
            is_final = not error.retryable and not 0 < conflicts < CONFLICTS_MAX
            if is_final or time.monotonic() + pause_s >= until_mono:
                raise
            is_told = isinstance(error, RateLimitedError)
            await (asyncio.sleep if is_told else pause)(pause_s)
            if not may_act():
                raise DeposedError from None
        else:
            # An update whose answer was lost has acted, too.
            return Changed(before=before, after=wanted, acted=before != wanted, attempts=attempts)


def _pause_s(error: DnsError, attempts: int) -> float:
    """Seconds to wait before the next attempt."""
    if isinstance(error, RateLimitedError):
        return error.retry_after_s
    return float(min(PAUSE_MAX_S, PAUSE_S * 2 ** (attempts - 1)))
