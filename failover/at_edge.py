"""Brings the edge beside a member to the decision, and learns from it what players do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import httpx

from failover.decision import Decision
from failover.effects import RouteEdge, SteerEdge, routes_body, steering_body
from failover.evidence import PlayerEvidence
from failover.model import Model, Vantage
from failover.plan import wanted
from failover.wire import ODD, WORD_MAX, WireError, read_object

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
        self.observed: dict[str, Any] = {}  # {"steering": …, "routes": …} as the edge says
        self.why_not = "not asked yet"

    def act_on(self, decision: Decision) -> None:
        """Have the edge follow a decision from now on."""
        self._decision = decision
        self._wake.set()

    async def run(self) -> None:
        """Compare and mend until cancelled; at once when there is a new decision."""
        while True:
            self._wake.clear()
            try:
                await self._bring()
                if self.why_not:
                    log.info("edge %s answers", self._vantage.edge_admin)
                self.why_not = ""
            except (OSError, httpx.HTTPError, httpx.InvalidURL, WireError) as error:
                said = str(error) or type(error).__name__
                if said != self.why_not:
                    log.warning("edge %s: %s", self._vantage.edge_admin, said)
                self.why_not = said
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _bring(self) -> None:
        decision = self._decision
        if decision is not None:
            mine = list(wanted(self._model, decision))
            steers = [e for e in mine if isinstance(e, SteerEdge) and e.edge == self._vantage.name]
            routes = [e for e in mine if isinstance(e, RouteEdge) and e.edge == self._vantage.name]
            await self._put("/steering", steering_body(decision.version, steers))
            await self._put("/routes", routes_body(decision.version, routes))
        for what in ("steering", "routes"):
            answer = await self._client.get(f"{self._vantage.edge_admin}/{what}")
            answer.raise_for_status()
            seen = read_object(answer.content)
            if what == "steering":
                self._shown = _shown_by_players(seen)
            self.observed[what] = dict(seen)

    async def _put(self, path: str, order: Mapping[str, Any]) -> None:
        seen = self.observed.get(path.removeprefix("/"))
        if seen is not None and seen.get("version") == order["version"]:
            return
        answer = await self._client.put(f"{self._vantage.edge_admin}{path}", json=dict(order))
        if answer.status_code != 200:
            raise WireError(f"PUT {path}: status {answer.status_code}: {answer.text[:WORD_MAX]}")

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
