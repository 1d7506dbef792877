"""A node's prewarming, in its supervisor: what is ordered of which worker, and when it is ready."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Final

import httpx

from edge.gathering import Gathering
from edge.peer import ranking
from edge.prewarm_budget import policy_of
from edge.prewarm_plan import HORIZON_S, HOUR, WARM, Expected, Order, PlanBudget, plan
from edge.prewarmed import precision
from edge.settings import EdgeSettings
from edge.warm_lists import WARM_MAX, ListError, WarmList

if TYPE_CHECKING:
    from edge.keeper import Keeper

KEPT: Final = "popular.json"  # in the disk's directory
VERSION: Final = 1
KEEP_EVERY_S: Final = 60.0
PLAN_EVERY_S: Final = 2.0
ASK_EVERY_S: Final = 10.0  # other edges
WARM_STEP_S: Final = 0.1
WARM_HORIZON_S: Final = 3600.0  # for which a restarted edge is provided
ORDERED_S: Final = 60.0  # then it may have been evicted
LIST_BYTES_MAX: Final = 8 << 20
LIST_S: Final = 3.0
LIST_KEPT_S: Final = 5.0  # so long the same is told to all who ask: to make it takes long

log = logging.getLogger("edge.warming")


class Warming:
    """One node's; `run` plans until it is cancelled."""

    def __init__(
        self,
        settings: EdgeSettings,
        gathering: Gathering,
        keepers: Sequence[Keeper],
    ) -> None:
        self._settings = settings
        self._gathering = gathering
        self._keepers = keepers
        self._policy = policy_of(settings)
        self._file = None if settings.disk is None else Path(settings.disk) / KEPT
        self.is_warm = self._policy is None
        self._lists: list[WarmList] = []
        self._asked_mono = -ASK_EVERY_S
        self._ordered: dict[str, float] = {}  # key: until when it is not ordered again
        self._writing = Lock()
        self._said: dict[int, dict[str, Any]] = {}  # by worker: its last answer
        self._listed: tuple[float, list[tuple[str, str, float]]] = (-LIST_KEPT_S, [])

    async def run(self) -> None:
        """Go on from what was counted before; fill the node, then plan for it."""
        self._load()
        try:
            if self._policy is None:
                await self._keep_on()
            await self._warm()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_on())
                while True:
                    await self._round(self._planned())
                    await asyncio.sleep(PLAN_EVERY_S)
                    await self._ask_edges()
        finally:
            self.save()

    # before it is ready

    async def _warm(self) -> None:
        limits, began_mono = self._settings.limits, monotonic()
        try:
            async with asyncio.timeout(limits.warm_s):
                await self._ask_edges()
                orders = self._warm_orders()
                await self._round(orders)
                while any(said["left"] or said["expanded"] for said in self._said.values()):
                    await asyncio.sleep(WARM_STEP_S)
                    await self._round([])
        except TimeoutError:
            log.warning("ready before all was there: %.0f s are over", limits.warm_s)
        self.is_warm = True
        if self._ordered:
            took_s = monotonic() - began_mono
            log.info("warm with %d objects after %.1f s", len(self._ordered), took_s)

    def _warm_orders(self) -> list[Order]:
        """What its region watches; else what it was asked for itself before it was restarted."""
        expected: list[Expected] = []
        for each in self._lists:
            expected += each.expected(WARM_HORIZON_S, WARM)
        if not expected:
            own = self._gathering.audience.warm_list(WARM_MAX, monotonic())
            minutes = WARM_HORIZON_S / 60.0
            expected = [Expected(key, per_minute * minutes, WARM) for key, _, per_minute in own]
        return plan(expected, (), _budget(WARM_MAX), is_busy=False)

    # while it serves

    def _planned(self) -> list[Order]:
        """What rises elsewhere, and what is usual at the hour that comes."""
        assert self._policy is not None
        now_mono, soon_wall = monotonic(), time() + HORIZON_S
        self._ordered = {key: until for key, until in self._ordered.items() if now_mono < until}
        audience = self._gathering.audience
        own_per_minute = audience.stories.per_minute(None, now_mono)
        expected: list[Expected] = []
        for each in self._lists:
            expected += each.rising(own_per_minute, HORIZON_S)
        if int(soon_wall // 3600.0) != int(time() // 3600.0):  # a new hour begins meanwhile
            usual = audience.hours.usual(soon_wall)
            expected += [
                Expected(key, count * HORIZON_S / 3600.0, HOUR) for key, count in usual.items()
            ]
        busy = [said["busy"] for said in self._said.values()]
        most = int(self._policy.requests_per_s * PLAN_EVERY_S)
        return plan(expected, self._ordered, _budget(most), is_busy=bool(busy) and all(busy))

    async def _round(self, orders: Sequence[Order]) -> None:
        """Give each worker the orders for keys that it owns, and what all of them know."""
        now_mono = monotonic()
        retention = self._gathering.audience.retention.to_list()
        routed: dict[int, list[Order]] = {keeper.worker_no: [] for keeper in self._keepers}
        for order in [*orders, *self._expanded()]:
            if self._ordered.get(order.key, 0.0) <= now_mono:
                self._ordered[order.key] = now_mono + ORDERED_S
                owner = ranking(order.key.encode("latin-1"), len(routed))[0]
                routed[owner].append(order)
        detail = {"retention": retention, "ready": self.is_warm}
        asked = [
            self._tell(keeper, detail | {"orders": routed[keeper.worker_no]})
            for keeper in self._keepers
            if keeper.serving.is_set()
        ]
        await asyncio.gather(*asked)

    async def _tell(self, keeper: Keeper, detail: dict[str, Any]) -> None:
        limit_s = self._settings.limits.control_s
        self._said.pop(keeper.worker_no, None)
        with suppress(TimeoutError, ConnectionError):
            self._said[keeper.worker_no] = await keeper.ask("prewarm", detail, limit_s=limit_s)

    def _expanded(self) -> Iterable[Order]:
        """What orders for playlists led to."""
        for said in self._said.values():
            yield from (Order(*each) for each in said["expanded"])

    # other edges

    async def _ask_edges(self) -> None:
        """Ask other edges what is watched there, if that was long ago."""
        urls, now_mono = self._settings.warm_from, monotonic()
        if not urls or now_mono - self._asked_mono < ASK_EVERY_S:
            return
        self._asked_mono = now_mono
        headers = {"authorization": f"Bearer {self._settings.token}"}
        async with httpx.AsyncClient(headers=headers, timeout=LIST_S, trust_env=False) as http:
            found = await asyncio.gather(*(self._list_of(http, url) for url in urls))
        self._lists = [each for each in found if each is not None]

    async def _list_of(self, http: httpx.AsyncClient, url: str) -> WarmList | None:
        try:
            async with http.stream("GET", f"{url}/popular", params={"warm": ""}) as answer:
                answer.raise_for_status()
                text = b""
                async for piece in answer.aiter_bytes():
                    text += piece
                    if len(text) > LIST_BYTES_MAX:
                        raise ListError("too long")
            told = json.loads(text)
            if not isinstance(told, dict):
                raise ListError("not an object")
            return WarmList(told, self._settings.listen.port)
        except (httpx.HTTPError, ValueError, ListError) as error:
            log.warning("%s does not say what is watched there: %s", url, error)
            return None

    def told(self) -> dict[str, Any]:
        """What `GET /popular?warm` says beside the rest."""
        now_mono = monotonic()
        if now_mono - self._listed[0] >= LIST_KEPT_S:
            self._listed = now_mono, self._gathering.audience.warm_list(WARM_MAX, now_mono)
        return {"port": self._settings.listen.port, "warm": self._listed[1]}

    def summary(self) -> dict[str, Any]:
        """What `GET /popular` says of prewarming."""
        used = sum(said["used_bytes"] for said in self._said.values())
        wasted = sum(said["wasted_bytes"] for said in self._said.values())
        return {
            "on": self._policy is not None,
            "ready": self.is_warm,
            "precision": round(precision(used, wasted), 4),
            "used_bytes": used,
            "wasted_bytes": wasted,
        }

    # what outlasts a restart

    async def _keep_on(self) -> None:
        while True:
            await asyncio.sleep(KEEP_EVERY_S)
            await asyncio.to_thread(self._write, self._text())

    def save(self) -> None:
        """Write down what was counted."""
        self._write(self._text())

    def _text(self) -> str:
        audience = self._gathering.audience
        if self._file is None:
            return ""
        return json.dumps(
            {"version": VERSION, "wall": time(), "audience": audience.to_mapping(monotonic())}
        )

    def _write(self, text: str) -> None:
        if self._file is None:
            return
        aside = self._file.with_suffix(".new")
        try:
            with self._writing:
                aside.write_text(text)
                aside.replace(self._file)
        except OSError as error:
            log.warning("what is popular is not kept: %s", error)

    def _load(self) -> None:
        if self._file is None:
            return
        audience = self._gathering.audience
        try:
            said = json.loads(self._file.read_text())
            if said["version"] == VERSION:
                away_s = max(0.0, time() - float(said["wall"]))
                audience.take_in(said["audience"], monotonic() - away_s)
        except FileNotFoundError:
            return
        except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
            self._gathering.begin_anew()
            log.warning("what was popular is forgotten: %s: %s", self._file, error)


def _budget(requests: int) -> PlanBudget:
    """Workers count bytes as they come; a plan is bounded by its length."""
    return PlanBudget(requests=requests, bytes=float("inf"))
