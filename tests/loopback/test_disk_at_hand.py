"""Cache files that the kernel has in memory are found and read without a thread."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.disk_at_hand import AtHand, read_into
from edge.disk_files import USED_EVERY_S, look_up, prepare
from tests.loopback.test_disk import BODY, KEY, Rig, entry
from tests.support.edges import PATIENCE_S, until


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    prepare(tmp_path)
    rig = Rig(tmp_path)
    yield rig
    await rig.tasks.close()
    rig.tier.close()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def is_at_hand(path: Path) -> bool:
    """Whether all of a file can be read without waiting: some file systems cannot say."""
    way = AtHand(lambda _: None)
    try:
        fd = way.open(str(path))
    except BlockingIOError:
        return False
    try:
        return len(way.read(fd, os.fstat(fd).st_size, 0)) == path.stat().st_size
    except BlockingIOError:
        return False
    finally:
        os.close(fd)


async def test_what_is_in_memory_is_found_while_every_thread_hangs(rig: Rig) -> None:
    await rig.write(entry())
    rig.tier.pool._late.update(range(rig.tier.pool._threads))  # type: ignore[arg-type]
    assert rig.tier.pool.is_stuck
    before = descriptors()
    async with asyncio.timeout(PATIENCE_S):
        while (found := await rig.body()) is None and is_at_hand(rig.file):
            pass  # it was not for a moment
    assert found in (BODY, None)
    await until(lambda: descriptors() == before)


async def test_what_is_not_in_memory_comes_from_a_thread(rig: Rig) -> None:
    await rig.write(entry())
    fd = os.open(rig.file, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)
    assert await rig.body() == BODY
    assert rig.counters.disk_damaged == rig.counters.disk_failed == 0


@pytest.mark.parametrize("is_cached", [True, False])
async def test_reading_writes_nothing(rig: Rig, *, is_cached: bool) -> None:
    """Else the loop waits for the journal of a file system that others keep busy."""
    await rig.write(entry())
    now = time.time()
    os.utime(rig.file, (now - 10.0, now))  # older than what was written: to be noted (relatime)
    before = rig.file.stat().st_atime_ns
    if not is_cached:
        held = await asyncio.to_thread(look_up, rig.tier.place.root, KEY, ())
        assert held is not None
        await asyncio.to_thread(held.read, 3)
        held.close()
    else:
        assert await rig.body() == BODY
    assert rig.file.stat().st_atime_ns == before


async def test_use_is_noted_in_a_while(rig: Rig) -> None:
    await rig.write(entry())
    long_ago = time.time() - 3 * USED_EVERY_S
    os.utime(rig.file, (long_ago, long_ago))
    assert await rig.body() == BODY
    await until(lambda: rig.file.stat().st_mtime > time.time() - USED_EVERY_S)


async def test_a_file_that_is_removed_meanwhile_is_read_to_its_end(rig: Rig) -> None:
    await rig.write(entry())
    before = descriptors()
    held = await rig.find()
    assert held is not None
    rig.file.unlink()
    assert b"".join([await held.read(number) for number in range(4)]) == BODY
    held.close()
    await until(lambda: descriptors() == before)
    assert await rig.find() is None


async def test_damage_is_seen_without_a_thread_and_removed_by_one(rig: Rig) -> None:
    await rig.write(entry())
    damaged = bytearray(rig.file.read_bytes())
    damaged[40] ^= 1
    rig.file.write_bytes(damaged)
    assert await rig.find() is None
    assert rig.counters.disk_damaged == 1
    assert not rig.file.exists()


def test_what_would_wait_is_said(tmp_path: Path) -> None:
    way = AtHand(lambda _: None)
    with pytest.raises((FileNotFoundError, BlockingIOError)):
        way.open(str(tmp_path / "nothing"))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    fd = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(BlockingIOError):
        read_into(fd, memoryview(bytearray(1)), 0)
    os.close(fd)
    with pytest.raises(BlockingIOError):
        way.remove(str(pipe), pipe.stat().st_ino)
