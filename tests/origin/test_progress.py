"""What the API makes of what a worker left in Valkey."""

import pytest

from origin.progress import ProgressReader, ProgressWriter, parse_progress


@pytest.mark.parametrize(
    ("text", "progress"),
    [
        (b'["encoding", 0.25]', ("encoding", 0.25)),
        (b'["encoding", 7]', ("encoding", 1.0)),
        (b'["encoding", -7]', ("encoding", 0.0)),
        (b'["encoding"]', None),
        (b'{"stage": 1}', None),
        (b"[1, 2]", None),
        (b"\xff", None),
        (b"", None),
        (b"3", None),
    ],
)
def test_parse(text: bytes, progress: tuple[str, float] | None) -> None:
    assert parse_progress(text) == progress


async def test_a_server_that_is_away_costs_nothing() -> None:
    url = "unix:///nonexistent/valkey.sock"
    writer = ProgressWriter(url)
    assert not writer.write("a", "encoding", 0.5)
    writer.close()
    assert not ProgressWriter(None).write("a", "encoding", 0.5)
    for reader in (ProgressReader(url), ProgressReader(None)):
        assert await reader.read("a") is None
        await reader.aclose()
