"""Publishing tells the edges, now or when they are back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge.purge_feed import PurgeFeed
from origin.service import open_publisher
from origin.serving import bind
from origin.settings import OriginSettings
from origin.uploads import BODY_TYPE
from tests.support.origin import (
    DEADLINE_S,
    create_headers,
    eventually,
    main_playlist,
    publication,
    running_origin,
)


@dataclass
class EdgeAdmin:
    """The admin listener of an edge, as far as the origin talks to it."""

    status: int = 200
    heard: list[tuple[str, list[str]]] = field(default_factory=list)  # (Authorization, values)
    told: list[dict[str, Any]] = field(default_factory=list)
    connections: int = 0  # over which purges came
    handlers: list[asyncio.Task[None] | None] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.handlers.append(asyncio.current_task())
        asked = 0
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:-2])
                body = json.loads(await reader.readexactly(int(fields["content-length"])))
                said = "{}"
                if head.startswith("POST /purge "):  # others are told what can be watched
                    asked += 1
                    self.connections += asked == 1
                    said = json.dumps({"number": body["number"], "region": "north", "workers": 2})
                    if self.status == 200:
                        values = sorted(purge["value"] for purge in body["purges"])
                        self.heard.append((fields["authorization"], values))
                        self.told.append(body)
                answer = f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(said)}\r\n\r\n{said}"
                writer.write(answer.encode())
        writer.close()


@asynccontextmanager
async def edge_admin(edge: EdgeAdmin) -> AsyncIterator[str]:
    listener = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = await asyncio.start_server(edge.answer, sock=listener)
    try:
        yield url
    finally:
        server.close()
        await asyncio.gather(*filter(None, edge.handlers))  # who kept them has let go
        await server.wait_closed()


@pytest.fixture
def edge() -> EdgeAdmin:
    return EdgeAdmin()


async def uploaded(client: httpx.AsyncClient) -> str:
    """The asset of a new upload."""
    fields = create_headers(1, **{"Content-Type": BODY_TYPE})
    made = await client.post("/uploads/", headers=fields, content=b"x")
    return made.headers["amaro-asset-id"]


async def publish(settings: OriginSettings, asset_id: str) -> None:
    """Publish an asset's first playlist."""
    with open_publisher(settings) as publisher:
        playlist = publication(main_playlist(b"#EXTM3U\n"))
        await asyncio.to_thread(publisher.publish, asset_id, playlist)


async def test_a_publication_purges_playlists_and_feed_but_no_segment(
    tmp_path: Path, edge: EdgeAdmin
) -> None:
    async with edge_admin(edge) as url:
        settings = OriginSettings(data=tmp_path, edge_admin_urls=(url,), token="secret")
        async with running_origin(settings) as client:
            asset_id = await uploaded(client)
        await publish(settings, asset_id)
        await eventually(lambda: bool(edge.heard), "no purge")  # the edge may be slow to hear it
    assert edge.heard == [("bearer secret", ["feed-north", f"playlists-{asset_id}"])]


async def test_an_edge_that_was_away_hears_it_later(tmp_path: Path, edge: EdgeAdmin) -> None:
    edge.status = 503
    async with edge_admin(edge) as url:
        settings = OriginSettings(data=tmp_path, edge_admin_urls=(url,), token="secret")
        async with running_origin(settings) as client:
            asset_id = await uploaded(client)
            await publish(settings, asset_id)  # fails to purge, yet publishes
            shown = (await client.get(f"/api/assets/{asset_id}")).json()
            assert shown["state"] == "playable"
            assert edge.heard == []
            edge.status = 200
            await eventually(lambda: bool(edge.heard), "the purge was not repeated")
    wanted = ("bearer secret", ["feed-north", f"playlists-{asset_id}"])
    assert all(each == wanted for each in edge.heard)  # more than once from a slow edge


async def test_a_cancelled_asset_is_purged_altogether(tmp_path: Path, edge: EdgeAdmin) -> None:
    async with edge_admin(edge) as url:
        settings = OriginSettings(data=tmp_path, edge_admin_urls=(url,), token="secret")
        async with running_origin(settings) as client:
            asset_id = await uploaded(client)
            await publish(settings, asset_id)
            await client.post(
                f"/api/assets/{asset_id}/cancel", headers={"Authorization": "Bearer secret"}
            )
            wanted = ("bearer secret", [f"asset-{asset_id}", "feed-north"])
            await eventually(lambda: wanted in edge.heard, "no purge")


@pytest.mark.parametrize(
    ("token", "after", "status"),
    [
        ("secret", "0", 200),
        ("other", "0", 401),
        ("", "0", 401),
        ("secret", "x", 400),
        ("secret", "9" * 30, 400),
    ],
)
async def test_the_log_is_served_to_who_has_the_token(
    tmp_path: Path, token: str, after: str, status: int
) -> None:
    settings = OriginSettings(data=tmp_path, token="secret")
    async with running_origin(settings) as client:
        asset_id = await uploaded(client)
        await publish(settings, asset_id)
        fields = {"authorization": f"Bearer {token}"} if token else {}
        answer = await client.get("/purges", params={"after": after}, headers=fields)
    assert answer.status_code == status
    assert answer.headers["cache-control"] == "no-store"
    if status == 200:
        said = answer.json()
        assert {each["value"] for each in said["purges"]} == {"feed-north", f"playlists-{asset_id}"}
        assert {(each["kind"], each["soft"]) for each in said["purges"]} == {("tag", False)}
        assert (said["floor"], said["last"]) == (0, 2)


async def test_without_a_token_nobody_reads_the_log(tmp_path: Path) -> None:
    async with running_origin(OriginSettings(data=tmp_path)) as client:
        fields = {"authorization": "Bearer None"}
        assert (await client.get("/purges", headers=fields)).status_code == 401


async def test_a_log_that_an_edge_is_ahead_of_gets_a_new_name(tmp_path: Path) -> None:
    async with running_origin(OriginSettings(data=tmp_path, token="secret")) as client:
        feed = PurgeFeed(f"{client.base_url}/purges", "secret")
        name = (await feed.page(0)).log
        assert (await feed.page(9, "another")).log == name
        assert (await feed.page(0, name)).log == name
        renewed = (await feed.page(9, name)).log  # as after a backup was restored
        assert renewed != name
        assert (await feed.page(9, name)).log == renewed
        await feed.close()


async def ordered(client: httpx.AsyncClient, **order: Any) -> httpx.Response:
    fields = {"authorization": "Bearer secret"}
    return await client.post("/purges", json=order, headers=fields)


async def settled(
    client: httpx.AsyncClient, holds: Callable[[dict[str, Any]], bool], **order: Any
) -> dict[str, Any]:
    """The receipt of an order once something holds of it, however slow the machine is."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds(receipt := (await ordered(client, **order)).json()):
        assert time.monotonic() < deadline, receipt
    return receipt


async def test_an_order_is_carried_to_all_edges_and_receipted(tmp_path: Path) -> None:
    one, other = EdgeAdmin(), EdgeAdmin(status=503)
    async with edge_admin(one) as url, edge_admin(other) as other_url:
        settings = OriginSettings(data=tmp_path, edge_admin_urls=(url, other_url), token="secret")
        async with running_origin(settings) as client:
            receipt = await settled(
                client,
                lambda said: [bool(edge.get("error")) for edge in said["edges"]] == [False, True],
                kind="prefix",
                values=["/v/a/"],
                soft=True,
                id="first",
            )
            assert receipt["acknowledged"] is False
            done, failed = receipt["edges"]
            assert (done["address"], done["region"], done["by"]) == (url, "north", "push")
            assert done["took_ms"] <= receipt["took_ms"]
            assert (failed["address"], failed["error"]) == (other_url, "status 503")
            other.status = 200
            second = await settled(
                client,
                lambda said: said["acknowledged"],
                kind="tag",
                values=["x", "y"],
                id="second",
            )
            assert second["purges"] == 2
            page = await client.get("/purges", headers={"authorization": "Bearer secret"})
    numbers = [receipt["number"], second["number"] - 1, second["number"]]
    kinds = [("prefix", "/v/a/", True), ("tag", "x", False), ("tag", "y", False)]
    logged = [
        {"number": number, "kind": kind, "value": value, "soft": soft}
        for number, (kind, value, soft) in zip(numbers, kinds, strict=True)
    ]
    assert page.json()["purges"] == logged
    assert [purge for body in one.told for purge in body["purges"]] == logged
    assert [purge for body in other.told for purge in body["purges"]] == logged
    assert one.told[0]["after"] == 0
    assert one.connections == 1  # it is kept


async def test_orders_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    settings = OriginSettings(data=tmp_path, token="secret")
    async with running_origin(settings) as client:
        for status, order in (
            (400, {"kind": "tag", "values": ["a b"]}),
            (400, {"kind": "nothing"}),
            (413, {"kind": "tag", "values": ["x" * 2_000_000]}),
            (200, {"kind": "all", "id": "mine"}),
            (409, {"kind": "tag", "values": ["x"], "id": "mine"}),
        ):
            answer = await ordered(client, **order)
            assert answer.status_code == status
            assert answer.headers["cache-control"] == "no-store"
        assert (await client.post("/purges", json={"kind": "all"})).status_code == 401
        page = await client.get("/purges", headers={"authorization": "Bearer secret"})
        assert page.json()["last"] == 1
        limited = await client.get(
            "/purges", params={"limit": 0}, headers={"authorization": "Bearer secret"}
        )
        assert limited.status_code == 400
