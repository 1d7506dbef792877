"""Brings the edge beside a member to the decision, and learns from it what players do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from typing import Any, Final, TypeAlias

import httpx

from failover.decision import Decision
from failover.effects import RouteEdge, SteerEdge, routes_body, steering_body
from failover.evidence import PlayerEvidence
from failover.model import Model, Vantage
from failover.plan import wanted
from failover.wire import ODD, WORD_MAX, WireError, read_object

ORDERS: Final = ("steering", "routes")
LOOK_S: Final = 1.0  # between two looks at what the edge does
ANSWER_S: Final = 1.0

Shown: TypeAlias = dict[tuple[str, str], tuple[int, int]]
"""{(service, target): (players that asked for it, those of them that had left it)}"""

log = logging.getLogger("failover.at_edge")


class Edge:
    """The edge's admin listener."""

    def __init__(self, model: Model, vantage: Vantage, client: httpx.AsyncClient) -> None:
        """`client` has the edge's admin token."""
        self._model, self._vantage, self._client = model, vantage, client
        self._shown: Shown = {}
        self._counted: Shown = {}
        self._wake = asyncio.Event()
        self._decision: Decision | None = None
        self._followed: dict[str, Any] = {}  # the version that all its workers follow, by ORDERS
        self._failed = {"looking": "not asked yet"}  # why, by what was tried
        self._above: dict[
            str, tuple[int, int]
        ] = {}  # what it would take that it refused, by ORDERS
        self.observed: dict[str, Any] = {}  # {"steering": …, "routes": …} as the edge says

    @property
    def above(self) -> tuple[int, int]:
        """The version that a decision must reach for the edge to take it; (0, 0): any."""
        return max(self._above.values(), default=(0, 0))

    @property
    def why_not(self) -> str:
        """Why it does not follow, as far as that is known; empty if it does."""
        return next(iter(self._failed.values()), "")

    def act_on(self, decision: Decision) -> None:
        """Have the edge follow a decision from now on."""
        self._decision = decision
        self._wake.set()

    async def run(self) -> None:
        """Give orders and look what became of them until cancelled: neither waits for the other."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._order())
            tasks.create_task(self._look())

    async def _order(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._decision is not None:
                await self._tried("ordering", self._bring(self._decision))

    async def _look(self) -> None:
        while True:
            await self._tried("looking", self._see())
            version = self._decision and list(self._decision.version)
            if version and any(self._followed.get(each) != version for each in ORDERS):
                self._wake.set()
            await asyncio.sleep(LOOK_S)

    async def _tried(self, what: str, trying: Awaitable[None]) -> None:
        before = self.why_not
        try:
            await trying
            self._failed.pop(what, None)
        except (OSError, httpx.HTTPError, httpx.InvalidURL, WireError) as error:
            self._failed[what] = str(error) or type(error).__name__
        if self.why_not and self.why_not != before:
            log.warning("edge %s: %s", self._vantage.edge_admin, self.why_not)
        elif before and not self.why_not:
            log.info("edge %s answers", self._vantage.edge_admin)

    async def _bring(self, decision: Decision) -> None:
        """Give both orders side by side."""
        mine = list(wanted(self._model, decision))
        steers = [e for e in mine if isinstance(e, SteerEdge) and e.edge == self._vantage.name]
        routes = [e for e in mine if isinstance(e, RouteEdge) and e.edge == self._vantage.name]
        await asyncio.gather(
            self._put("steering", steering_body(decision.version, steers)),
            self._put("routes", routes_body(decision.version, routes)),
        )

    async def _put(self, what: str, order: Mapping[str, Any]) -> None:
        if self._followed.get(what) == order["version"]:
            return
        answer = await self._client.put(f"{self._vantage.edge_admin}/{what}", json=dict(order))
        self._above.pop(what, None)
        if answer.status_code == 409:
            self._above[what] = _refusing(answer, order["version"])
        if answer.status_code != 200:
            raise WireError(f"PUT /{what}: status {answer.status_code}: {answer.text[:WORD_MAX]}")
        self._followed[what] = order["version"]

    async def _see(self) -> None:
        for what in ORDERS:
            answer = await self._client.get(f"{self._vantage.edge_admin}/{what}")
            answer.raise_for_status()
            seen = read_object(answer.content)
            if what == "steering":
                self._shown = _shown_by_players(seen)
            if seen.get("version") != self._followed.get(what):
                self._followed.pop(what, None)
            self.observed[what] = dict(seen)

    def players(self) -> list[PlayerEvidence]:
        """What players have shown since this was last asked."""
        news, seen = [], self._shown
        for (service, target), (asked, left) in seen.items():
            before = self._counted.get((service, target), (0, 0))
            if asked < before[0]:  # the edge began anew
                before = (0, 0)
            if asked > before[0]:
                news.append(
                    PlayerEvidence(
                        service=service,
                        target=target,
                        fetched=asked - before[0],
                        left=max(0, left - before[1]),
                    )
                )
        self._counted = seen
        return news


def _refusing(answer: httpx.Response, version: list[int]) -> tuple[int, int]:
    """The version that an edge would take, which refuses one; raises WireError."""
    try:
        epoch, number = map(int, read_object(answer.content)["version"])
    except ODD as error:
        raise WireError(f"status 409 without a version: {error}") from None
    return epoch, number + ([epoch, number] == version)  # it has another one by the same name


def _shown_by_players(steering: Mapping[str, Any]) -> Shown:
    """Count what an edge has seen; raises WireError for what no edge of ours says."""
    shown: Shown = {}
    try:
        for row in steering.get("evidence", ()):
            name = str(row["service"]), str(row["told"])
            asked, left = shown.get(name, (0, 0))
            count = int(row["count"])
            went = row["on"] not in {row["told"], "here", ""}
            shown[name] = asked + count, left + count * went
    except ODD as error:
        raise WireError(f"GET /steering: no evidence: {error}") from None
    return shown
