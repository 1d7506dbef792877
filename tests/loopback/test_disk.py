"""The disk tier on a real directory: whatever happens to its files is a miss, never wrong bytes."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from cache_policies.message import Fields, RequestHead, ResponseHead
from cache_policies.policy import CachePolicy
from cache_policies.stored import Times
from cache_policies.storing import Store, judge_storing
from edge.arena import SLICE_BYTES
from edge.clocks import Clocks
from edge.counters import Counters
from edge.disk import DiskHeld, DiskTier
from edge.disk_files import ASIDE, OBJECTS, file_name, prepare
from edge.disk_place import Place, latest_wall, note_time
from edge.disk_pool import DiskPool
from edge.disk_sweep import Sweep
from edge.disk_writing import DiskWriter
from edge.entry import Entry
from edge.errors import StorageError
from edge.memory import Memory
from edge.tasks import Tasks
from tests.support.edges import PATIENCE_S, until

KEY = b"http://edge.test/object"
LOG_ID = b"logs-id8"
BODY = b"".join(bytes([number]) * SLICE_BYTES for number in range(3)) + b"the rest"
FIELDS: Fields = ((b"cache-control", b"max-age=6000"), (b"etag", b'"1"'))


def entry(body: bytes = BODY, fields: Fields = FIELDS, asked: Fields = ()) -> Entry:
    now_mono, now_wall = time.monotonic(), time.time()
    judged = judge_storing(
        RequestHead(b"GET", b"http", b"edge.test", b"/object", asked),
        ResponseHead(200, fields),
        Times(response_wall=now_wall, response_mono=now_mono),
        CachePolicy(),
    )
    assert isinstance(judged, Store)
    slices = [body[at : at + SLICE_BYTES] for at in range(0, len(body), SLICE_BYTES)]
    return Entry(KEY, judged.stored, slices)


class Rig:
    def __init__(self, root: Path, *, wait_s: float = PATIENCE_S, log_id: bytes = LOG_ID) -> None:
        self.counters, self.tasks = Counters(), Tasks()
        self.memory = Memory(64 << 20)
        place = Place(root, log_id, Clocks())
        self.writer = DiskWriter(
            place, memory=self.memory, counters=self.counters, tasks=self.tasks
        )
        self.tier = DiskTier(
            place,
            wait_s=wait_s,
            counters=self.counters,
            writer=self.writer,
            spares=self.memory.spares,
        )
        self.file = root / OBJECTS / file_name(KEY)

    async def write(self, *entries: Entry) -> None:
        for each in entries:
            before = self.counters.disk_writes + self.counters.disk_failed
            self.memory.store(each)
            self.tier.offer(each, after=1, second_hand=False)
            await until(lambda: self.counters.disk_writes + self.counters.disk_failed > before)  # noqa: B023

    async def find(self, fields: Fields = ()) -> DiskHeld | None:
        return await self.tier.find(KEY, fields)

    async def body(self, fields: Fields = ()) -> bytes | None:
        """What the tier gives, up to where it breaks off; None when it has nothing."""
        held = await self.find(fields)
        if held is None:
            return None
        got = b""
        try:
            for number in range(-(-held.length // SLICE_BYTES)):
                got += await held.read(number)
        except StorageError:
            pass
        held.close()
        return got


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    prepare(tmp_path)
    rig = Rig(tmp_path)
    yield rig
    await rig.tasks.close()
    rig.tier.close()


@pytest.mark.parametrize("size", [0, 1, 1_000, 65_536, SLICE_BYTES, SLICE_BYTES + 1, len(BODY)])
async def test_what_is_written_is_read(rig: Rig, size: int) -> None:
    await rig.write(entry(BODY[:size]))
    held = await rig.find()
    assert held is not None
    assert (held.length, held.head, held.trusted) == (size, ResponseHead(200, FIELDS), True)
    assert abs(held.times.response_mono - time.monotonic()) < 20
    held.close()
    assert await rig.body() == BODY[:size]
    assert rig.counters.disk_bytes == size


async def test_slices_are_read_in_any_order(rig: Rig) -> None:
    await rig.write(entry())
    held = await rig.find()
    assert held is not None
    assert await held.read(3) == b"the rest"
    assert await held.read(1) == BODY[SLICE_BYTES : 2 * SLICE_BYTES]
    held.close()
    assert rig.counters.disk_bytes == SLICE_BYTES + 8


async def test_what_is_open_stays_readable(rig: Rig) -> None:
    await rig.write(entry())
    held = await rig.find()
    assert held is not None
    await rig.write(entry(b"new"))
    assert await rig.body() == b"new"
    rig.file.unlink()
    assert await held.read(0) + await held.read(3) == BODY[:SLICE_BYTES] + b"the rest"
    held.close()


async def test_variants_are_told_apart(rig: Rig) -> None:
    fields = (*FIELDS, (b"vary", b"accept-language"))
    turkish, german = ((b"accept-language", b"tr"),), ((b"accept-language", b"de"),)
    await rig.write(entry(b"merhaba", fields, turkish), entry(b"hallo", fields, german))
    assert (await rig.body(turkish), await rig.body(german)) == (b"merhaba", b"hallo")
    assert await rig.body(()) is None
    await rig.write(entry(b"hello"))
    assert await rig.body(turkish) == b"hello"


async def test_another_log_is_another_life(rig: Rig, tmp_path: Path) -> None:
    await rig.write(entry())
    other = Rig(tmp_path, log_id=b"another8")
    assert await other.body() is None
    await until(lambda: not rig.file.exists())
    other.tier.close()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "head cut": lambda data: data[:40],
    "head flipped": lambda data: data[:50] + bytes([data[50] ^ 1]) + data[51:],
    "body cut": lambda data: data[: -len(BODY)],
    "a byte short": lambda data: data[:-1],
    "a byte more": lambda data: data + b"x",
    "zeros": lambda data: bytes(len(data)),
    "another file": lambda data: b"GIF89a" + data[6:],
}


@pytest.mark.parametrize("kind", DAMAGE)
async def test_a_damaged_file_is_a_miss_and_goes(rig: Rig, kind: str) -> None:
    await rig.write(entry())
    rig.file.write_bytes(DAMAGE[kind](rig.file.read_bytes()))
    assert await rig.body() is None
    assert rig.counters.disk_damaged == 1
    assert not rig.file.exists()
    assert await rig.body() is None
    assert rig.counters.disk_damaged == 1


@pytest.mark.parametrize("number", range(4))
async def test_a_damaged_slice_is_found_out_before_it_is_given(rig: Rig, number: int) -> None:
    await rig.write(entry())
    data = bytearray(rig.file.read_bytes())
    at = len(data) - len(BODY) + number * SLICE_BYTES + 5
    data[at] ^= 0x10
    rig.file.write_bytes(data)
    assert await rig.body() == BODY[: number * SLICE_BYTES]
    assert rig.counters.disk_damaged == 1
    await until(lambda: not rig.file.exists())


async def test_a_file_that_is_cut_while_it_is_read(rig: Rig) -> None:
    await rig.write(entry())
    held = await rig.find()
    assert held is not None
    assert await held.read(0) == BODY[:SLICE_BYTES]
    os.truncate(rig.file, rig.file.stat().st_size - 2 * SLICE_BYTES)
    with pytest.raises(StorageError):
        await held.read(2)
    held.close()
    await until(lambda: not rig.file.exists())


async def test_a_name_with_something_else_behind_it_is_a_miss(rig: Rig) -> None:
    await rig.write(entry())
    other = rig.file.with_name("0" * 30)
    rig.file.rename(other)
    rig.file.symlink_to(other)
    assert await rig.body() is None
    assert rig.counters.disk_failed == 1
    rig.file.unlink()
    rig.file.mkdir()
    assert await rig.body() is None
    assert rig.counters.disk_failed == 2


# writing


async def test_it_is_written_when_it_is_asked_for_again(rig: Rig) -> None:
    first = entry()
    rig.memory.store(first)
    rig.tier.offer(first, after=2, second_hand=False)
    rig.writer.look()
    assert not rig.tasks
    rig.memory.find(KEY, ())
    rig.writer.look()
    await until(rig.file.exists)


async def test_it_is_written_when_it_is_fetched_again(rig: Rig) -> None:
    for _ in range(2):
        each = entry()
        rig.memory.store(each)
        rig.tier.offer(each, after=2, second_hand=False)
    await until(rig.file.exists)


async def test_what_memory_drops_before_its_turn_holds_up_nothing(rig: Rig) -> None:
    varying: Fields = (*FIELDS, (b"vary", b"accept-language"))
    dropped, kept = (entry(body, varying, ((b"accept-language", body),)) for body in (b"de", b"en"))
    for each in (dropped, kept):
        rig.memory.store(each)
        rig.tier.offer(each, after=1, second_hand=False)
    rig.memory.remove(dropped)
    await until(lambda: not rig.tasks)
    assert rig.counters.disk_writes == 1
    assert await rig.body(((b"accept-language", b"en"),)) == b"en"


async def test_what_another_worker_wrote_is_not_written_again(rig: Rig) -> None:
    await rig.write(entry())
    written = rig.counters.disk_writes
    rig.tier.offer(entry(), after=1, second_hand=True)
    await until(lambda: not rig.tasks)
    assert rig.counters.disk_writes == written


@pytest.mark.parametrize(
    ("fields", "size", "worth"),
    [
        (((b"cache-control", b"max-age=9"),), 1_000_000, False),
        (((b"cache-control", b"max-age=30"),), 10, True),
        (((b"cache-control", b"no-cache"), (b"etag", b'"1"')), 1_000, False),
        (((b"cache-control", b"no-cache"), (b"etag", b'"1"')), 100_000, True),
    ],
)
async def test_only_what_is_worth_it_is_written(
    rig: Rig, fields: Fields, size: int, worth: bool
) -> None:
    each = entry(BODY[:size], fields)
    rig.memory.store(each)
    rig.tier.offer(each, after=1, second_hand=False)
    await until(lambda: not rig.tasks)
    assert rig.file.exists() is worth


async def test_a_directory_that_is_gone_is_counted(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / ASIDE).rmdir()
    await rig.write(entry())
    assert rig.counters.disk_failed == 1
    assert await rig.body() is None
    rig.tier.offer(entry(), after=1, second_hand=False)
    assert rig.counters.disk_writes_skipped == 1  # it waits before it tries again


SMALL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from tests.loopback.test_disk import BODY, Rig, entry
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
async def main():
    rig = Rig(Path(sys.argv[1]))
    await rig.write(entry(b"small"))
    await rig.write(entry())
    assert rig.counters.disk_failed == 1
    assert await rig.body() == b"small"
asyncio.run(main())
"""


def test_a_file_that_does_not_fit_leaves_nothing(tmp_path: Path) -> None:
    prepare(tmp_path)
    subprocess.run([sys.executable, "-c", SMALL_DISK, str(tmp_path)], check=True, timeout=200)
    assert not any((tmp_path / ASIDE).iterdir())


KILLED = """
import asyncio, os, sys
from pathlib import Path
from tests.loopback.test_disk import BODY, Rig, entry
async def main():
    rig = Rig(Path(sys.argv[1]))
    await rig.write(entry(b"old"))
    print("ready", flush=True)
    while True:
        await rig.write(entry())
asyncio.run(main())
"""


def killed_in_mid_write(root: Path, at_bytes: int) -> None:
    """Have a process write again and again, and kill it when it has written so much of a file."""
    command = [sys.executable, "-c", KILLED, str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        until_mono = time.monotonic() + 20
        size = -1
        while size < at_bytes and time.monotonic() < until_mono:
            for file in os.scandir(root / ASIDE):
                with suppress(FileNotFoundError):
                    size = file.stat().st_size
        process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("at_bytes", [0, 1, 1_000_000, 3_000_000])
async def test_a_writer_that_is_killed_leaves_whole_files(
    rig: Rig, tmp_path: Path, at_bytes: int
) -> None:
    await asyncio.to_thread(killed_in_mid_write, tmp_path, at_bytes)
    assert await rig.body() in (b"old", BODY)
    assert rig.counters.disk_damaged == 0
    Sweep(tmp_path, 1 << 30, LOG_ID).clear_aside(0.0)
    assert not any((tmp_path / ASIDE).iterdir())


# a disk that hangs


async def test_a_disk_that_hangs_is_skipped_in_time(tmp_path: Path) -> None:
    prepare(tmp_path)
    rig = Rig(tmp_path, wait_s=0.05)
    rig.file.parent.mkdir(exist_ok=True)
    os.mkfifo(rig.file)  # opening it waits for a writer that never comes
    waits = 0
    while not rig.tier.pool.is_stuck:
        assert await rig.find() is None
        waits += 1
        assert waits < 100
    queued = rig.tier.pool._jobs.qsize()
    for _ in range(100):
        assert await rig.find() is None
    assert rig.tier.pool._jobs.qsize() == queued  # with every thread stuck nobody waits any more
    assert rig.counters.disk_skipped == waits + 100
    fds = [os.open(rig.file, os.O_WRONLY | os.O_NONBLOCK)]
    await until(lambda: not rig.tier.pool.is_stuck)
    rig.file.unlink()
    await rig.write(entry(b"again"))
    rig.tier._wait_s = PATIENCE_S
    assert await rig.body() == b"again"
    for fd in fds:
        os.close(fd)
    await rig.tasks.close()
    rig.tier.close()


async def test_a_look_up_that_comes_too_late_is_closed(rig: Rig) -> None:
    begun, gate, closed = threading.Event(), threading.Event(), threading.Event()

    def slow() -> threading.Event:
        begun.set()
        gate.wait(20)
        return closed

    while not begun.is_set():
        with pytest.raises(StorageError):
            await rig.tier.pool.run(slow, limit_s=0.01, dispose=lambda event: event.set())
    gate.set()
    await until(closed.is_set)


async def test_what_ends_just_when_nobody_waits_any_more_is_not_late() -> None:
    pool, gate, told = DiskPool(1, "test"), threading.Event(), threading.Event()
    asking = asyncio.create_task(pool.run(lambda: gate.wait(20), limit_s=0.0))

    def end() -> None:
        gate.set()
        told.wait(20)  # so the loop hears of the end after the limit, and before who asked does

    asyncio.get_running_loop().call_soon(end)
    pool.post(told.set)
    with pytest.raises(StorageError):
        await asking
    assert not pool.is_stuck
    pool.close()


# size


def put(root: Path, number: int, size: int, used_wall: float) -> Path:
    path = root / OBJECTS / f"{number % 256:02x}" / f"{number:030x}"
    path.write_bytes(bytes(size))
    os.utime(path, (used_wall, used_wall))
    return path


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    prepare(tmp_path)
    now = time.time()
    paths = [put(tmp_path, number, 8_192, now - 1_000 + number) for number in range(200)]
    sweep = Sweep(tmp_path, 100 * 8_192, LOG_ID)
    for _ in range(256):
        sweep.measure()
    assert sweep.used_bytes == 200 * 8_192
    while sweep.is_over():
        sweep.evict()
    left = [number for number, path in enumerate(paths) if path.exists()]
    assert left == list(range(200 - len(left), 200))
    assert 95 <= len(left) <= 97


def test_what_seems_to_be_used_in_the_future_is_no_treasure(tmp_path: Path) -> None:
    prepare(tmp_path)
    now = time.time()
    paths = [put(tmp_path, number, 8_192, now) for number in range(10)]
    os.utime(paths[3], (now + 10_000, now + 10_000))
    sweep = Sweep(tmp_path, 9 * 8_192, LOG_ID)
    for _ in range(256):
        sweep.measure()
    while sweep.is_over():
        sweep.evict()
    assert not paths[3].exists()


def test_what_was_reported_counts_until_it_is_seen(tmp_path: Path) -> None:
    prepare(tmp_path)
    sweep = Sweep(tmp_path, 1_000_000, LOG_ID)
    sweep.add({"00": 600_000, "01": 600_000})
    assert sweep.is_over()
    sweep.measure()
    assert not sweep.is_over()


# time


def test_the_latest_time_is_never_taken_back(tmp_path: Path) -> None:
    assert latest_wall(tmp_path) == 0.0
    note_time(tmp_path)
    first = latest_wall(tmp_path)
    assert abs(first - time.time()) < 20
    later = time.time() + 5_000
    os.utime(tmp_path / "clock", (later, later))
    note_time(tmp_path)
    assert latest_wall(tmp_path) == later
    behind = Place.at(tmp_path, LOG_ID).clocks().wall
    assert abs(behind - later) < 20


async def test_an_entry_from_the_future_is_not_trusted(rig: Rig) -> None:
    each = entry()
    ahead = replace(each.stored, response_wall=time.time() + 100)
    each.freshen(ahead)
    await rig.write(each)
    held = await rig.find()
    assert held is not None
    assert not held.trusted
    held.close()
