"""HTTP/2 with clients that others wrote."""

import asyncio
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from edge.http2 import STREAMS_MAX
from tests.support.edges import Asked, Edge, edge_and_origin, response
from tests.support.tls import EDGE

SMALL, LARGE = b"from memory", bytes(range(256)) * 8192


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(
        response(LARGE if asked.target == b"/large" else SMALL, "Cache-Control: max-age=99")
    )


async def run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()[-2000:]
    return told.decode()


def url(edge: Edge, target: str) -> str:
    return f"https://127.0.0.1:{edge.port}{target}"


async def test_curl_carries_on_where_a_connection_ends(tmp_path: Path) -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        count = STREAMS_MAX + 300
        asked = f'url = "{url(edge, "/")}"\noutput = "/dev/null"\n' * count
        (tmp_path / "asked").write_text(asked)
        told = await run(
            *("curl", "-sS", "--http2", "--cacert", EDGE.certificate, "-Z", "--parallel-max", "30"),
            *("--no-progress-meter", "-K", str(tmp_path / "asked")),
            *("-w", "%{http_version} %{http_code} %{size_download} %{num_connects}\n"),
        )
        lines = re.findall(r"^(\d) (\d+) (\d+) (\d+)$", told, re.MULTILINE)
        assert Counter(line[:3] for line in lines) == {("2", "200", str(len(SMALL))): count}
        assert sum(int(line[3]) for line in lines) >= 2


@pytest.mark.parametrize("bits", [12, 16, 23])
async def test_h2load_gets_all_whatever_its_windows(bits: int) -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        await edge.get("/large")
        told = await run(
            *("h2load", "-c2", "-m8", "-n16", f"-w{bits}", f"-W{max(bits, 16)}"),
            url(edge, "/large"),
        )
        assert "16 succeeded, 0 failed, 0 errored, 0 timeout" in told
        assert "status codes: 16 2xx" in told
        assert f"({16 * len(LARGE)}) data" in told
