"""What an origin pushes to the admin listener: the end of the region's log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from edge.admin import admin_app
from edge.publishing import Publishing
from edge.purges import PurgePage
from edge.region import Region
from edge.settings import EdgeSettings, Limits
from tests.support.edge_node import TOKEN, settings_for
from tests.support.purge_log import LOG, ServedLog, served_log


class Node:
    """What the admin listener asks for purges."""

    def __init__(self, settings: EdgeSettings, *, forgets: bool = False) -> None:
        self.page = PurgePage.create(workers=1)
        self.publishing = Publishing(
            page=self.page,
            disk=None,
            reached=lambda order: order,
            followed=at_once,
            forgets=forgets,
        )
        self.region = Region(settings, self.publishing, b"\x01" * 8)
        self.purge = self.publishing.order

    async def post(self, message: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        app: Starlette = admin_app(self, TOKEN)  # type: ignore[arg-type]
        way = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=way, base_url="http://edge") as client:
            headers = {"authorization": f"Bearer {TOKEN}"}
            answer = await client.post("/purge", json=message, headers=headers)
        return answer.status_code, answer.json()

    def values(self) -> list[bytes]:
        return [purge.value for purge in self.page.history() if purge.value]


async def at_once(_behind: object) -> None:
    """There are no workers."""


@asynccontextmanager
async def node(log: ServedLog | None, *, forgets: bool = False) -> AsyncIterator[Node]:
    url = None if log is None else log.url
    made = Node(settings_for(purge_log=url, region="north", limits=Limits()), forgets=forgets)
    await made.region.begin()
    try:
        yield made
    finally:
        await made.region.close()
        made.page.close()


async def test_it_is_carried_out_and_the_number_acknowledged() -> None:
    with served_log() as log:
        async with node(log) as edge:
            log.tag("a", "b")
            status, said = await edge.post(log.message(0))
            assert status == 200
            assert (said["log"], said["number"], said["edge"]) == (LOG, 2, "north")
            assert edge.values() == [b"a", b"b"]


async def test_a_gap_that_cannot_be_read_is_not_acknowledged() -> None:
    with served_log() as log:
        async with node(log) as edge:
            await edge.post(log.message(0) | {"purges": None, "number": 0})
            log.tag("a", "b")
            log.status = 503
            status, said = await edge.post(log.message(1))
            assert status == 503
            assert (said["log"], said["number"], said["edge"]) == (LOG, 0, "north")
            assert "503" in said["error"]
            assert edge.values() == []


async def test_an_edge_that_follows_no_log_carries_out_what_it_is_told() -> None:
    log = ServedLog()
    log.tag("a", "b")
    async with node(None) as edge:
        status, said = await edge.post(log.message(0))
        assert (status, said["number"]) == (200, 2)
        assert edge.values() == [b"a", b"b"]
        status, said = await edge.post({"log": LOG, "after": 2, "number": 3})
        assert (status, said["number"]) == (503, 0)
        assert "--purge-log" in said["error"]


@pytest.mark.parametrize("message", [{"log": 7}, {"log": LOG, "purges": []}], ids=str)
async def test_what_makes_no_sense_is_refused(message: dict[str, Any]) -> None:
    async with node(None) as edge:
        assert (await edge.post(message))[0] == 400


async def test_an_order_that_would_be_forgotten_is_not_acknowledged() -> None:
    with served_log() as log:
        async with node(log, forgets=True) as edge:
            status, said = await edge.post({"tag": "x"})
            assert status == 503
            assert "no disk" in said["error"]
            assert edge.values() == [b"x"]  # carried out all the same
            log.tag("a")
            assert (await edge.post(log.message(0)))[0] == 200
