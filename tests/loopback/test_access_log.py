"""Every answer has its line, and a log that can't be written disturbs nobody."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from edge import access_log
from edge.access_log import BATCH_LINES, BYTES_MAX, LINES_MAX, AccessLog
from edge.counters import Counters
from tests.support.edges import PATIENCE_S, Asked, edge_and_origin, response, until

FRESH = "Cache-Control: max-age=600"


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    if asked.target == b"/cut":
        writer.write(response(b"half", FRESH, length=8))
        await writer.drain()
        writer.transport.abort()
    elif asked.target.startswith(b"/private"):
        writer.write(response(b"own", "Cache-Control: private"))
    else:
        writer.write(response(b"0123456789", FRESH, 'ETag: "e"'))


def lines(path: Path) -> list[dict[str, object]]:
    """What is written; of a line that is being written there may be a part only."""
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    return [json.loads(line) for line in whole.splitlines()]


async def test_every_answer_has_a_line(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    async with edge_and_origin(script, access_log=str(path)) as (edge, _):
        client = await edge.client()
        await client.get("/a?CMCD=bl%3D1")
        await client.get("/a?CMCD=bl%3D2")
        await client.get("/a", method="HEAD")
        await client.get("/a", "Range: bytes=2-5")
        await client.get("/a", 'If-None-Match: "e"')
        await client.get("/a", "Cache-Control: max-age=500")
        await edge.get("/private?token=secret")
        await edge.get("/private", method="POST")
        await edge.get("/.amaro/live")
        await edge.get("/cut")
        client.send(b"GET /a HTTP/1.1\r\n\r\n")
        assert (await client.read()).status == 400
        await until(lambda: len(lines(path)) >= 11)
        said = [
            [
                line[name]
                for name in ("method", "path", "status", "bytes", "result", "reason", "tier")
            ]
            for line in lines(path)
        ]
        assert said == [
            ["GET", "/a?CMCD=bl%3D1", 200, 10, "miss", "compulsory", "origin"],
            ["GET", "/a?CMCD=bl%3D2", 200, 10, "hit", "fresh", "memory"],
            ["HEAD", "/a", 200, 0, "hit", "fresh", "memory"],
            ["GET", "/a", 206, 4, "hit", "fresh", "memory"],
            ["GET", "/a", 304, 0, "hit", "fresh", "memory"],
            ["GET", "/a", 200, 10, "hit-slow", "fresh", "memory"],
            ["GET", "/private?token=-", 200, 3, "miss", "private", "origin"],
            ["POST", "/private", 200, 3, "bypass", "method", "origin"],
            ["GET", "/.amaro/live", 200, 5, "own", "own", "none"],
            ["GET", "/cut", 200, 4, "error", "truncated", "none"],
            ["", "", 400, 0, "refused", "host", "none"],
        ]
        assert {line["client"] for line in lines(path)} == {"127.0.0.0"}
        assert 500 < lines(path)[1]["ttl"] <= 600
        assert edge.results() == {
            "hit": 4,
            "hit-slow": 1,
            "miss": 3,
            "bypass": 1,
            "own": 1,
        }


async def test_one_of_so_many_is_logged(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    async with edge_and_origin(script, access_log=str(path), access_log_sample=5) as (edge, _):
        client = await edge.client()
        for _ in range(21):
            await client.get("/a")
        await until(lambda: len(lines(path)) == 5)


async def test_a_renamed_file_gets_a_successor(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    async with edge_and_origin(script, access_log=str(path)) as (edge, _):
        await edge.get("/a")
        await until(lambda: len(lines(path)) == 1)
        path.rename(tmp_path / "access.log.1")
        answers = 1
        async with asyncio.timeout(PATIENCE_S):
            while not path.exists():
                await edge.get("/a")
                answers += 1
        await until(lambda: len(lines(path)) + len(lines(tmp_path / "access.log.1")) == answers)


async def test_the_last_lines_are_written_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    async with edge_and_origin(script, access_log=str(path)) as (edge, _):
        await edge.get("/a")
    assert len(lines(path)) == 1


@pytest.mark.parametrize("path", ["/dev/full"])
async def test_what_cannot_be_written_is_counted(path: str) -> None:
    async with edge_and_origin(script, access_log=path) as (edge, _):
        for number in range(3):
            assert (await edge.get(f"/{number}")).status == 200
        await until(lambda: edge.worker.counters.log_dropped == 3)


async def test_lines_that_nobody_takes_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "STOP_S", PATIENCE_S)  # the reader may wait for a core
    counters, pipe = Counters(), tmp_path / "log"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    log = AccessLog(str(pipe), 1, counters)
    log.start(asyncio.get_running_loop())
    for _ in range(BATCH_LINES + LINES_MAX + 7):
        log.hit(1.0, b"", b"/", 200, 1, 1)
    assert counters.log_dropped == 7
    os.set_blocking(reader, True)
    taken = asyncio.create_task(asyncio.to_thread(line_count, reader))
    await log.stop()
    assert await taken == BATCH_LINES + LINES_MAX


async def test_long_lines_that_nobody_takes_are_bounded_by_their_bytes(tmp_path: Path) -> None:
    """Every byte beyond ASCII takes six in JSON: a target of 2 KiB becomes a line of 12."""
    counters, pipe = Counters(), tmp_path / "log"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    log = AccessLog(str(pipe), 1, counters)
    log.start(asyncio.get_running_loop())
    for number in range(20_000):
        log.hit(1.0, b"", b"/%d" % number + b"\xff" * 2_000, 200, 1, 1)
    held_bytes = sum(map(len, log._lines))
    assert BYTES_MAX <= held_bytes < BYTES_MAX + 2 * BATCH_LINES * 13_000
    assert counters.log_dropped == 20_000 - BATCH_LINES - len(log._lines)
    await log.stop()  # though nobody reads
    assert counters.log_dropped == 20_000
    os.close(reader)


async def test_a_log_that_nobody_takes_holds_up_neither_players_nor_the_end(tmp_path: Path) -> None:
    pipe = tmp_path / "log"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    async with edge_and_origin(script, access_log=str(pipe)) as (edge, _):
        client = await edge.client()
        for _ in range(2_000):  # more than a pipe takes
            assert (await client.get("/a")).status == 200
        assert edge.worker.counters.hits == 1_999
    assert edge.worker.counters.log_dropped > 0
    os.close(reader)


def line_count(fd: int) -> int:
    with open(fd, "rb") as file:
        return sum(1 for _ in file)
