"""The night of 18 November 2025 on a real stack: `python -m tests.failover_night`.

Two nginx providers stand in front of three real edges and an origin; beside each edge is a real
member, which answers DNS, too; knot takes updates with TSIG; the lease is in Valkey. Each is on a
host of its own (network namespaces). First come faults that must move nothing: one vantage that
does not reach a provider, one whose probe lies, a controller that is cut off. Then the night, with
all durations of the rules divided by the pace, and players by HLS that heed steering. What is
counted is seen from outside: edges' steering and routes, `dig` at four name servers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from failover.drilling import CORE_S, NIGHT_S, clock, is_bad
from failover.model import Detection
from tests.rig.namespaces import become_root
from tests.rig.night import DNS, LEASE, Night, night
from tests.rig.night_files import MEMBERS, ORIGIN, PROVIDERS
from tests.rig.night_story import uploaded
from tests.support.hls_viewer import HlsViewer

PACE: Final = 60.0
INTERVAL_S: Final = 0.5  # of probes: these cannot be as many times faster
FRESH_S: Final = 10.0
FAULT_S: Final = 15.0  # longer than a member waits for a controller before it decides for its edge
BACK_MAX_S: Final = 4 * 3_600.0  # after the last error, in seconds of the night
HEEDING, STAYING = 3, 3
LOOK_S: Final = 0.05
NEVER: Final = "never"
BUFFER_S: Final = 0.5  # and what is left of a segment


def detection(pace: float) -> str:
    """The rules as they come, each duration but those of probes divided by the pace."""
    usual = Detection()
    scaled = {
        "hold_off": usual.hold_off_s,
        "hold_off_max": usual.hold_off_max_s,
        "forget": usual.forget_s,
        "dwell": usual.dwell_s,
        "step": usual.step_s,
    }
    told = {name: f"{max(1, round(1e3 * each / pace))}ms" for name, each in scaled.items()}
    told |= {"interval": f"{round(1e3 * INTERVAL_S)}ms", "fresh": f"{round(FRESH_S)}s"}
    return f"{{{', '.join(f'{name}: {each}' for name, each in told.items())}}}"


@dataclass
class Told:
    """What came of it."""

    pace: float
    still: dict[str, bool] = field(default_factory=dict)  # by fault: nobody saw a move
    moves: dict[str, tuple[int, int]] = field(default_factory=dict)  # (failovers, failbacks)
    left_at: str = ""  # on the night's clock, by the last observer
    began_back_at: str = ""
    back_at: str = ""
    heeding: dict[str, float] = field(default_factory=dict)  # seconds, on the watch's clock
    staying: dict[str, float] = field(default_factory=dict)
    is_verified: bool = False

    @property
    def is_right(self) -> bool:
        """Whether it is what must be."""
        return (
            all(self.still.values()) and set(self.moves.values()) == {(1, 1)} and self.is_verified
        )


def say(text: str) -> None:
    """Tell who waits."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


async def one_vantage(it: Night) -> None:
    """A provider cannot be reached from one of the three."""
    it.net.cut(["m2"], ["one"])
    await asyncio.sleep(FAULT_S)
    it.net.restore(["m2"], ["one"])


async def lying_probe(it: Night) -> None:
    """One of the three finds wrong what is right."""
    it.end("m2")
    it.start("m2", "lying")
    await it.leader(but=["m2"])
    await asyncio.sleep(FAULT_S)
    it.end("m2")
    it.start("m2")


async def cut_off_controller(it: Night) -> None:
    """The one that leads reaches nobody any more: members, providers, lease, DNS."""
    leads = await it.leader()
    others = [name for name in (*MEMBERS, *PROVIDERS, ORIGIN, DNS, LEASE) if name != leads]
    it.net.cut([leads], others)
    say(f"  {leads} led; {await it.leader(but=[leads])} does now")
    await asyncio.sleep(FAULT_S)
    it.net.restore([leads], others)


async def deaf_controller(it: Night) -> None:
    """The one that leads keeps the lease, and hears no other member."""
    leads = await it.leader()
    others = [name for name in MEMBERS if name != leads]
    it.net.cut([leads], others)
    await asyncio.sleep(FAULT_S)
    it.net.restore([leads], others)


FAULTS: Final[dict[str, Callable[[Night], Awaitable[None]]]] = {
    "one vantage does not reach the provider": one_vantage,
    "one vantage's probe lies": lying_probe,
    "the controller is cut off from everybody": cut_off_controller,
    "the controller is cut off from other members": deaf_controller,
}


async def stand_still(it: Night, told: Told) -> None:
    """Let each fault happen, and see that nothing moves."""
    for name, fault in FAULTS.items():
        say(name)
        await fault(it)
        await it.leader()
        told.still[name] = set(it.sights.all_moves.values()) == {(0, 0)}


async def live_through(it: Night, told: Told) -> None:
    """Have the first provider do as it did that night, until all of its traffic is back."""
    one, began = it.providers["one"], time.monotonic()
    was = None
    while True:
        at_s = (time.monotonic() - began) * told.pace
        now = is_bad(at_s, 1.0), CORE_S <= at_s < NIGHT_S
        if now != was:
            one.do(is_bad=now[0], is_late=now[1])
            say(f"  {clock(at_s)} UTC: {'bad' if now[0] else '2 % bad' if now[1] else 'good'}")
            was = now
        shares = {it.sights.now.get(each) for each in it.observers}
        if at_s >= NIGHT_S and shares == {1.0}:
            break
        assert at_s < NIGHT_S + BACK_MAX_S + 3_600.0, it.told()
        await asyncio.sleep(LOOK_S)
    changes = [[each for each in it.sights.changes[o] if each[0] > began] for o in it.observers]
    at = [[clock((mono - began) * told.pace) for mono, _ in each] for each in changes]
    told.left_at = max((each[0] for each in at if each), default=NEVER)
    told.began_back_at = min((each[1] for each in at if len(each) > 1), default=NEVER)
    told.back_at = max((each[-1] for each in at if each), default=NEVER)


def summed(viewers: list[HlsViewer]) -> dict[str, float]:
    """What they had of it together."""
    return {
        "viewers": len(viewers),
        "played_s": round(sum(each.played_s for each in viewers), 1),
        "lost_s": round(sum(each.stalled_s for each in viewers), 1),
    }


async def whole(pace: float) -> Told:
    """All of it."""
    told = Told(pace)
    say("starting three edges, three members, two providers, an origin, knot and Valkey")
    async with night(detection(pace), told=uploaded) as it:
        await it.leader()
        await stand_still(it, told)
        short = {"url": it.url, "buffer_s": BUFFER_S, "penalty_s": 300.0 / pace}
        heeding = [HlsViewer(**short) for _ in range(HEEDING)]
        staying = [HlsViewer(**short, heeds=False) for _ in range(STAYING)]
        watching = [asyncio.create_task(each.watch()) for each in (*heeding, *staying)]
        await it.until(lambda: all(each.has_begun for each in (*heeding, *staying)), "a picture")
        say(f"the night, {pace:g} times as fast")
        await live_through(it, told)
        for task in watching:
            task.cancel()
        for ended in await asyncio.gather(*watching, return_exceptions=True):
            if isinstance(ended, Exception):  # else it is not known what that viewer lost
                raise ended
        told.moves = it.sights.all_moves
        told.heeding, told.staying = summed(heeding), summed(staying)
        status, said = await it.command("verify")
        told.is_verified = status == 0
        say(said.strip())
    return told


def show(told: Told) -> None:
    """Print it for people."""
    for fault, still in told.still.items():
        print(f"{fault}: {'nothing moved' if still else 'MOVED'}")
    for where, (falls, returns) in told.moves.items():
        print(f"{where}: {falls} failover, {returns} failback")
    print(f"left by all at {told.left_at} UTC, back from {told.began_back_at} to {told.back_at}")
    for name, each in (("heed steering", told.heeding), ("stay", told.staying)):
        print(f"{each['viewers']:g} who {name}: {each['lost_s']} of {each['played_s']} s lost")
    print(f"audit logs verify: {'yes' if told.is_verified else 'NO'}")


def main() -> None:
    """Run it as told."""
    become_root("tests.failover_night")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pace", type=float, default=PACE, help="seconds of the night in one")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    told = asyncio.run(whole(options.pace))
    if options.json:
        result: dict[str, Any] = asdict(told) | {"is_right": told.is_right}
        print(json.dumps(result, indent=2))
    else:
        show(told)
    sys.exit(0 if told.is_right else 1)


if __name__ == "__main__":
    main()
