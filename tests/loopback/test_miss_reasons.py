"""Every miss has its reason, and it is one word in the header, the metrics and the log."""

import asyncio
import json
from pathlib import Path

from edge.purges import PurgeKind
from tests.support.edges import MIB, Asked, edge_and_origin, response, until

SLOWLY = "Proxy-Connection: keep-alive"  # means nothing, yet sends a request to the app


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    lines = ["Cache-Control: max-age=600"]
    if asked.target.startswith(b"/varies"):
        lines.append("Vary: Accept-Language")
    if asked.target.startswith(b"/short"):
        lines = ["Cache-Control: max-age=0", 'ETag: "e"']
    body = b"x" * 3_000_000 if asked.target.startswith(b"/large") else b"x"
    writer.write(response(body, *lines))


async def test_reasons_of_misses(tmp_path: Path) -> None:
    path = tmp_path / "log"
    async with edge_and_origin(script, access_log=str(path), memory_bytes=8 * MIB) as (edge, _):
        said = []
        for slowly in ([], [SLOWLY]):
            name = "slow" if slowly else "fast"

            async def ask(target: str, *lines: str, name=name, slowly=slowly) -> None:
                got = await edge.get(f"{target}/{name}", *lines, *slowly)
                detail = got.says.rpartition("detail=")[2] if "detail=" in got.says else "fresh"
                said.append((f"{target}/{name}", detail))

            await ask("/a")
            await ask("/a")
            edge.purge(PurgeKind.URL, f"http://edge.test/a/{name}".encode())
            await ask("/a")
            await ask("/varies", "Accept-Language: de")
            await ask("/varies", "Accept-Language: tr")
            await ask("/short")
            await ask("/short")
            for number in range(4):
                await ask(f"/large{number}")
            await ask("/large0")
        reasons = ["compulsory", "fresh", "purged", "compulsory", "vary", "compulsory", "ttl"]
        reasons += [*["compulsory"] * 4, "capacity"]
        assert [reason for _, reason in said] == reasons * 2, said
        await until(lambda: path.read_bytes().count(b"\n") == len(said))
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        assert [(line["path"], line["reason"]) for line in lines] == said
        counts = edge.worker.counters.snapshot()
        assert counts["requests miss origin capacity"] == 2
        assert counts["requests miss origin vary"] == 2
