"""Invariant: what was acknowledged survives the origin's death at any instant, many times over."""

from __future__ import annotations

import base64
import hashlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from origin.names import asset_id_of, source_key
from tests.support.edge_node import NO_TLS
from tests.support.origin import DEADLINE_S, TUS, OriginProcess, origin_process, patch_headers

CLIENTS = 5
DEATHS = 3


@dataclass
class Phone:
    """A client with its own chance: pieces of any size, some checked, some torn."""

    chance: random.Random
    origin: OriginProcess
    body: bytes
    location: str = ""
    acknowledged: int = 0

    def upload(self) -> str:
        """Upload everything, whatever happens to the origin; return the location."""
        with httpx.Client(
            base_url=self.origin.url, trust_env=False, timeout=DEADLINE_S, verify=NO_TLS
        ) as client:
            while True:
                try:
                    if self.step(client):
                        return self.location
                except httpx.TransportError:
                    time.sleep(0.05)

    def step(self, client: httpx.Client) -> bool:
        """Ask where to go on and send a piece; say whether all is there."""
        if not self.location:
            headers = {**TUS, "Upload-Length": str(len(self.body))}
            self.location = client.post("/uploads/", headers=headers).headers["location"]
        asked = client.head(self.location, headers=TUS)
        if asked.status_code == 423:
            return False
        assert asked.status_code == 200
        offset = int(asked.headers["upload-offset"])
        assert offset >= self.acknowledged, "acknowledged bytes are lost"
        piece = self.body[offset : offset + self.chance.randrange(1, 1 << 20)]
        if piece:
            self.send(client, offset, piece)
        return not piece

    def send(self, client: httpx.Client, offset: int, piece: bytes) -> None:
        headers = patch_headers(offset)
        if self.chance.random() < 0.4:
            digest = base64.b64encode(hashlib.sha1(piece).digest()).decode()
            headers["Upload-Checksum"] = f"sha1 {digest}"
        answer = client.patch(self.location, headers=headers, content=piece)
        if answer.status_code == 204:
            self.acknowledged = int(answer.headers["upload-offset"])
        else:
            assert answer.status_code in {409, 423}


class Guarded(threading.Thread):
    """A thread that keeps what went wrong in it."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__()
        self._work = work
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001  (told by the test, in its own thread)
            self.failure = error


@pytest.mark.parametrize("seed", [1])
def test_no_acknowledged_byte_is_lost(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    jobs = f"sqlite:///{tmp_path}/jobs.sqlite"
    options = ("--jobs", jobs, "--disk-free-mib", "0", "--uploads-per-client", "99")
    with origin_process(tmp_path / "origin", *options) as origin:
        phones = [
            Phone(random.Random(chance.random()), origin, chance.randbytes(4 << 20))
            for _ in range(CLIENTS)
        ]
        threads = [Guarded(phone.upload) for phone in phones]
        for thread in threads:
            thread.start()
        for _ in range(DEATHS):
            time.sleep(chance.random() * 0.3)
            origin.kill()
            origin.start()
        for thread in threads:
            thread.join(4 * DEADLINE_S)
            assert not thread.is_alive()
            assert thread.failure is None, f"seed {seed}: {thread.failure!r}"
        for phone in phones:
            name = source_key(asset_id_of(phone.location.rsplit("/", 1)[1]))
            source = tmp_path / "origin" / "objects" / name
            deadline = time.monotonic() + DEADLINE_S
            while not source.exists():
                assert time.monotonic() < deadline, "an accepted upload was not handed over"
                time.sleep(0.01)
            assert source.read_bytes() == phone.body
