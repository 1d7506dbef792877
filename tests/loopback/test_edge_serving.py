"""Hits, misses, parts and validations through a running edge."""

import asyncio

from edge.purges import PurgeKind
from tests.support.edges import Asked, edge_and_origin, response

CLIP = bytes(range(256)) * 4096  # 1 MiB
FRESH = "Cache-Control: max-age=60"


async def serve_clip(asked: Asked, writer: asyncio.StreamWriter) -> None:
    if asked.get("if-none-match") == b'"v1"':
        writer.write(response(b"", FRESH, 'ETag: "v1"', status="304 Not Modified"))
    else:
        writer.write(response(CLIP, FRESH, 'ETag: "v1"', "Surrogate-Key: clip north"))


async def test_a_miss_is_stored_and_then_hit() -> None:
    async with edge_and_origin(serve_clip) as (edge, origin):
        miss, hit = await edge.get("/clip"), await edge.get("/clip")
        assert (miss.status, hit.status) == (200, 200)
        assert miss.body == hit.body == CLIP
        assert miss.says.startswith("amaro-edge; fwd=uri-miss; fwd-status=200; stored; ttl=")
        assert hit.says.startswith("amaro-edge; hit; ttl=")
        assert hit.get("via") == b"1.1 amaro-edge"
        assert int(hit.get("age") or -1) in range(30)  # on a machine that may be busy
        assert hit.get("surrogate-key") is None
        assert miss.get("surrogate-key") is None
        assert len(origin.asked) == 1


async def test_parts_and_conditions_are_answered_from_memory() -> None:
    async with edge_and_origin(serve_clip) as (edge, origin):
        await edge.get("/clip")
        part = await edge.get("/clip", "Range: bytes=1000-1999")
        assert (part.status, part.body) == (206, CLIP[1000:2000])
        assert part.get("content-range") == b"bytes 1000-1999/1048576"
        beyond = await edge.get("/clip", "Range: bytes=2000000-")
        assert (beyond.status, beyond.get("content-range")) == (416, b"bytes */1048576")
        same = await edge.get("/clip", 'If-None-Match: "v1"')
        assert (same.status, same.body) == (304, b"")
        head = await edge.get("/clip", method="HEAD")
        assert (head.status, head.get("content-length")) == (200, b"1048576")
        assert len(origin.asked) == 1


async def test_a_part_of_a_cold_object_is_cut_from_whatever_the_origin_sends() -> None:
    async with edge_and_origin(serve_clip) as (edge, origin):
        part = await edge.get("/clip", "Range: bytes=5-9")
        assert (part.status, part.body) == (206, CLIP[5:10])
        assert origin.asked[0].get("range") == b"bytes=0-1048575"  # its slice; it sent the whole


async def test_purges_by_tag_url_prefix_and_all() -> None:
    async with edge_and_origin(serve_clip) as (edge, origin):
        url = b"http://edge.test/clip"
        purges = [
            (PurgeKind.TAG, b"north"),
            (PurgeKind.URL, url),
            (PurgeKind.URL, b"/clip"),
            (PurgeKind.PREFIX, b"http://edge.test/cl"),
            (PurgeKind.ALL, b""),
        ]
        await edge.get("/clip")
        for kind, value in purges:
            assert "hit" in (await edge.get("/clip")).says
            edge.purge(kind, value)
            assert "fwd=uri-miss" in (await edge.get("/clip")).says
        edge.purge(PurgeKind.TAG, b"south")
        assert "hit" in (await edge.get("/clip")).says
        assert len(origin.asked) == 1 + len(purges)


async def test_a_soft_purge_leads_to_validation() -> None:
    async with edge_and_origin(serve_clip) as (edge, origin):
        await edge.get("/clip")
        edge.purge(PurgeKind.TAG, b"clip", soft=True)
        validated = await edge.get("/clip")
        assert validated.body == CLIP
        assert "fwd=stale; fwd-status=304" in validated.says
        assert "hit" in (await edge.get("/clip")).says
        assert origin.asked[1].get("if-none-match") == b'"v1"'


async def test_own_paths() -> None:
    async with edge_and_origin(serve_clip) as (edge, origin):
        assert (await edge.get("/.amaro/ready")).body == b"ready\n"
        assert (await edge.get("/.amaro/live")).body == b"live\n"
        assert origin.asked == []
