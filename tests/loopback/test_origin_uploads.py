"""tus over real sockets: what is acknowledged is kept, what is refused says why."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from origin.names import asset_id_of, source_key
from origin.settings import OriginSettings, UploadLimits
from origin.uploads import BODY_TYPE
from tests.support.origin import (
    TUS,
    Submissions,
    create_headers,
    eventually,
    new_upload_id,
    patch_headers,
    running_origin,
)

BODY = bytes(range(256)) * 8_000  # 2 MB: several batches


@pytest.fixture
def settings(tmp_path: Path) -> OriginSettings:
    return OriginSettings(data=tmp_path, token="secret", limits=UploadLimits(disk_free_min_bytes=0))


@pytest.fixture
def jobs() -> Submissions:
    return Submissions()


@pytest.fixture
async def client(settings: OriginSettings, jobs: Submissions) -> AsyncIterator[httpx.AsyncClient]:
    async with running_origin(settings, jobs) as client:
        yield client


async def begin(client: httpx.AsyncClient, length: int = len(BODY)) -> str:
    made = await client.post("/uploads/", headers=create_headers(length))
    assert made.status_code == 201, made.text
    return made.headers["location"]


async def offset(client: httpx.AsyncClient, location: str) -> int:
    answer = await client.head(location, headers=TUS)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return int(answer.headers["upload-offset"])


def asset_of(location: str) -> str:
    return asset_id_of(location.rsplit("/", 1)[1])


def source(settings: OriginSettings, location: str) -> Path:
    return settings.data / "objects" / source_key(asset_of(location))


async def torn_patch(
    client: httpx.AsyncClient, location: str, sent: bytes, **fields: str
) -> asyncio.StreamWriter:
    """Promise the whole body from offset 0, send a part, and leave the connection open."""
    _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    headers = patch_headers(0, **{"Content-Length": str(len(BODY)), "Host": "origin", **fields})
    lines = [f"PATCH {location} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
    writer.write("\r\n".join(lines).encode() + sent)
    await writer.drain()
    return writer


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


async def test_pieces_become_a_job(
    client: httpx.AsyncClient, settings: OriginSettings, jobs: Submissions
) -> None:
    location = await begin(client)
    for first in range(0, len(BODY), 700_000):
        piece = BODY[first : first + 700_000]
        sent = await client.patch(location, headers=patch_headers(first), content=piece)
        assert sent.status_code == 204
        assert sent.headers["upload-offset"] == str(first + len(piece))
        assert ("upload-expires" in sent.headers) is (first + len(piece) < len(BODY))
    assert await offset(client, location) == len(BODY)
    await eventually(lambda: jobs.asset_ids == [asset_of(location)], "no job was submitted")
    assert source(settings, location).read_bytes() == BODY
    uploads = settings.data / "uploads"
    await eventually(lambda: not list(uploads.iterdir()), "the upload's file is left behind")
    shown = (await client.get(f"/api/assets/{asset_of(location)}")).json()
    assert shown["state"] == "queued"
    late = await client.patch(location, headers=patch_headers(len(BODY)), content=b"")
    assert late.status_code == 204  # a client that missed the answer may ask again


async def test_creation_with_upload(client: httpx.AsyncClient, jobs: Submissions) -> None:
    fields = {"Content-Type": BODY_TYPE}
    half = len(BODY) // 2
    made = await client.post(
        "/uploads/", headers=create_headers(len(BODY), **fields), content=BODY[:half]
    )
    assert made.status_code == 201
    assert made.headers["upload-offset"] == str(half)
    assert await offset(client, made.headers["location"]) == half
    whole = await client.post("/uploads", headers=create_headers(5, **fields), content=b"video")
    assert (whole.status_code, whole.headers["upload-offset"]) == (201, "5")
    await eventually(lambda: len(jobs.asset_ids) == 1, "no job was submitted")


async def test_zero_bytes_are_an_upload_too(client: httpx.AsyncClient, jobs: Submissions) -> None:
    location = await begin(client, 0)
    assert await offset(client, location) == 0
    await eventually(lambda: jobs.asset_ids == [asset_of(location)], "no job was submitted")


async def test_a_client_that_vanishes_resumes_where_it_was(
    client: httpx.AsyncClient, settings: OriginSettings, jobs: Submissions
) -> None:
    location = await begin(client)
    file = settings.data / "uploads" / asset_of(location)
    writer = await torn_patch(client, location, BODY[:1_500_000])
    await eventually(lambda: file.stat().st_size > 0, "nothing is written")
    written = file.stat().st_size
    await close(writer)
    reached = await offset(client, location)
    assert written <= reached <= 1_500_000
    rest = await client.patch(location, headers=patch_headers(reached), content=BODY[reached:])
    assert rest.status_code == 204
    await eventually(lambda: len(jobs.asset_ids) == 1, "no job was submitted")
    assert source(settings, location).read_bytes() == BODY


async def test_a_second_writer_waits_and_a_head_takes_over(
    client: httpx.AsyncClient, settings: OriginSettings
) -> None:
    location = await begin(client)
    file = settings.data / "uploads" / asset_of(location)
    writer = await torn_patch(client, location, BODY[: 1 << 20])
    await eventually(lambda: file.stat().st_size > 0, "nothing is written")
    written = file.stat().st_size
    second = await client.patch(location, headers=patch_headers(0), content=BODY)
    assert second.status_code == 423
    # The first connection is still open, as after a phone changed networks.
    reached = await offset(client, location)
    assert written <= reached <= 1 << 20
    rest = await client.patch(location, headers=patch_headers(reached), content=BODY[reached:])
    assert rest.status_code == 204
    await close(writer)


async def test_a_server_that_ends_keeps_what_came(settings: OriginSettings) -> None:
    async with running_origin(settings) as client:
        location = await begin(client)
        file = settings.data / "uploads" / asset_of(location)
        writer = await torn_patch(client, location, BODY[:1_500_000])
        await eventually(lambda: file.stat().st_size > 0, "nothing is written")
        written = file.stat().st_size
    await close(writer)  # open all the while: the shutdown did not wait for it
    async with running_origin(settings) as client:
        assert written <= await offset(client, location) <= 1_500_000


async def test_a_stalled_body_is_given_up(settings: OriginSettings) -> None:
    hasty = replace(settings, limits=replace(settings.limits, idle_s=0.2))
    async with running_origin(hasty) as client:
        location = await begin(client)
        writer = await torn_patch(client, location, BODY[:1000])
        file = settings.data / "uploads" / asset_of(location)
        await eventually(lambda: file.stat().st_size == 1000, "what came was not kept")
        assert await offset(client, location) == 1000
        await close(writer)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
async def test_checksums(client: httpx.AsyncClient, algorithm: str) -> None:
    location = await begin(client)

    def field(body: bytes) -> dict[str, str]:
        digest = base64.b64encode(hashlib.new(algorithm, body).digest()).decode()
        return {"Upload-Checksum": f"{algorithm} {digest}"}

    good = patch_headers(0, **field(BODY[:1000]))
    assert (await client.patch(location, headers=good, content=BODY[:1000])).status_code == 204
    bad = patch_headers(1000, **field(b"something else"))
    refused = await client.patch(location, headers=bad, content=BODY[1000:])
    assert refused.status_code == 460
    assert refused.headers["upload-offset"] == "1000"
    assert await offset(client, location) == 1000


async def test_a_torn_body_with_a_checksum_is_dropped(
    client: httpx.AsyncClient, settings: OriginSettings
) -> None:
    location = await begin(client)
    file = settings.data / "uploads" / asset_of(location)
    digest = base64.b64encode(hashlib.sha1(BODY).digest()).decode()
    fields = {"Upload-Checksum": f"sha1 {digest}"}
    writer = await torn_patch(client, location, BODY[:1_500_000], **fields)
    await eventually(lambda: file.stat().st_size > 0, "nothing is written")
    await close(writer)
    assert await offset(client, location) == 0


async def test_a_body_beyond_the_length_is_refused(client: httpx.AsyncClient) -> None:
    location = await begin(client, 1000)

    async def too_much() -> AsyncIterator[bytes]:
        yield BODY

    answer = await client.patch(location, headers=patch_headers(0), content=too_much())
    assert answer.status_code == 413
    assert await offset(client, location) == 0


async def test_termination(
    client: httpx.AsyncClient, settings: OriginSettings, jobs: Submissions
) -> None:
    location = await begin(client)
    assert (await client.delete(location, headers=TUS)).status_code == 204
    assert (await client.head(location, headers=TUS)).status_code == 404
    assert (await client.get(f"/api/assets/{asset_of(location)}")).status_code == 404
    assert not list((settings.data / "uploads").iterdir())

    location = await begin(client, 5)
    await client.patch(location, headers=patch_headers(0), content=b"video")
    await eventually(lambda: len(jobs.asset_ids) == 1, "no job was submitted")
    override = {**TUS, "X-HTTP-Method-Override": "DELETE"}
    assert (await client.post(location, headers=override)).status_code == 204
    shown = (await client.get(f"/api/assets/{asset_of(location)}")).json()
    assert shown["state"] == "cancelled"


@pytest.mark.parametrize(
    ("limits", "lengths", "status", "limit"),
    [
        (UploadLimits(size_max_bytes=1_000), [1_001], 413, "size_max_bytes"),
        (UploadLimits(uploads_per_client_max=2), [1, 1, 1], 429, "uploads_per_client_max"),
        (UploadLimits(disk_free_min_bytes=1 << 60), [1], 413, "disk_free_min_bytes"),
    ],
    ids=["size", "per client", "disk"],
)
async def test_a_limit_is_named(
    settings: OriginSettings, limits: UploadLimits, lengths: list[int], status: int, limit: str
) -> None:
    async with running_origin(replace(settings, limits=limits)) as client:
        *before, last = [
            await client.post("/uploads/", headers=create_headers(length)) for length in lengths
        ]
    assert [made.status_code for made in before] == [201] * len(before)
    assert last.status_code == status
    assert last.json()["limit"] == limit
    assert str(last.json()["value"]) in last.json()["error"]


async def test_two_creations_at_once_see_each_other(settings: OriginSettings) -> None:
    limits = replace(settings.limits, uploads_per_client_max=3)
    async with running_origin(replace(settings, limits=limits)) as client:
        made = await asyncio.gather(
            *(client.post("/uploads/", headers=create_headers(10)) for _ in range(8))
        )
    assert sorted(answer.status_code for answer in made) == [201] * 3 + [429] * 5


async def test_only_a_trusted_proxy_may_name_the_client(settings: OriginSettings) -> None:
    limits = replace(settings.limits, uploads_per_client_max=1)
    for proxies, second in ((("127.0.0.1",), 201), ((), 429)):
        told = replace(settings, limits=limits, trusted_proxies=proxies)
        async with running_origin(told) as client:
            answers = [
                await client.post("/uploads/", headers=create_headers(1, **{"X-Forwarded-For": ip}))
                for ip in (f"192.0.2.{len(proxies)}", "198.51.100.1")
            ]
        assert [answer.status_code for answer in answers] == [201, second]


async def test_what_makes_no_sense_is_refused(client: httpx.AsyncClient) -> None:
    location = await begin(client)
    unknown = f"/uploads/{new_upload_id(1)}"
    for method, path, headers, status in [
        ("POST", "/uploads/", {"Upload-Length": "1"}, 412),
        ("POST", "/uploads/", TUS, 400),
        ("HEAD", unknown, TUS, 404),
        ("PATCH", unknown, patch_headers(0), 404),
        ("DELETE", unknown, TUS, 404),
        ("HEAD", "/uploads/short", TUS, 404),
        ("PATCH", location, patch_headers(1), 409),
        ("PATCH", location, {**patch_headers(0), "Content-Type": "text/plain"}, 415),
        ("PUT", location, TUS, 405),
        ("POST", location, TUS, 405),
    ]:
        answer = await client.request(method, path, headers=headers)
        assert answer.status_code == status, (method, path)
        assert answer.headers["cache-control"] == "no-store"
    assert await offset(client, location) == 0


async def test_stale_uploads_are_removed(settings: OriginSettings) -> None:
    hasty = replace(settings, limits=replace(settings.limits, expire_s=0.05))
    async with running_origin(hasty) as client:
        location = await begin(client)
    async with running_origin(hasty) as client:  # removal happens at the start, then every minute
        uploads = settings.data / "uploads"
        await eventually(lambda: not list(uploads.iterdir()), "the stale upload is still there")
        assert (await client.head(location, headers=TUS)).status_code == 404


class Flaky(Submissions):
    """A job queue whose database is away at first."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals = 1

    def submit(self, asset_id: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise OperationalError("insert", {}, Exception("database is locked"))
        super().submit(asset_id)


async def test_a_job_that_could_not_be_submitted_is_submitted_later(
    settings: OriginSettings,
) -> None:
    jobs = Flaky()
    async with running_origin(settings, jobs) as client:
        location = await begin(client, 5)
        sent = await client.patch(location, headers=patch_headers(0), content=b"video")
        assert sent.status_code == 204
        await eventually(lambda: jobs.asset_ids == [asset_of(location)], "no job was submitted")


async def test_an_upload_accepted_without_a_queue_is_submitted_after_a_restart(
    settings: OriginSettings, jobs: Submissions
) -> None:
    async with running_origin(settings) as client:
        location = await begin(client, 5)
        await client.patch(location, headers=patch_headers(0), content=b"video")
    async with running_origin(settings, jobs):
        await eventually(lambda: jobs.asset_ids == [asset_of(location)], "no job was submitted")
