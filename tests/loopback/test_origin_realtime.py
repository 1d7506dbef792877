"""Tokens of a real origin open a real hub, and a page keeps its pseudonym."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from cache_policies.signal_access import Claims, mint_signals, shared_ring, verify_signals
from origin.service import open_publisher
from origin.settings import OriginSettings
from origin.uploads import BODY_TYPE
from tests.support.counting_origin import counting_origin
from tests.support.edge_node import DEADLINE_S, TOKEN, edge_node
from tests.support.origin import create_headers, main_playlist, publication, running_origin

RING = shared_ring(TOKEN)


async def test_a_page_gets_a_token_and_keeps_its_pseudonym(tmp_path: Path) -> None:
    async with running_origin(OriginSettings(data=tmp_path, token=TOKEN)) as client:
        first = await client.post("/api/realtime")
        assert first.headers["cache-control"] == "no-store"
        assert first.headers["access-control-allow-origin"] == "*"
        claims = verify_signals(RING, first.json()["token"], 0.0)
        assert isinstance(claims, Claims)
        assert claims.allows("story:8f3a")
        renewed = await client.post("/api/realtime", content=first.json()["token"])
        assert renewed.json()["subject"] == first.json()["subject"] == claims.subject
        forged = mint_signals(shared_ring("forged"), claims, 0.0)
        other = await client.post("/api/realtime", content=forged)
        assert other.json()["subject"] != claims.subject
        account = mint_signals(RING, Claims("ada", ("story:8f3a",), time.time() + 9.0), 0.0)
        other = await client.post("/api/realtime", content=account)
        assert other.json()["subject"] != "ada"  # whose name she has until her platform says so
        assert (await client.post("/api/realtime", content="x" * 999)).status_code == 413


async def test_an_origin_without_a_token_has_no_signals(tmp_path: Path) -> None:
    async with running_origin(OriginSettings(data=tmp_path)) as client:
        assert (await client.post("/api/realtime")).status_code == 404


async def hears(page: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of a kind."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            said = json.loads(await page.recv())
            if said["t"] == kind:
                return said


async def test_who_waits_for_a_story_hears_that_it_can_be_watched(tmp_path: Path) -> None:
    with (
        counting_origin() as anything,
        edge_node(anything.url, "--realtime", "127.0.0.1:0") as node,
    ):
        settings = OriginSettings(data=tmp_path, token=TOKEN, edge_admin_urls=(node.admin_url,))
        async with running_origin(settings) as client:
            made = await client.post(
                "/uploads/", headers=create_headers(1, **{"Content-Type": BODY_TYPE}), content=b"x"
            )
            asset_id = made.headers["amaro-asset-id"]
            token = (await client.post("/api/realtime")).json()["token"]
            url = f"ws://{node.settings.listen}/.amaro/ws"
            async with connect(url, open_timeout=DEADLINE_S, proxy=None) as page:
                await page.send(json.dumps({"t": "hello", "v": 1, "token": token}))
                for topic in (f"story:{asset_id}", "feed:north"):
                    await page.send(json.dumps({"t": "join", "topic": topic}))
                    await hears(page, "joined")
                with open_publisher(settings) as publisher:
                    first = publication(main_playlist(b"#EXTM3U\n"))
                    await asyncio.to_thread(publisher.publish, asset_id, first)
                heard = [await hears(page, "signal") for _ in range(2)]
        assert {said["topic"] for said in heard} == {f"story:{asset_id}", "feed:north"}
        assert {said["value"]["asset_id"] for said in heard} == {asset_id}
