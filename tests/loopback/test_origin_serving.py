"""What players get from the origin, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import brotli
import httpx
import pytest

from origin.publisher import CatalogPublisher
from origin.service import open_publisher
from origin.settings import OriginSettings
from tests.support.origin import (
    content_name,
    main_playlist,
    playlist,
    publication,
    running_origin,
    uploaded,
)

SEGMENT = bytes(range(256)) * 40
NAME = content_name(SEGMENT)
GROWING = "public, max-age=2, stale-while-revalidate=10, stale-if-error=86400"


@pytest.fixture
def settings(tmp_path: Path) -> OriginSettings:
    return OriginSettings(data=tmp_path, token="secret")


@pytest.fixture
def publisher(settings: OriginSettings) -> Iterator[CatalogPublisher]:
    with open_publisher(settings) as publisher:
        yield publisher


@pytest.fixture
async def client(settings: OriginSettings) -> AsyncIterator[httpx.AsyncClient]:
    async with running_origin(settings) as client:
        yield client


async def test_an_immutable_segment(client: httpx.AsyncClient, publisher: CatalogPublisher) -> None:
    asset_id = await uploaded(client)
    publisher.store(asset_id, NAME, SEGMENT, "video/mp4")
    answer = await client.get(f"/v/{asset_id}/{NAME}")
    assert answer.status_code == 200
    assert answer.content == SEGMENT
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["surrogate-key"] == f"asset-{asset_id} region-north kind-segment"
    assert answer.headers["etag"] == f'"{NAME[:32]}"'
    assert answer.headers["content-type"] == "video/iso.segment"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "vary" not in answer.headers
    head = await client.head(f"/v/{asset_id}/{NAME}")
    assert head.content == b""
    ignored = {"date"}
    assert {k: v for k, v in head.headers.items() if k not in ignored} == {
        k: v for k, v in answer.headers.items() if k not in ignored
    }


CONDITIONS = [  # request fields, status, first and last byte of the body
    ({"Range": "bytes=0-0"}, 206, 0, 0),
    ({"Range": "bytes=100-199"}, 206, 100, 199),
    ({"Range": "bytes=10000-"}, 206, 10000, 10239),
    ({"Range": "bytes=-5"}, 206, 10235, 10239),
    ({"Range": "bytes=10240-"}, 416, 0, -1),
    ({"Range": "bytes=0-1,5-6"}, 200, 0, 10239),
    ({"Range": "bytes=0-1", "If-Range": f'"{NAME[:32]}"'}, 206, 0, 1),
    ({"Range": "bytes=0-1", "If-Range": '"another"'}, 200, 0, 10239),
    ({"If-None-Match": f'"{NAME[:32]}"', "Range": "bytes=0-1"}, 304, 0, -1),
    ({"If-Match": '"another"'}, 412, 0, -1),
    ({"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}, 304, 0, -1),
    ({"If-Unmodified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 412, 0, -1),
]


async def test_ranges_and_conditions(
    client: httpx.AsyncClient, publisher: CatalogPublisher
) -> None:
    asset_id = await uploaded(client)
    publisher.store(asset_id, NAME, SEGMENT, "video/mp4")
    for fields, status, first, last in CONDITIONS:
        answer = await client.get(f"/v/{asset_id}/{NAME}", headers=fields)
        assert answer.status_code == status, fields
        if status in {200, 206}:
            assert answer.content == SEGMENT[first : last + 1], fields
        if status == 206:
            assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(SEGMENT)}"
        if status == 416:
            assert answer.headers["content-range"] == f"bytes */{len(SEGMENT)}"
            assert answer.headers["cache-control"] == "no-store"


async def test_a_playlist_grows_and_settles(
    client: httpx.AsyncClient, publisher: CatalogPublisher
) -> None:
    asset_id = await uploaded(client)
    path = f"/v/{asset_id}/main.m3u8"
    absent = await client.get(path)
    assert absent.status_code == 404
    assert absent.headers["cache-control"] == "public, max-age=2"
    assert f"playlists-{asset_id}" in absent.headers["surrogate-key"]

    publisher.store(asset_id, NAME, SEGMENT, "video/mp4")
    body = playlist(*[NAME] * 10)
    publisher.publish(asset_id, publication(main_playlist(body)))
    plain = await client.get(path, headers={"Accept-Encoding": "identity"})
    assert plain.content == body
    assert plain.headers["cache-control"] == GROWING
    assert plain.headers["vary"] == "Accept-Encoding"
    tags = f"asset-{asset_id} playlists-{asset_id} region-north kind-playlist"
    assert plain.headers["surrogate-key"] == tags

    publisher.publish(asset_id, publication(main_playlist(body, may_grow=False), complete=True))
    same = await client.get(path, headers={"If-None-Match": plain.headers["etag"]})
    assert same.status_code == 200  # httpx asked for gzip: another representation, another tag
    settled = await client.get(path, headers={"Accept-Encoding": "identity"})
    assert settled.headers["etag"] == plain.headers["etag"]
    assert settled.headers["last-modified"] == plain.headers["last-modified"]
    assert settled.headers["cache-control"].startswith("public, max-age=60,")


async def test_each_coding_is_its_own_representation(
    client: httpx.AsyncClient, publisher: CatalogPublisher
) -> None:
    asset_id = await uploaded(client)
    body = playlist(*[NAME] * 10)
    publisher.publish(asset_id, publication(main_playlist(body)))
    tags = set()
    for asked, coding, decode in [
        ("gzip, br", "br", brotli.decompress),
        ("gzip", "gzip", gzip.decompress),
        ("br;q=0.2, gzip;q=0.8", "gzip", gzip.decompress),
        ("br;q=0, *", "gzip", gzip.decompress),
    ]:
        request = client.build_request(
            "GET", f"/v/{asset_id}/main.m3u8", headers={"Accept-Encoding": asked}
        )
        answer = await client.send(request, stream=True)
        raw = b"".join([piece async for piece in answer.aiter_raw()])
        assert answer.headers["content-encoding"] == coding
        assert int(answer.headers["content-length"]) == len(raw) < len(body)
        assert decode(raw) == body
        tags.add(answer.headers["etag"])
    assert len(tags) == 2


async def test_the_feed_turns_its_pages(
    client: httpx.AsyncClient, publisher: CatalogPublisher
) -> None:
    made = []
    for number in range(5):
        asset_id = await uploaded(client, f"Story {number}")
        publisher.publish(asset_id, publication(main_playlist(b"#EXTM3U\n"), poster="poster.jpg"))
        made.append(asset_id)
    await uploaded(client, "not watchable")
    path: str | None = "/feed/north?limit=2"
    seen = []
    while path:
        page = await client.get(path)
        assert page.status_code == 200
        assert page.headers["surrogate-key"] == "feed-north region-north kind-feed"
        assert "max-age=5," in page.headers["cache-control"]
        again = await client.get(path, headers={"If-None-Match": page.headers["etag"]})
        assert again.status_code == 304
        seen += [story["asset_id"] for story in page.json()["stories"]]
        path = page.json()["next"]
    assert seen == made[::-1]
    first = (await client.get("/feed/north?limit=1")).json()["stories"][0]
    assert first == {
        "asset_id": made[-1],
        "title": "Story 4",
        "poster": f"/v/{made[-1]}/poster.jpg",
        "duration_s": 12.5,
        "width": 1280,
        "height": 720,
        "playback": f"/v/{made[-1]}/main.m3u8",
        "published": first["published"],
    }
    assert (await client.get("/feed/elsewhere")).json()["stories"] == []


async def test_feed_pages_that_cannot_be(client: httpx.AsyncClient) -> None:
    for query in ("after=junk", "after=" + "A" * 23 + "!", "limit=0", "limit=-1"):
        answer = await client.get(f"/feed/north?{query}")
        assert answer.status_code == 400, query
        assert answer.headers["cache-control"] == "no-store"
        assert json.loads(answer.content)["error"]


async def test_an_asset_is_described_and_cancelled(
    client: httpx.AsyncClient, publisher: CatalogPublisher
) -> None:
    asset_id = await uploaded(client)
    publisher.progress(asset_id, "encoding", 0.5)
    shown = (await client.get(f"/api/assets/{asset_id}")).json()
    assert (shown["state"], shown["stage"], shown["playback"]) == ("processing", "encoding", None)
    publisher.publish(asset_id, publication(main_playlist(b"#EXTM3U\n")))
    segment = f"/v/{asset_id}/{content_name(b'segment')}"
    publisher.store(asset_id, content_name(b"segment"), b"segment", "video/mp4")
    assert (await client.get(segment)).status_code == 200
    shown = (await client.get(f"/api/assets/{asset_id}")).json()
    assert shown["state"] == "playable"
    assert shown["playback"] == f"/v/{asset_id}/main.m3u8"
    rendition = {"name": "720p", "width": 1280, "height": 720, "bandwidth": 2_000_000}
    assert shown["renditions"] == [rendition]
    assert shown["uploaded"] <= shown["first_playable"]
    assert shown["complete"] is None

    cancel = f"/api/assets/{asset_id}/cancel"
    assert (await client.post(cancel)).status_code == 401
    wrong = {"Authorization": "Bearer wrong"}
    assert (await client.post(cancel, headers=wrong)).status_code == 401
    right = {"Authorization": "Bearer secret"}
    assert (await client.post(cancel, headers=right)).json()["state"] == "cancelled"
    assert publisher.is_cancelled(asset_id)
    assert (await client.get(f"/v/{asset_id}/main.m3u8")).status_code == 404
    assert (await client.get(segment)).status_code == 404
    assert (await client.get("/feed/north")).json()["stories"] == []
    publisher.publish(asset_id, publication(main_playlist(b"#EXTM3U\n"), complete=True))
    assert (await client.get(f"/api/assets/{asset_id}")).json()["state"] == "cancelled"


ABSENT = [
    ("GET", "/nothing", 404),
    ("POST", "/feed/north", 405),
    ("GET", "/v/aaaaaaaaaaaaaaaa/../../etc/passwd", 404),
    ("GET", "/v/aaaaaaaaaaaaaaaa/%2e%2e%2fcatalog.sqlite", 404),
    ("GET", f"/v/aaaaaaaaaaaaaaaa/{NAME}", 404),
    ("GET", "/api/assets/aaaaaaaaaaaaaaaa", 404),
    ("DELETE", "/v/aaaaaaaaaaaaaaaa/main.m3u8", 405),
]


async def test_what_is_not_there(client: httpx.AsyncClient) -> None:
    for method, path, status in ABSENT:
        answer = await client.request(method, path)
        assert answer.status_code == status, path
        assert answer.json()["error"]
        assert answer.headers["cache-control"] in {"no-store", "public, max-age=2"}
        assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_preflight_allows_what_players_and_uploaders_send(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.options("/uploads/", headers={"Origin": "http://phone.example"})
    assert answer.status_code == 204
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert {"upload-offset", "tus-resumable", "range"} <= set(allowed.replace(" ", "").split(","))
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert answer.headers["tus-extension"].startswith("creation,")


async def test_a_client_that_leaves_in_mid_body_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ring = f"key k1 {'ab' * 32}"
    async with running_origin(OriginSettings(data=tmp_path, token="t", access_ring=ring)) as client:
        for path in ("/purges", "/tokens", "/api/realtime"):
            reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
            head = f"POST {path} HTTP/1.1\r\nHost: o\r\nAuthorization: Bearer t\r\n"
            writer.write(f"{head}Content-Length: 100\r\n\r\nhalf".encode())
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
        assert (await client.get("/.amaro/live")).status_code == 200
    assert not [each for each in caplog.records if each.exc_info]
