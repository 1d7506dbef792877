"""Whatever happens to slices on disk, players get the right bytes, from the origin if need be."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from edge.arena import SLICE_BYTES
from edge.disk_files import ASIDE, OBJECTS, file_name, peek
from edge.record import SLICED, DamagedError, decode, encode, head_bytes
from tests.support.disk_slices import (
    BODY,
    KEY,
    SLICES,
    SMALL,
    at_rest,
    have_all_slices,
    have_slices,
    is_from_disk,
    parts_on_disk,
    seek,
    slice_file,
    whole,
)
from tests.support.edges import (
    PATIENCE_S,
    Asked,
    response,
    running_edge,
    running_origin,
    until,
)
from tests.support.ranged_origin import RangedOrigin

SPANS = [(at, min(at + SLICE_BYTES, len(BODY)) - 1) for at in range(0, len(BODY), SLICE_BYTES)]
HEAD_FILE = file_name(KEY)

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "head cut": lambda data: data[:40],
    "head flipped": lambda data: data[:50] + bytes([data[50] ^ 1]) + data[51:],
    "body cut": lambda data: data[: head_bytes(data)],
    "body flipped": lambda data: data[:-5] + bytes([data[-5] ^ 16]) + data[-4:],
    "a byte short": lambda data: data[:-1],
    "a byte more": lambda data: data + b"x",
    "zeros": lambda data: bytes(len(data)),
    "another file": lambda data: b"GIF89a" + data[6:],
}


def are_whole(root: Path, parts: list[int]) -> bool:
    """Whether these are on disk, and what is damaged has gone."""
    with suppress(DamagedError):
        return parts_on_disk(root) == parts
    return False


@pytest.mark.parametrize("kind", DAMAGE)
async def test_a_damaged_slice_costs_itself(tmp_path: Path, kind: str) -> None:
    script = RangedOrigin(BODY)
    async with running_origin(script) as origin:
        async with running_edge(origin.url, disk=tmp_path) as edge:
            await have_slices(edge, tmp_path, 2, 6)
        file = slice_file(tmp_path, 6)
        file.write_bytes(DAMAGE[kind](file.read_bytes()))
        script.parts.clear()
        async with running_edge(origin.url, disk=tmp_path) as edge:
            assert is_from_disk(await seek(edge, 2))
            await seek(edge, 6)
            assert script.parts == [SPANS[6]]
            assert edge.worker.counters.disk_damaged == 1
            await until(partial(are_whole, tmp_path, [SLICED, 2, 6]))  # again
        async with running_edge(origin.url, disk=tmp_path) as edge:
            assert is_from_disk(await seek(edge, 6))


@pytest.mark.parametrize("kind", ["empty", "head flipped", "body cut", "a byte more"])
async def test_a_damaged_head_is_a_miss(tmp_path: Path, kind: str) -> None:
    script = RangedOrigin(BODY)
    async with running_origin(script) as origin:
        async with running_edge(origin.url, disk=tmp_path) as edge:
            await have_slices(edge, tmp_path, 2, 6)
        head = tmp_path / OBJECTS / HEAD_FILE
        damaged = DAMAGE[kind](head.read_bytes()) + (b"x" if kind == "body cut" else b"")
        head.write_bytes(damaged)
        async with running_edge(origin.url, disk=tmp_path) as edge:
            assert not is_from_disk(await seek(edge, 6))
            assert edge.worker.counters.disk_damaged == 1


async def test_a_slice_in_the_place_of_another_is_not_taken_for_it(tmp_path: Path) -> None:
    script = RangedOrigin(BODY)
    async with running_origin(script) as origin:
        async with running_edge(origin.url, disk=tmp_path) as edge:
            await have_slices(edge, tmp_path, 2, 6)
        shutil.copy(slice_file(tmp_path, 2), slice_file(tmp_path, 6))
        async with running_edge(origin.url, disk=tmp_path) as edge:
            assert not is_from_disk(await seek(edge, 6))


async def test_slices_that_break_under_a_reader_come_from_the_origin(tmp_path: Path) -> None:
    script = RangedOrigin(BODY)
    async with (
        running_origin(script) as origin,
        running_edge(origin.url, disk=tmp_path, memory_bytes=SMALL) as edge,
    ):
        await have_all_slices(edge, tmp_path)
        script.parts.clear()
        for number, file in ((n, slice_file(tmp_path, n)) for n in (1, 4, 9)):
            data = bytearray(file.read_bytes())
            data[-3] ^= 1
            file.unlink() if number == 4 else file.write_bytes(data)
        await whole(edge)
        kept = {part for part in script.parts if part in SPANS}
        assert kept == set(script.parts)
        assert set(script.parts) <= {SPANS[1], SPANS[4], SPANS[9]}


async def test_files_that_go_while_they_are_read(tmp_path: Path) -> None:
    script = RangedOrigin(BODY)
    async with (
        running_origin(script) as origin,
        running_edge(origin.url, disk=tmp_path, memory_bytes=SMALL) as edge,
    ):
        await have_all_slices(edge, tmp_path)
        client = await edge.client()
        client.send(b"GET /film HTTP/1.1\r\nHost: edge.test\r\n\r\n")
        await client.reader.readuntil(b"\r\n\r\n")
        got = await client.reader.readexactly(100_000)
        shutil.rmtree(tmp_path / OBJECTS)
        async with asyncio.timeout(PATIENCE_S):
            got += await client.reader.readexactly(len(BODY) - len(got))
        assert got == BODY


async def test_a_directory_that_is_none_any_more(tmp_path: Path) -> None:
    script = RangedOrigin(BODY)
    async with (
        running_origin(script) as origin,
        running_edge(origin.url, disk=tmp_path, memory_bytes=SMALL) as edge,
    ):
        await have_slices(edge, tmp_path, 2)
        (tmp_path / OBJECTS).rename(tmp_path / "elsewhere")
        (tmp_path / OBJECTS).write_text("not a directory")
        for _ in range(3):
            await seek(edge, 6)
            await whole(edge)
        assert edge.worker.counters.disk_failed


async def test_a_disk_that_hangs_costs_nobody_more_than_a_look(tmp_path: Path) -> None:
    async def origin_script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        lines = ("Cache-Control: max-age=600", 'ETag: "1"')
        writer.write(response(asked.target * 1_000, *lines))

    names = [f"/hangs/{number}" for number in range(60)]
    pipes = [tmp_path / OBJECTS / file_name(f"http://edge.test{name}".encode()) for name in names]
    async with (
        running_origin(origin_script) as origin,
        running_edge(origin.url, disk=tmp_path, disk_wait_s=0.05) as edge,
    ):
        assert edge.worker.opened.disk is not None
        pool, counters = edge.worker.opened.disk.pool, edge.worker.counters
        await edge.get("/in-memory")
        for pipe in pipes:
            os.mkfifo(pipe)  # opening it waits for a writer that never comes
        for name in names:  # four of them are enough, where threads begin in time
            assert (await edge.get(name)).body == name.encode() * 1_000
            if pool.is_stuck:
                break
        assert pool.is_stuck
        skipped = counters.disk_skipped
        for number in range(20):
            name = f"/not-in-memory/{number}"
            assert (await edge.get(name)).body == name.encode() * 1_000
            assert (await edge.get("/in-memory")).says.startswith("amaro-edge; hit; ttl=")
        assert counters.disk_skipped == skipped + 20
        for pipe in pipes:
            with suppress(OSError):  # nobody hangs in this one
                os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        await until(lambda: not pool.is_stuck)


def aged(file: Path, by_s: float) -> None:
    """Have a file say that its response came so much later, in another run of the machine."""
    data = file.read_bytes()
    head, size = decode(data), head_bytes(data)
    later = replace(head, response_wall=head.response_wall + by_s, boot_id=b"another run of i")
    file.write_bytes(encode(later) + data[size:])


@pytest.mark.parametrize("by_s", [-10_000.0, 10_000.0], ids=["forwards", "backwards"])
async def test_a_clock_that_steps_has_the_head_validated(tmp_path: Path, by_s: float) -> None:
    script = RangedOrigin(BODY)
    async with running_origin(script) as origin:
        async with running_edge(origin.url, disk=tmp_path) as edge:
            await have_slices(edge, tmp_path, 2, 6)
        for file in (tmp_path / OBJECTS).glob("*/*"):
            aged(file, by_s)
        script.parts.clear()
        async with running_edge(origin.url, disk=tmp_path) as edge:
            await seek(edge, 6)
            assert origin.asked[-1].get("if-none-match") == b'"v1"'
            await seek(edge, 2)
        assert script.parts == []  # what is under a strong tag is what it was


FULL = """
import asyncio, resource, signal, sys
from pathlib import Path
from tests.support.disk_slices import SMALL, at_rest, seek, whole
from tests.support.edges import running_edge, running_origin
from tests.support.ranged_origin import RangedOrigin
from tests.support.disk_slices import BODY
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
async def main():
    async with running_origin(RangedOrigin(BODY)) as origin:
        async with running_edge(origin.url, disk=Path(sys.argv[1]), memory_bytes=SMALL) as edge:
            resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
            for _ in range(3):
                await whole(edge)
                await seek(edge, 5)
            await at_rest(edge)
            assert edge.worker.counters.disk_failed
asyncio.run(main())
"""


def test_a_disk_without_room_for_a_slice(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], check=True, timeout=200)
    assert not any((tmp_path / ASIDE).iterdir())
    assert set(parts_on_disk(tmp_path)) <= {SLICED, SLICES - 1}


KILLED = """
import asyncio, shutil, sys
from pathlib import Path
from tests.support.disk_slices import BODY, SMALL, whole
from tests.support.edges import running_edge, running_origin
from tests.support.ranged_origin import RangedOrigin
async def main():
    async with running_origin(RangedOrigin(BODY)) as origin:
        async with running_edge(origin.url, disk=Path(sys.argv[1]), memory_bytes=SMALL) as edge:
            print("ready", flush=True)
            while True:
                await whole(edge)
                for file in Path(sys.argv[1]).glob("objects/*/*"):
                    file.unlink()
asyncio.run(main())
"""


def killed_in_mid_write(root: Path, at_bytes: int) -> None:
    """Have an edge write slices again and again, and kill it in the middle of one."""
    command = [sys.executable, "-c", KILLED, str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        until_mono, size = time.monotonic() + 20, -1
        while size < at_bytes and time.monotonic() < until_mono:
            for file in os.scandir(root / ASIDE):
                with suppress(FileNotFoundError):
                    size = file.stat().st_size
        process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("at_bytes", [1, 500_000])
async def test_an_edge_that_is_killed_leaves_whole_slices(tmp_path: Path, at_bytes: int) -> None:
    await asyncio.to_thread(killed_in_mid_write, tmp_path, at_bytes)
    for file in (tmp_path / OBJECTS).glob("*/*"):
        peek(file)  # raises where one is not whole
    async with (
        running_origin(RangedOrigin(BODY)) as origin,
        running_edge(origin.url, disk=tmp_path, memory_bytes=SMALL) as edge,
    ):
        await whole(edge)
        await at_rest(edge)
        assert edge.worker.counters.disk_damaged == 0
