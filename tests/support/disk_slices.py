"""A film in slices: asked for by ranges, looked for on disk."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from edge.arena import SLICE_BYTES
from edge.disk_files import OBJECTS, file_name, peek
from edge.record import SLICED
from tests.support.edges import PATIENCE_S, Edge, Got, until

BODY = b"".join(b"%07d\n" % number for number in range(9 * SLICE_BYTES // 8)) + b"the end"
SLICES = 10
KEY = b"http://edge.test/film"
SMALL = 6 << 20  # memory that has no place for it


async def seek(edge: Edge, slice_no: int, *lines: str) -> Got:
    """Ask for some bytes of one slice, and see that they are right."""
    first = slice_no * SLICE_BYTES
    last = min(first + 1_000, len(BODY) - 1)
    got = await edge.get("/film", f"Range: bytes={first}-{last}", *lines)
    assert (got.status, got.body) == (206, BODY[first : last + 1]), (got.status, got.says)
    assert got.get("content-range") == b"bytes %d-%d/%d" % (first, last, len(BODY))
    return got


async def whole(edge: Edge, *lines: str) -> Got:
    """Ask for all of it, and see that it is right."""
    got = await edge.get("/film", *lines)
    assert (got.status, got.whole, len(got.body)) == (200, True, len(BODY)), got.says
    assert got.body == BODY
    return got


async def at_rest(edge: Edge) -> None:
    """Wait until nothing is fetched or written any more."""
    await until(lambda: not edge.worker.tasks)


def parts_on_disk(root: Path) -> list[int]:
    """What cache files have of the body, by the numbers of slices."""
    parts = []
    for file in (root / OBJECTS).glob("*/*"):
        with suppress(FileNotFoundError):  # it has gone meanwhile
            parts.append(peek(file).part)
    return sorted(parts)


def slice_file(root: Path, slice_no: int) -> Path:
    return root / OBJECTS / file_name(KEY, b"", slice_no)


async def have_whole_file(edge: Edge, root: Path) -> None:
    """Have it on disk as one file."""
    for _ in range(2):
        await whole(edge)
    await until((root / OBJECTS / file_name(KEY)).exists)
    await at_rest(edge)


async def seek_again(edge: Edge, slice_no: int, *lines: str) -> None:
    """Seek, and once more when what came of it is stored: whoever shares a fill is no hit."""
    for _ in range(2):
        await seek(edge, slice_no, *lines)
        await at_rest(edge)


async def have_slices(edge: Edge, root: Path, *numbers: int) -> None:
    """Have some slices on disk, by seeks."""
    for number in numbers:
        await seek_again(edge, number)
    assert edge.worker.opened.disk is not None
    edge.worker.opened.disk.writer.look()  # now, instead of within a second
    await until(lambda: parts_on_disk(root) == [SLICED, *sorted(numbers)])
    await at_rest(edge)


async def have_all_slices(edge: Edge, root: Path) -> None:
    """Have all of it on disk by slices, as what is too large for memory comes there."""
    async with asyncio.timeout(2 * PATIENCE_S):
        while parts_on_disk(root) != [SLICED, *range(SLICES)]:
            await whole(edge)  # twice, and again where a disk that is slow was given less
            await at_rest(edge)


def is_from_disk(got: Got) -> bool:
    return got.says.startswith("amaro-edge; hit;") and "detail=disk" in got.says
