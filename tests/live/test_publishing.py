"""Publishing beside a running origin: several processes, sudden deaths, a remote store."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from origin.names import asset_id_of, source_key
from origin.service import open_publisher
from origin.settings import OriginSettings
from tests.support.edge_node import NO_TLS
from tests.support.origin import (
    DEADLINE_S,
    TUS,
    OriginProcess,
    content_name,
    main_playlist,
    origin_process,
    patch_headers,
    playlist,
    publication,
)
from tests.support.seaweed import BUCKET, seaweed

ROOT = Path(__file__).parent.parent.parent
WORKER = """
import random, sys
from pathlib import Path
from origin.service import open_publisher
from origin.settings import OriginSettings
from tests.support.origin import content_name, main_playlist, playlist, publication
data, rounds, *asset_ids = sys.argv[1:]
with open_publisher(OriginSettings(data=Path(data))) as publisher:
    for number in range(int(rounds)):
        for asset_id in asset_ids:
            publisher.progress(asset_id, f"round {number}", number / int(rounds))
            bodies = [f"{asset_id} {number} {n} ".encode() * 2_000 for n in range(4)]
            for body in bodies:
                publisher.store(asset_id, content_name(body), body, "video/mp4")
            names = [content_name(body) for body in bodies]
            publisher.publish(asset_id, publication(main_playlist(playlist(*names))))
        print(number, flush=True)
"""


def accept(origin: OriginProcess, body: bytes = b"video") -> str:
    """Upload a body; return its asset_id."""
    with httpx.Client(
        base_url=origin.url, trust_env=False, timeout=DEADLINE_S, verify=NO_TLS
    ) as client:
        made = client.post("/uploads/", headers={**TUS, "Upload-Length": str(len(body))})
        location = made.headers["location"]
        sent = client.patch(location, headers=patch_headers(0), content=body)
        assert sent.status_code == 204
    return asset_id_of(location.rsplit("/", 1)[1])


def start_worker(data: Path, rounds: int, *asset_ids: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", WORKER, str(data), str(rounds), *asset_ids]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def named_segments(origin: OriginProcess, asset_id: str) -> list[str]:
    """Check that every segment of the published playlist is there, whole; return their names."""
    with httpx.Client(
        base_url=origin.url, trust_env=False, timeout=DEADLINE_S, verify=NO_TLS
    ) as client:
        listed = client.get(f"/v/{asset_id}/main.m3u8")
        if listed.status_code == 404:
            return []
        names = [line for line in listed.text.splitlines() if line and not line.startswith("#")]
        for name in names:
            segment = client.get(f"/v/{asset_id}/{name}")
            assert segment.status_code == 200
            assert hashlib.sha256(segment.content).hexdigest()[:32] == name[:32]
        return names


def test_two_processes_publish_at_once(tmp_path: Path) -> None:
    data = tmp_path / "origin"
    with origin_process(data, "--disk-free-mib", "0") as origin:
        shared, *own = [accept(origin) for _ in range(3)]
        workers = [start_worker(data, 5, shared, asset_id) for asset_id in own]
        for worker in workers:
            said, _ = worker.communicate(timeout=200)
            assert worker.returncode == 0
            assert len(said.splitlines()) == 5
        for asset_id in (shared, *own):
            assert len(named_segments(origin, asset_id)) == 4
        feed = httpx.get(
            f"{origin.url}/feed/north", trust_env=False, timeout=DEADLINE_S, verify=NO_TLS
        ).json()
        assert {story["asset_id"] for story in feed["stories"]} == {shared, *own}


def test_a_publisher_killed_at_any_instant_leaves_no_broken_playlist(tmp_path: Path) -> None:
    data = tmp_path / "origin"
    chance = random.Random(7)
    with origin_process(data, "--disk-free-mib", "0") as origin:
        asset_id = accept(origin)
        seen = 0
        for _ in range(4):
            worker = start_worker(data, 10_000, asset_id)
            assert worker.stdout is not None
            with worker.stdout as said:
                for _ in range(1 + chance.randrange(4)):
                    assert said.readline()
                time.sleep(chance.random() * 0.02)  # anywhere within a publication
                worker.kill()
                worker.wait(DEADLINE_S)
            seen += len(named_segments(origin, asset_id))
        assert seen == 16


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run an S3 server; the environment says where it is, as an operator's would."""
    with seaweed(tmp_path / "seaweed") as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        yield f"s3://{BUCKET}/amaro"


def test_everything_works_with_objects_in_s3(tmp_path: Path, s3: str) -> None:
    data = tmp_path / "origin"
    jobs = f"sqlite:///{tmp_path}/jobs.sqlite"
    video = random.Random(3).randbytes(9 << 20)  # several pieces, and several parts in S3
    options = ("--store", s3, "--jobs", jobs, "--disk-free-mib", "0")
    with origin_process(data, *options) as origin:
        asset_id = accept(origin, video)
        settings = OriginSettings(data=data, store_url=s3)
        with open_publisher(settings) as publisher:
            source = await_source(publisher, asset_id)
            assert source.read_bytes() == video
            name = content_name(video)
            publisher.store(asset_id, name, source, "video/mp4")
            publisher.publish(asset_id, publication(main_playlist(playlist(*[name] * 8))))
        assert set(named_segments(origin, asset_id)) == {name}
        part = httpx.get(
            f"{origin.url}/v/{asset_id}/{name}",
            headers={"Range": "bytes=5000000-5000099"},
            trust_env=False,
            timeout=DEADLINE_S,
            verify=NO_TLS,
        )
        assert part.status_code == 206
        assert part.content == video[5_000_000:5_000_100]
        assert not list((data / "uploads").iterdir())
        assert not (data / "objects" / source_key(asset_id)).exists()


def await_source(publisher, asset_id: str) -> Path:
    """Return the source once the origin has handed it over."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            return publisher.source(asset_id)
        except FileNotFoundError:
            assert time.monotonic() < deadline, "the upload was not handed over"
            time.sleep(0.05)
