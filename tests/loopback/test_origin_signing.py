"""What an origin with keys gives out: paths that open at an edge, the same for all."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from cache_policies.access import bucket_end, verify
from cache_policies.access_ring import parse_ring
from cache_policies.key import split_token
from origin.service import open_publisher
from origin.settings import OriginSettings
from tests.support.edge_node import NO_TLS
from tests.support.edges import running_edge
from tests.support.origin import main_playlist, publication, running_origin, uploaded
from tests.support.rules import rules

RING = f"key k1 {base64.b64encode(bytes(32)).decode()}\n"
RULES = rules("rules: [{name: videos, match: {path: /v/*}, set: {access: signed}}]")
ADMIN = {"Authorization": "Bearer secret"}


@pytest.fixture
def settings(tmp_path: Path) -> OriginSettings:
    (tmp_path / "ring").write_text(RING)
    return OriginSettings(data=tmp_path, token="secret", access_keys=tmp_path / "ring")


@pytest.fixture
async def client(settings: OriginSettings) -> AsyncIterator[httpx.AsyncClient]:
    async with running_origin(settings) as client:
        yield client


async def watchable(client: httpx.AsyncClient, settings: OriginSettings) -> str:
    asset_id = await uploaded(client)
    with open_publisher(settings) as publisher:
        publisher.publish(asset_id, publication(main_playlist(b"#EXTM3U\n"), poster="poster.jpg"))
    return asset_id


async def test_api_and_feed_give_out_paths_that_open(client, settings) -> None:
    asset_id = await watchable(client, settings)
    begun_wall = time.time()
    shown = (await client.get(f"/api/assets/{asset_id}")).json()
    page = await client.get("/feed/north")
    again = await client.get("/feed/north", headers={"If-None-Match": page.headers["etag"]})
    expiries = {bucket_end(begun_wall), bucket_end(time.time())}
    (story,) = page.json()["stories"]
    if len(expiries) == 1:  # no other hour has begun meanwhile
        assert (story["playback"], story["poster"]) == (shown["playback"], shown["poster"])
        assert again.status_code == 304
    token, bare = split_token(shown["playback"].encode())
    assert bare == f"/v/{asset_id}/main.m3u8".encode()
    assert shown["playback"] == f"{shown['base']}/main.m3u8"
    assert 3_500 < shown["opens_for_s"] <= 7_200
    grant = verify(parse_ring(RING), token, time.time())
    assert grant.prefix == f"/v/{asset_id}/".encode()
    assert grant.expires_wall in expiries
    assert (await client.get(bare.decode())).status_code == 200  # the origin asks for none


async def test_a_player_goes_from_the_feed_through_an_edge(client, settings) -> None:
    asset_id = await watchable(client, settings)
    async with running_edge(str(client.base_url), policies=RULES, ring=RING) as edge:
        url = f"http://127.0.0.1:{edge.port}"
        async with httpx.AsyncClient(
            base_url=url, timeout=60.0, trust_env=False, verify=NO_TLS
        ) as player:
            (story,) = (await player.get("/feed/north")).json()["stories"]
            playlist = await player.get(story["playback"])
            assert (playlist.status_code, playlist.content) == (200, b"#EXTM3U\n")
            beside = urljoin(story["playback"], "poster.jpg")  # as players resolve what is relative
            assert beside == story["poster"]
            assert (await player.get(beside)).status_code != 403
            assert (await player.get(f"/v/{asset_id}/main.m3u8")).status_code == 403


async def test_another_key_signs_once_the_file_has_it(client, settings) -> None:
    asset_id = await watchable(client, settings)
    before = (await client.get(f"/api/assets/{asset_id}")).json()["playback"]
    settings.access_keys.write_text(RING + RING.replace("k1", "k2") + "revoke 1 /v/\n")
    after = before
    deadline = time.monotonic() + 60.0
    while b" 1 /v/" not in base64.urlsafe_b64decode(split_token(after.encode())[0] + b"=="):
        assert time.monotonic() < deadline
        after = (await client.get(f"/api/assets/{asset_id}")).json()["playback"]
    assert base64.urlsafe_b64decode(split_token(after.encode())[0] + b"==")[16:18] == b"k2"


async def test_an_application_has_tokens_minted(client) -> None:
    wish = {"prefix": "/v/abc/", "region": "north", "network": "192.0.2.0/24", "lasts_s": 60}
    answer = await client.post("/tokens", json=wish, headers=ADMIN)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    minted = answer.json()
    assert minted["path"] == f"/~{minted['token']}/v/abc/"
    grant = verify(parse_ring(RING), minted["token"].encode(), time.time())
    assert (grant.prefix, grant.region, grant.network) == (b"/v/abc/", b"north", b"192.0.2.0/24")
    assert grant.expires_wall == minted["expires"] <= time.time() + 60
    whole = await client.post("/tokens", json={"prefix": "/v/abc/"}, headers=ADMIN)
    assert whole.json()["expires"] % 3_600 == 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "The body is not JSON."),
        (b"[]", "Want {prefix, region?, network?, lasts_s?}."),
        (b"{}", "Want {prefix, region?, network?, lasts_s?}."),
        (b'{"prefix": "/v/", "until": 3}', "Want {prefix, region?, network?, lasts_s?}."),
        (b'{"prefix": 3}', "prefix, region and network are strings."),
        (b'{"prefix": "/v"}', "A prefix is a plain path that ends with a slash."),
        (
            b'{"prefix": "/v/", "region": "-"}',
            "A region is 1 to 32 characters of a-z, 0-9 and '-'.",
        ),
        (b'{"prefix": "/v/", "network": "192.0.2.1/24"}', "192.0.2.1/24 has host bits set."),
        (b'{"prefix": "/v/", "lasts_s": 0}', "Lasts_s is a whole number from 1 to 2678400."),
        (b'{"prefix": "/v/", "lasts_s": true}', "Lasts_s is a whole number from 1 to 2678400."),
        (b" " * 5_000, "The body has more than 4096 bytes."),
    ],
)
async def test_a_wish_that_means_nothing_is_refused(client, body, said) -> None:
    answer = await client.post("/tokens", content=body, headers=ADMIN)
    assert (answer.status_code, answer.json()["error"].lower()) == (400, said.lower())


async def test_nobody_else_has_tokens_minted(client, tmp_path) -> None:
    for headers in ({}, {"Authorization": "Bearer other"}):
        answer = await client.post("/tokens", json={"prefix": "/v/"}, headers=headers)
        assert answer.status_code == 401
    async with running_origin(OriginSettings(data=tmp_path / "2", token="secret")) as keyless:
        answer = await keyless.post("/tokens", json={"prefix": "/v/"}, headers=ADMIN)
        assert answer.status_code == 409
