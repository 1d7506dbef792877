"""Real nodes that fetch ahead: of one player, at a restart, and of what another edge watches."""

import asyncio
import json
from collections import Counter
from functools import partial

import brotli
import httpx

from edge.warming import KEPT
from tests.support.edge_node import DEADLINE_S, NO_TLS, decoded, edge_node, eventually
from tests.support.edges import response, running_origin

STORY = "/v/k3jd72lqafh5xz7a"
SEGMENTS = 8
PLAYLIST = "\n".join(
    ["#EXTM3U", "#EXT-X-TARGETDURATION:2", '#EXT-X-MAP:URI="init.mp4"']
    + [f"#EXTINF:2,\n{number}.m4s" for number in range(SEGMENTS)]
    + ["#EXT-X-ENDLIST", ""]
).encode()
ASKED = (f"{STORY}/video.m3u8", f"{STORY}/0.m4s", f"{STORY}/1.m4s")


FILM = bytes(range(256)) * 12_000  # almost 3 MiB
HEADERS = ("Cache-Control: max-age=600", 'ETag: "1"')


async def script(asked, writer):
    if asked.target.endswith(b".mp4") and (wanted := asked.get("range")):
        first, last = map(int, wanted.removeprefix(b"bytes=").split(b"-"))
        last = min(last, len(FILM) - 1)
        span = f"Content-Range: bytes {first}-{last}/{len(FILM)}"
        writer.write(response(FILM[first : last + 1], *HEADERS, span, status="206 Partial Content"))
        return
    body = PLAYLIST if asked.target.endswith(b".m3u8") else b"x" * 30_000
    writer.write(response(body, "Cache-Control: max-age=600", 'ETag: "1"'))


def says(answer):
    answer.raise_for_status()
    return answer.headers["cache-status"]


def metric(node, name):
    lines = node.admin("GET", "/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def targets(origin):
    return Counter(asked.target.decode() for asked in origin.asked)


async def coded_script(asked, writer):
    """As an origin that negotiates."""
    if not asked.target.endswith(b".m3u8"):
        await script(asked, writer)
        return
    fields = ("Cache-Control: max-age=600", "Vary: Accept-Encoding", "Content-Encoding: br")
    writer.write(response(brotli.compress(PLAYLIST), *fields))


async def test_a_player_finds_what_it_asks_for_next():
    async with running_origin(coded_script) as origin:
        with edge_node(origin.url, "--prewarm") as node:
            await asyncio.to_thread(check_player, node, origin)


def check_player(node, origin):
    eventually(partial(is_ready, node), "it is ready")
    with httpx.Client(
        base_url=node.url, timeout=DEADLINE_S, trust_env=False, verify=NO_TLS
    ) as player:
        assert "hit" not in says(player.get(f"{STORY}/video.m3u8"))
        for number in range(SEGMENTS):
            path = f"{STORY}/{number}.m4s"
            eventually(lambda path=path: targets(origin)[path], f"{path} is fetched ahead")
            eventually(lambda: metric(node, "amaro_edge_fills_running") == 0, "it is there")
            assert "hit" in says(player.get(path))
    assert set(targets(origin).values()) == {1}
    assert f"{STORY}/init.mp4" in targets(origin)
    used = 'amaro_edge_prewarmed_total{reason="next",result="used"}'
    eventually(lambda: metric(node, used) >= SEGMENTS, "what was used counts")
    assert metric(node, "amaro_edge_prewarm_precision") == 1.0
    told = decoded(node.admin("GET", "/popular"))
    assert told["prewarm"] | {"used_bytes": 0} == {
        "on": True,
        "ready": True,
        "precision": 1.0,
        "used_bytes": 0,
        "wasted_bytes": 0,
    }
    assert told["top"][0]["per_minute"] <= 62  # nine in ten seconds, decayed: not what was fetched
    eventually(lambda: len(decoded(node.admin("GET", "/popular"))["retention"]) == SEGMENTS)


async def test_what_players_say_they_ask_for_next():
    async with running_origin(script) as origin:
        with edge_node(origin.url, "--prewarm") as node:
            path = f"{STORY}/1.m4s?CMCD=nor%3D%22..%252Fother%252F7.m4s%22"
            await asyncio.to_thread(node.get, path)
            wanted = "/v/other/7.m4s"
            await asyncio.to_thread(eventually, lambda: targets(origin)[wanted], "it is fetched")
            await asyncio.to_thread(check_parts, node, origin)


def check_parts(node, origin):
    film, other = f"{STORY}/film.mp4", f"{STORY}/other.mp4"
    node.get(f"{film}?CMCD=nrr%3D%222200000-2200099%22", headers={"Range": "bytes=0-99"})
    check_part(node, origin, film, requests=2)
    said = "nor%3D%22other.mp4%22%2Cnrr%3D%222200000-2200099%22"
    node.get(f"{film}?CMCD={said}", headers={"Range": "bytes=0-99"})
    check_part(node, origin, other, requests=1)


def check_part(node, origin, path, *, requests):
    """A slice is there that a player said it would ask for."""
    used = 'amaro_edge_prewarmed_total{reason="cmcd",result="used"}'
    waiting = "amaro_edge_prewarm_waiting_bytes"
    size = len(FILM) % 2**20  # beside others of 30 000 bytes
    eventually(lambda: metric(node, waiting) % 30_000 == size % 30_000, "the slice is there")
    before, asked = metric(node, used), ranges(origin, path)
    assert len(asked) == requests
    answer = node.get(path, headers={"Range": "bytes=2200000-2200099"})
    assert (answer.status_code, answer.content) == (206, FILM[2_200_000:2_200_100])
    assert "; hit" in says(answer)
    assert ranges(origin, path) == asked
    eventually(lambda: metric(node, used) > before, "it was used")


def ranges(origin, path):
    return [each.get("range") for each in origin.asked if each.target.decode() == path]


async def test_rules_say_what_is_not_fetched_ahead(tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text('rules: [{name: a, match: {path: "*/0.m4s"}, set: {prewarm: false}}]')
    async with running_origin(script) as origin:
        with edge_node(origin.url, "--prewarm", "--policies", str(rules)) as node:
            await asyncio.to_thread(node.get, f"{STORY}/video.m3u8")
            wanted = f"{STORY}/init.mp4"
            await asyncio.to_thread(eventually, lambda: targets(origin)[wanted], "it is fetched")
            fetched = "amaro_edge_prewarm_fetches_total"
            await asyncio.to_thread(eventually, lambda: metric(node, fetched) > 0, "it is stored")
            assert f"{STORY}/0.m4s" not in targets(origin)


async def test_an_edge_is_filled_before_it_is_ready(tmp_path):
    async with running_origin(script) as origin:
        with edge_node(origin.url, "--prewarm") as there:
            await asyncio.to_thread(watch, there)
            options = ("--prewarm", "--warm-from", there.admin_url)
            with edge_node(origin.url, *options, workers=2) as here:
                await asyncio.to_thread(check_warm, here, origin)
                told = decoded(await asyncio.to_thread(here.admin, "GET", "/popular"))
                assert told["per_minute"] < 30.0  # three were players


async def test_an_edge_goes_on_after_a_restart(tmp_path):
    options = ("--prewarm", "--disk", str(tmp_path))
    async with running_origin(script) as origin:
        with edge_node(origin.url, *options) as node:
            await asyncio.to_thread(watch, node)
            before = await asyncio.to_thread(lambda: decoded(node.admin("GET", "/popular")))
            assert node.terminate() == 0
            listen = node.settings.listen
        kept = json.loads((tmp_path / KEPT).read_text())
        assert "127.0.0.1:" in json.dumps(kept["audience"]["objects"])
        with edge_node(origin.url, *options, listen=listen) as node:
            await asyncio.to_thread(check_warm, node, origin)
            after = await asyncio.to_thread(lambda: decoded(node.admin("GET", "/popular")))
            assert [each["story"] for each in after["top"]] == [
                each["story"] for each in before["top"]
            ]
            assert node.terminate() == 0
        (tmp_path / KEPT).write_text('{"version": 1, "wall": 0, "audience": {"stories": 3}}')
        with edge_node(origin.url, *options) as node:
            await asyncio.to_thread(eventually, partial(is_ready, node), "it begins anew")


def is_ready(node):
    return node.get("/.amaro/ready").status_code == 200


def watch(node):
    """Have some players watch a story's beginning, until the node knows."""
    for _ in range(4):
        for path in ASKED:
            node.get(path)
    eventually(
        lambda: len(decoded(node.admin("GET", "/popular"))["objects"]) >= len(ASKED), "it is heard"
    )


def check_warm(node, origin):
    eventually(partial(is_ready, node), "it is ready")
    assert node.admin("GET", "/.amaro/ready").status_code == 200
    fetched = targets(origin)
    for path in ASKED:
        says(node.get(path))
    assert targets(origin) == fetched
