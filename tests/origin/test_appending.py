"""Bytes on their way to a disk that fills up, and uploads found again after an interruption."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from origin.appending import Appended, Appending
from origin.bodies import Bodies, BodyFile
from origin.body_reader import BodyReader
from origin.database import open_engine, sqlite_url
from origin.names import asset_id_of
from origin.settings import UploadLimits
from origin.upload_ledger import Begun, UploadLedger, UploadRecord
from origin.uploads import Append
from tests.support.origin import creation, new_upload_id

ASSET = asset_id_of(new_upload_id(1))
LENGTH = 5 << 20


class Disk(Bodies):
    """A directory whose file system says that it has no room left."""

    free = 1 << 40

    def free_bytes(self) -> int:
        return self.free


class BrokenFile(BodyFile):
    """A file whose second write fails."""

    def __init__(self, body: BodyFile, number: int) -> None:
        super().__init__(os.dup(body._descriptor))
        self._number = number
        self.written = 0

    def append(self, pieces: Sequence[bytes]) -> int:
        if self.written:
            raise OSError(self._number, os.strerror(self._number))
        self.written = super().append(pieces)
        return self.written


@dataclass
class Bench:
    """An Appending on real files and a real catalog."""

    appending: Appending
    bodies: Disk
    ledger: UploadLedger
    accepted: list[None] = field(default_factory=list)

    def record(self) -> UploadRecord:
        found = self.ledger.find(ASSET)
        assert found is not None
        return found

    async def send(self, body: BodyFile, size: int) -> Appended:
        """Append `size` bytes that arrive in pieces of 256 KiB."""
        left = [b"v" * (256 << 10)] * (size >> 18)

        async def receive() -> dict[str, object]:
            piece = left.pop()
            return {"type": "http.request", "body": piece, "more_body": bool(left)}

        plan = Append(offset=0, length_max=LENGTH, checksum=None)
        reader = BodyReader(receive, idle_s=30.0)
        return await self.appending.append(self.record(), body, plan, reader)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    engine = open_engine(sqlite_url(tmp_path / "catalog.sqlite"))
    ledger, bodies = UploadLedger(engine), Disk(tmp_path / "uploads")
    bodies.create(ASSET)
    begun = Begun(client="c", boot_id="this kernel", expires=1e12)
    ledger.create(ASSET, creation(length=LENGTH), begun, now_wall=1.0)
    accepted: list[None] = []
    with ThreadPoolExecutor(1) as disk:
        appending = Appending(
            ledger=ledger,
            bodies=bodies,
            limits=UploadLimits(checkpoint_bytes=2 << 20, checkpoint_s=1e9),
            boot_id="this kernel",
            clock=lambda: 2.0,
            disk=disk,
            accepted=lambda: accepted.append(None),
        )
        yield Bench(appending, bodies, ledger, accepted)
    engine.dispose()


def locked(bench: Bench) -> BodyFile:
    body = bench.bodies.lock(ASSET)
    assert body is not None
    assert bench.bodies.lock(ASSET) is None  # one writer at a time, whoever asks
    return body


async def test_a_whole_body_is_accepted(bench: Bench) -> None:
    with locked(bench) as body:
        assert await bench.send(body, LENGTH) == Appended(offset=LENGTH)
    assert bench.record().completed == 2.0
    assert bench.accepted == [None]


async def test_a_disk_that_fills_up_in_mid_body_keeps_what_came(bench: Bench) -> None:
    bench.bodies.free = 0
    with locked(bench) as body:
        appended = await bench.send(body, LENGTH)
    assert appended.refusal is not None
    assert (appended.refusal.status, appended.refusal.limit) == (413, "disk_free_min_bytes")
    assert appended.offset == bench.record().offset
    assert 2 << 20 <= appended.offset < LENGTH  # found out at the checkpoint


async def test_a_full_disk_is_told_and_a_broken_one_is_not_hidden(bench: Bench) -> None:
    with locked(bench) as body:
        with BrokenFile(body, errno.ENOSPC) as full:
            appended = await bench.send(full, LENGTH)
        assert appended.refusal is not None
        assert appended.refusal.limit == "disk_free_min_bytes"
        assert appended.offset == full.written > 0
        with BrokenFile(body, errno.EIO) as broken, pytest.raises(OSError, match="Input/output"):
            await bench.send(broken, LENGTH)


@pytest.mark.parametrize(
    ("boot_id", "size", "recorded", "offset"),
    [
        ("this kernel", 3000, 1000, 3000),  # our process died: its writes are in the page cache
        ("another", 3000, 1000, 1000),  # the machine died: only what was synchronised is sure
        ("", 3000, 1000, 1000),  # a checksum was never checked
        ("another", 3000, 3000, 3000),
    ],
)
def test_an_interrupted_upload_is_settled(
    bench: Bench, boot_id: str, size: int, recorded: int, offset: int
) -> None:
    bench.ledger.record(ASSET, offset=recorded, boot_id=boot_id, now_wall=1.0, expires=1e12)
    with locked(bench) as body:
        body.append([b"v" * size])
        settled = bench.appending.settle(bench.record(), body)
        assert (settled.offset, body.size()) == (offset, offset)
    again = bench.record()
    assert (again.offset, again.boot_id) == (offset, "this kernel")
    assert bench.accepted == []


def test_an_upload_whose_last_byte_was_never_answered_is_complete(bench: Bench) -> None:
    with locked(bench) as body:
        body.append([b"v" * LENGTH])
        assert bench.appending.settle(bench.record(), body).completed == 2.0
    assert bench.record().completed == 2.0
    assert bench.accepted == [None]


async def test_a_cancelled_request_waits_for_its_disk(bench: Bench) -> None:
    begun, finish = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    done: list[str] = []

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(finish.wait(), loop).result()
        done.append("written")

    task = asyncio.create_task(bench.appending.on_disk(work))
    await begun.wait()
    task.cancel()
    finish.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["written"]
