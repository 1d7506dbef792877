"""A remote store's object as a local file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from origin.store import Objects

BODY = bytes(range(256)) * 64
TOGETHER_S = 60.0


class SlowStore:
    """A store whose readers, as many as there are, all begin before any of them ends."""

    def __init__(self, readers: int) -> None:
        self._begin = Barrier(readers, timeout=TOGETHER_S)
        self.reads = 0

    def head(self, key: str) -> dict[str, int]:
        return {"size": len(BODY)}

    def get_range(self, key: str, *, start: int, end: int) -> bytes:
        self._begin.wait()
        self.reads += 1
        return BODY[start:end]


def test_sound_and_picture_may_fetch_the_same_source_at_once(tmp_path: Path) -> None:
    objects, into = Objects(SlowStore(2)), tmp_path / "source"  # type: ignore[arg-type]
    with ThreadPoolExecutor(2) as threads:
        fetched = list(threads.map(lambda _: objects.fetch("key", into).read_bytes(), range(2)))
    assert fetched == [BODY, BODY]
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_source_is_fetched_once(tmp_path: Path) -> None:
    store = SlowStore(1)
    objects, into = Objects(store), tmp_path / "source"  # type: ignore[arg-type]
    assert objects.fetch("key", into) == objects.fetch("key", into) == into
    assert store.reads == 1
