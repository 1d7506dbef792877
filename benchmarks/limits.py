"""What limits cost a hit, and all that a hit can have on, without any socket.

Run with `python -m benchmarks.limits`. Rows: `none` has no limits; `rate` one for every client,
`places` one more about other paths, `bandwidth` one that is not reached; `everything` has a token,
CMCD in the query, the rate, and samples of what is watched; `token` and `cmcd` have one of these,
`bare` has none.
"""

import asyncio
from typing import Any, Final
from urllib.parse import quote

from benchmarks.access import (
    HITS,
    RING,
    Turn,
    granted,
    request,
    turn_of,
    worker_with,
)
from benchmarks.alternating import alternating
from benchmarks.command import arguments, run
from benchmarks.report import Report
from cache_policies.load import load_policies
from edge.worker import Worker

RATE_MAX_US: Final = 0.3
HIT_US: Final = 8.5  # of processor time, over sockets (`hit_path`, 1KiB)
SHARE_MAX: Final = 0.1  # of that, for everything
RATE: Final = "limits: [{name: a, rate: 1000000/s, burst: 1000000}"
POLICIES: Final = {
    "rate": RATE + "]",
    "places": RATE + ", {name: b, match: {path: /api/*}, rate: 1/s}]",
    "bandwidth": RATE + ", {name: b, bandwidth: 900GB/s}]",
}
SESSION: Final = 'sid="6e2fb550-c457-11e9-bb97-0800200c9a66"'
CMCD: Final = f"?CMCD={quote(f'bl=9100,br=3200,d=4004,mtp=25400,ot=v,sf=h,{SESSION}')}".encode()


def limited(name: str | None, *, ring: str | None = None) -> Worker:
    """A worker under the limits of a row, with one object."""
    told: dict[str, Any] | None = None
    if name is not None:
        told = load_policies(POLICIES[name].encode(), name).to_mapping()
    return worker_with(ring, signed=ring is not None, policies=told)


def with_cmcd(asked: bytes) -> bytes:
    """A request with what the player tells of itself."""
    return asked.replace(b" HTTP/1.1", CMCD + b" HTTP/1.1")


def turns() -> dict[str, Turn]:
    """What is measured, by name. A running loop has the samples read."""
    plain = [request(None)] * HITS
    everything = limited("rate", ring=RING)
    everything.sampler.start(asyncio.get_running_loop())
    everything.sampler.weight = 200  # at 50 000 requests a second
    return {
        "none": turn_of(limited(None), plain),
        **{name: turn_of(limited(name), plain) for name in POLICIES},
        "bare": turn_of(limited(None), plain),
        "token": turn_of(limited(None, ring=RING), [request(granted())] * HITS),
        "cmcd": turn_of(limited(None), [with_cmcd(request(None))] * HITS),
        "everything": turn_of(everything, [with_cmcd(request(granted()))] * HITS),
    }


async def measured(rounds: int) -> dict[str, float]:
    """The median of each row's turns in microseconds a request."""
    return await alternating(turns(), rounds)


def measure(*, quick: bool) -> Report:
    """Measure all rows and set them beside what they may cost."""
    rounds = 15 if quick else 101
    took_us = asyncio.run(measured(rounds))
    rate_us = took_us["rate"] - took_us["none"]
    share = (took_us["everything"] - took_us["bare"]) / HIT_US
    ratios: dict[str, Any] = {
        "rate": {"adds_us": rate_us, "allowed_us": RATE_MAX_US, "reached": rate_us <= RATE_MAX_US},
        "everything": {"share": share, "allowed": SHARE_MAX, "reached": share <= SHARE_MAX},
    }
    figures = {name: {"hit_us": took} for name, took in took_us.items()}
    return Report(name="limits", runs=rounds, figures=figures, ratios=ratios)


if __name__ == "__main__":
    options = arguments(__doc__)
    run(lambda: measure(quick=options.quick), options)
