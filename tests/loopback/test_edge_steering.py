"""Steering at a running edge: tags on what leaves it, manifests, and what players show."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import time
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from cache_policies.access import Grant, mint
from cache_policies.access_ring import parse_ring
from edge.purges import PurgeKind
from edge.settings import MIB
from edge.steering.in_force import RENDERED_PART
from tests.support.edges import Asked, Edge, edge_and_origin, response
from tests.support.http2 import Http2Client
from tests.support.rules import rules
from tests.support.steering import MULTIVARIANT, steered, text
from tests.support.tls import EDGE

HLS = "Content-Type: application/vnd.apple.mpegurl"
FRESH = "Cache-Control: max-age=600"
PLAYLIST = "/v/a/main.m3u8"
RING = f"key k1 {base64.b64encode(bytes(32)).decode()}\n"
SIGNED = rules("rules: [{name: videos, match: {path: /v/*}, set: {access: signed}}]")
TAG = (
    b'#EXT-X-CONTENT-STEERING:SERVER-URI="https://steer.example/.amaro/steer?service=media",'
    b'PATHWAY-ID="here"\n'
)


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    accepted = asked.get("accept-encoding") or b""
    match unquote_to_bytes(asked.target.partition(b"?")[0]).rpartition(b"/v/")[2]:
        case b"a/main.m3u8":
            writer.write(response(MULTIVARIANT, HLS, FRESH, 'ETag: "stored"'))
        case b"private/main.m3u8":
            writer.write(response(MULTIVARIANT, HLS, "Cache-Control: no-store"))
        case b"gzip/main.m3u8":
            body = gzip.compress(MULTIVARIANT)
            writer.write(response(body, HLS, FRESH, "Content-Encoding: gzip"))
        case b"br/main.m3u8" if b"br" in accepted:
            lines = (HLS, FRESH, "Content-Encoding: br", "Vary: Accept-Encoding")
            writer.write(response(b"of brotli", *lines))
        case b"br/main.m3u8":
            writer.write(response(MULTIVARIANT, HLS, FRESH, "Vary: Accept-Encoding"))
        case b"media/main.m3u8":
            writer.write(response(b"#EXTM3U\n#EXTINF:4,\na\n", HLS, FRESH, 'ETag: "stored"'))
        case b"large/main.m3u8":
            writer.write(response(b"#EXTM3U\n" * 100_000, HLS, FRESH))
        case b"cut/main.m3u8":
            writer.write(response(MULTIVARIANT, HLS, FRESH, length=len(MULTIVARIANT) + 1))
            await writer.drain()
            writer.close()
        case b"missing/main.m3u8":
            writer.write(response(b"no", FRESH, status="404 Not Found"))
        case _:
            writer.write(response(b"something else", FRESH, 'ETag: "a"'))


def follow(edge: Edge, *services: dict[str, Any]) -> None:
    edge.worker.following.steering.follow(text(*services))


async def test_players_get_the_tag_and_memory_does_not() -> None:
    async with edge_and_origin(script) as (edge, origin):
        follow(edge, steered())
        answers = [await edge.get(PLAYLIST) for _ in range(4)]
        assert "fwd=uri-miss" in answers[0].says
        assert all("; hit" in each.says for each in answers[1:])
        for got in answers:
            assert got.body.startswith(b"#EXTM3U\n" + TAG)
            assert got.body.count(b',PATHWAY-ID="here"\n') == 4
            assert got.get("content-length") == b"%d" % len(got.body)
            assert got.get("etag") == answers[0].get("etag") != b'"stored"'
        assert len(origin.asked) == 1
        assert edge.worker.counters.hits == 3  # plain ones
        entry = edge.worker.memory.find(b"http://edge.test" + PLAYLIST.encode(), ())
        assert entry is not None
        assert bytes(entry.pieces(0, entry.length - 1)[0]) == MULTIVARIANT
        assert entry.stored.etag == b'"stored"'


async def test_a_steered_playlist_is_as_fresh_as_any() -> None:
    async with edge_and_origin(script) as (edge, _):
        await edge.get(PLAYLIST)
        entry = edge.worker.memory.find(b"http://edge.test" + PLAYLIST.encode(), ())
        assert entry is not None
        now_mono = time.monotonic()
        assert entry.is_fresh(now_mono)
        follow(edge, steered())
        await edge.get(PLAYLIST)
        assert entry.is_fresh(now_mono)  # or it were prewarmed again and again
        assert not entry.is_fresh(now_mono + 601.0)
        edge.purge(PurgeKind.URL, b"http://edge.test" + PLAYLIST.encode(), soft=True)
        assert not entry.is_fresh(time.monotonic())
        assert TAG in (await edge.get(PLAYLIST)).body
        assert edge.worker.memory.find(b"http://edge.test" + PLAYLIST.encode(), ()) is not None


@pytest.mark.parametrize("warm", [False, True])
async def test_conditions_and_parts_are_about_what_players_get(warm: bool) -> None:
    async with edge_and_origin(script) as (edge, _):
        follow(edge, steered())
        whole = await edge.get(PLAYLIST)
        tag = (whole.get("etag") or b"").decode()

        async def get(*lines: str, method: str = "GET"):
            if not warm:
                edge.purge(PurgeKind.ALL)
            return await edge.get(PLAYLIST, *lines, method=method)

        got = await get(f"If-None-Match: {tag}")
        assert (got.status, got.body, got.get("etag")) == (304, b"", tag.encode())
        assert (await get('If-None-Match: "stored"')).body == whole.body
        assert (await get("If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT")).status in (200, 304)
        got = await get("Range: bytes=8-40")
        assert (got.status, got.body) == (206, whole.body[8:41])
        assert got.get("content-range") == b"bytes 8-40/%d" % len(whole.body)
        got = await get("Range: bytes=0-7", f"If-Range: {tag}")
        assert (got.status, got.body) == (206, whole.body[:8])
        got = await get("Range: bytes=0-7", 'If-Range: "stored"')
        assert (got.status, got.body) == (200, whole.body)
        got = await get("Range: bytes=99999-")
        assert (got.status, got.get("content-range")) == (416, b"bytes */%d" % len(whole.body))
        got = await get(method="HEAD")
        assert (got.status, got.body) == (200, b"")
        assert got.get("content-length") == b"%d" % len(whole.body)
        assert got.get("etag") == tag.encode()


@pytest.mark.parametrize("spelt", ["/v/a/main%2Em3u8", "/v/%61/main.m3u8", "/%76/a/main.m3u8"])
async def test_a_playlist_is_steered_however_it_is_spelt(spelt: str) -> None:
    async with edge_and_origin(script) as (edge, _):
        follow(edge, steered())
        for _ in range(3):
            assert TAG in (await edge.get(spelt)).body


async def test_codings() -> None:
    async with edge_and_origin(script) as (edge, origin):
        follow(edge, steered())
        for _ in range(2):
            got = await edge.get("/v/gzip/main.m3u8", "Accept-Encoding: gzip")
            assert got.get("content-encoding") == b"gzip"
            assert TAG in gzip.decompress(got.body)
        for _ in range(2):
            got = await edge.get("/v/br/main.m3u8", "Accept-Encoding: gzip, br")
            assert (got.get("content-encoding"), TAG in got.body) == (None, True)
        asked = [each.get("accept-encoding") for each in origin.asked]
        assert asked == [b"gzip", b"gzip, br", b"gzip"]


async def test_what_is_no_steered_playlist_stays_as_it_is() -> None:
    async with edge_and_origin(script) as (edge, _):
        follow(edge, steered())
        for _ in range(2):
            got = await edge.get("/v/media/main.m3u8")
            assert (got.body, got.get("etag")) == (b"#EXTM3U\n#EXTINF:4,\na\n", b'"stored"')
            got = await edge.get("/v/media/main.m3u8", 'If-None-Match: "stored"')
            assert got.status == 304
            assert len((await edge.get("/v/large/main.m3u8")).body) == 800_000
            assert (await edge.get("/v/missing/main.m3u8")).status == 404
            assert (await edge.get("/v/other/main.m3u8")).body == b"something else"
            assert (await edge.get("/w/a/main.m3u8")).body == b"something else"
        assert (await edge.get("/v/cut/main.m3u8")).status == 502
        got = await edge.get("/v/private/main.m3u8")
        assert TAG in got.body
        snapshot = edge.worker.counters.snapshot()
        assert snapshot["steering_untagged not-multivariant"] >= 2
        assert snapshot["steering_untagged too-large"] >= 1


async def test_renderings_are_counted_and_bounded() -> None:
    async with edge_and_origin(script, memory_bytes=MIB) as (edge, origin):
        memory = edge.worker.memory
        follow(edge, steered(playlists=["/many/*"]))
        for _ in range(2):  # anew, since the first ones were forgotten
            for number in range(40):
                for _ in range(2):
                    assert TAG in (await edge.get(f"/many/{number}/v/a/main.m3u8")).body
                assert 0 < memory.rendered_bytes <= memory.budget_bytes // RENDERED_PART
        assert memory.used_bytes > memory.tournament.used_bytes
        assert edge.worker.counters.hits == 120
        assert len(origin.asked) == 40


async def test_another_order_is_about_what_is_stored_already() -> None:
    async with edge_and_origin(script) as (edge, origin):
        assert (await edge.get(PLAYLIST)).body == MULTIVARIANT
        await edge.get(PLAYLIST)
        follow(edge, steered())
        assert TAG in (await edge.get(PLAYLIST)).body
        first = (await edge.get(PLAYLIST)).get("etag")
        follow(edge, steered(order=["two", "one"]))  # asked for, not written down
        assert (await edge.get(PLAYLIST)).get("etag") == first
        follow(edge, steered(server_uri="https://other.example/.amaro/steer?v=2"))
        got = await edge.get(PLAYLIST)
        assert b'"https://other.example/.amaro/steer?v=2&service=media"' in got.body
        assert got.get("etag") != first
        follow(edge)
        got = await edge.get(PLAYLIST)
        assert (got.body, got.get("etag")) == (MULTIVARIANT, b'"stored"')
        hits = edge.worker.counters.hits
        await edge.get(PLAYLIST)
        assert edge.worker.counters.hits == hits + 1
        assert len(origin.asked) == 1


async def test_purges_and_tokens() -> None:
    async with edge_and_origin(script, ring=RING, policies=SIGNED) as (edge, origin):
        follow(edge, steered())
        assert (await edge.get(PLAYLIST)).status == 403
        grant = Grant(prefix=b"/v/a/", expires_wall=int(time.time()) + 3_600)
        token = mint(parse_ring(RING), grant, time.time()).decode()
        for _ in range(2):
            assert TAG in (await edge.get(f"/~{token}{PLAYLIST}")).body
        edge.purge(PurgeKind.PREFIX, b"/v/a/")
        assert "fwd=uri-miss" in (await edge.get(f"/~{token}{PLAYLIST}?CMCD=bl%3D1000")).says
        assert "; hit" in (await edge.get(f"/~{token}{PLAYLIST}?CMCD=bl%3D2000")).says
        assert len(origin.asked) == 2


async def test_http2() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        follow(edge, steered())
        client = await Http2Client.open(edge)
        answers = [await client.get(PLAYLIST) for _ in range(3)]
        assert all(TAG in each.body for each in answers)
        assert len({bytes(each.body) for each in answers}) == 1
        assert edge.worker.counters.hits == 2


async def test_manifests_and_what_players_show() -> None:
    async with edge_and_origin(script) as (edge, origin):
        assert (await edge.get("/.amaro/steer?service=media")).body == b"something else"
        follow(edge, steered())
        got = await edge.get("/.amaro/steer?service=media")
        assert got.get("cache-control") == b"no-store"
        assert got.get("access-control-allow-origin") == b"*"
        assert got.get("content-type") == b"application/json"
        said = json.loads(got.body)
        assert said["PATHWAY-PRIORITY"] == ["one", "two", "here"]
        again = "/.amaro/steer" + said["RELOAD-URI"]
        assert (await edge.get(f"{again}&_HLS_pathway=two&_HLS_throughput=5000")).body == got.body
        assert json.loads((await edge.get(f"{again}&_HLS_pathway=one")).body) == said
        for query, status in {
            "?service=": 400, "?service=media&draw=2": 400, "?service=none": 404,
        }.items():  # fmt: skip
            assert (await edge.get(f"/.amaro/steer{query}")).status == status
        got = await edge.get("/.amaro/steer?service=media", method="HEAD")
        assert (got.status, got.body) == (200, b"")
        got = await edge.get("/.amaro/steer?service=media", "Content-Length: 0", method="POST")
        assert (got.status, got.get("allow")) == (405, b"GET, HEAD")
        asked = {
            name.partition(" ")[2]: count
            for name, count in edge.worker.counters.snapshot().items()
            if name.startswith("steering_asked")
        }
        follow(edge, steered(), steered(service="feed", playlists=["/f/*"]))
        assert (await edge.get("/.amaro/steer")).status == 400  # of two
        follow(edge, steered())
        got = await edge.get("/.amaro/steer?_HLS_pathway=.")
        assert json.loads(got.body)["RELOAD-URI"].startswith("?service=media&")
        assert asked == {"media - -": 2, "media one two": 1, "media one one": 1}
        assert len(origin.asked) == 1
