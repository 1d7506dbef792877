"""A drill as an operator runs it: over the rules alone, or against the members that run."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx

from amaro.stack import StackError
from failover.drilling import NIGHT_S, clock
from failover.model import EVERYWHERE
from failover.rehearsing import drawn_of, rehearse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from amaro.failover_members import Members
    from failover.model import Model

LOOK_S: Final = 1.0
FETCH_S: Final = 2.0
BACK_MAX_S: Final = 900.0  # after the drill, until the target carries what it carried
NIGHT: Final = "18 November 2025, 11:20 to 17:06 UTC"
SYNTHETIC: Final = {
    "dry-run": [
        "time: no second of it passed",
        "every round of every probe, and so every fault; errors alternate every 5 min until 14:30",
        (
            "viewers: they use what they were told last until its TTL is over, have no buffer and "
            "leave nothing by themselves, as real players do"
        ),
        "what is applied: a decision is in force in the second in which it is taken",
    ],
    "live": [
        (
            "the fault: the controller hears good rounds of the target as failed while that "
            "night's would have; the target itself goes on, and players on it see nothing"
        ),
        "the first DNS provider's API: it is not asked until 14:30 of the night",
        (
            "viewers: they act on what members have in force, have no buffer, and share one "
            "fetch a second from each target"
        ),
    ],
}


def receipt(kind: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts with what of them is synthetic, and a SHA-256 digest over all of it."""
    told = {"kind": kind, "night": NIGHT, **facts, "synthetic": SYNTHETIC[kind]}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return told | {"digest": hashlib.sha256(text.encode()).hexdigest()}


def dry_run(
    model: Model, service: str, target: str, *, speed: float, viewers: int
) -> dict[str, Any]:
    """Return the receipt of the night in virtual time. Raises StackError for what is not there."""
    if why := model.why_unknown(service, target):
        raise StackError(why)
    told = rehearse(model, (service, target), speed=speed, viewers=viewers)
    kinds = sorted(told.seconds)
    return receipt(
        "dry-run",
        {
            "service": service,
            "target": target,
            "speed": speed,
            "viewers": dict.fromkeys(kinds, viewers),
            "viewer_seconds": {kind: told.seconds[kind] for kind in kinds},
            "lost": {kind: told.lost.get(kind, 0.0) for kind in kinds},
            "lost_if_nobody_moved": {kind: told.unmoved.get(kind, 0.0) for kind in kinds},
            "moves": told.moves,
            "back_at": None if told.back_at_s is None else clock(told.back_at_s),
        },
    )


@dataclass(slots=True)
class LiveDrill:
    """Viewers beside a drill that is on its way."""

    members: Members
    service: str
    target: str
    viewers: int
    speed: float
    say: Callable[[str], None]
    lost: float = 0.0
    unmoved: float = 0.0
    watched: float = 0.0
    moves: list[dict[str, Any]] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=dict)
    over: str = ""
    is_back: bool = False
    _shares: dict[str, Any] = field(default_factory=dict)

    def look(self) -> None:
        """Note what carries what before the drill begins."""
        asked = self.members.ask("/status")
        answers = [each.answer for each in asked if each.answer and each.status == 200]
        self._note([each["decision"] for each in answers if each["decision"]], 0.0)

    async def run(self) -> dict[str, Any]:
        """Watch until the drill is over and the target carries what it carried before."""
        headers = {"Authorization": f"Bearer {self.members.token}"}
        began = past = time.monotonic()
        ended: float | None = None
        async with httpx.AsyncClient(timeout=FETCH_S, trust_env=False) as http:
            while ended is None or time.monotonic() - ended < BACK_MAX_S:
                asked = [self._ask(http, url, headers) for url in self.members.urls]
                drills, decisions = zip(*await asyncio.gather(*asked), strict=True)
                drill = next((each for each in drills if each), None)
                now = time.monotonic()
                await self._watch(http, drill, now - past)
                self._note([each for each in decisions if each], now - began)
                past = now
                if drill and not drill["drill"] and ended is None:
                    ended, self.over = now, drill["over"] or "nobody knows why"
                    self.say(f"the drill is over: {self.over}")
                self.is_back = ended is not None and self._shares == self.before
                if self.is_back:
                    break
                await asyncio.sleep(LOOK_S)
        return self._receipt()

    async def _ask(
        self, http: httpx.AsyncClient, url: str, headers: Mapping[str, str]
    ) -> tuple[Any, Any]:
        """Return what a member says of the drill, if it leads, and what it acts on."""
        try:
            status = await http.get(f"{url}/status", headers=headers)
            drill = await http.get(f"{url}/drill", headers=headers)
            decision = status.json()["decision"] if status.status_code == 200 else None
            return (drill.json() if drill.status_code == 200 else None), decision
        except (httpx.HTTPError, ValueError, KeyError):
            return None, None

    def _note(self, decisions: list[Any], at_s: float) -> None:
        """Keep what is in force, by region, and when it changed."""
        for decision in sorted(decisions, key=lambda each: list(each["version"])):
            found = {
                c["region"]: sorted(map(list, c["shares"]))
                for c in decision["choices"]
                if c["service"] == self.service
            }
            if found and not self.before:
                self.before = dict(found)
            elif found and found != self._shares:
                was = self._shares
                regions = [region for region, now in found.items() if was.get(region) != now]
                shares = found[regions[0]]
                share = dict(map(tuple, shares)).get(self.target, 0.0)
                before = dict(map(tuple, was.get(regions[0], ()))).get(self.target, 0.0)
                places = ["DNS" if each == EVERYWHERE else each for each in regions]
                self.moves.append(
                    {
                        "after_s": round(at_s, 1),
                        "at": clock(min(at_s * self.speed, NIGHT_S)),
                        "regions": places,
                        "shares": shares,
                        "is_away": share < before,
                    }
                )
                words = ", ".join(f"{name} {part:.0%}" for name, part in shares)
                self.say(f"after {at_s:.1f} s: {', '.join(places)} {words}")
            self._shares = found or self._shares

    async def _watch(self, http: httpx.AsyncClient, drill: Any, passed_s: float) -> None:
        """Let every viewer fetch from what its region is told to use."""
        regions = [region for region in self._shares if region != EVERYWHERE] or [EVERYWHERE]
        uses: dict[str, int] = {}
        for number in range(self.viewers):
            shares = self._shares.get(regions[number % len(regions)])
            if shares:
                name = drawn_of(shares, (number + 0.5) / self.viewers)
                uses[name] = uses.get(name, 0) + 1
        running = (drill or {}).get("drill")
        urls = (drill or {}).get("urls", {})
        fails = {self.target} if running and running["is_failing"] else set()
        real = await asyncio.gather(
            *(_fetches(http, urls.get(f"{self.service}/{name}", "")) for name in uses)
        )
        fails |= {name for name, is_good in zip(uses, real, strict=True) if not is_good}
        self.watched += passed_s * sum(uses.values())
        self.lost += passed_s * sum(count for name, count in uses.items() if name in fails)
        self.unmoved += passed_s * sum(uses.values()) * (self.target in fails)

    def _receipt(self) -> dict[str, Any]:
        return receipt(
            "live",
            {
                "service": self.service,
                "target": self.target,
                "speed": self.speed,
                "viewers": {"steering": self.viewers},
                "viewer_seconds": {"steering": round(self.watched, 1)},
                "lost": {"steering": round(self.lost, 1)},
                "lost_if_nobody_moved": {"steering": round(self.unmoved, 1)},
                "moves": self.moves,
                "over": self.over,
                "is_back": self.is_back,
            },
        )


async def _fetches(http: httpx.AsyncClient, url: str) -> bool:
    """Say whether a target's own probe URL is answered; one that has none is not asked."""
    if not url:
        return True
    try:
        return (await http.get(url)).status_code < 500
    except httpx.HTTPError:
        return False
