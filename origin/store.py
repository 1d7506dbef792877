"""Objects: a local directory or any S3-compatible store, through obstore."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import urlsplit

from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, S3Store

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

# A player waits for what the store does: fail within seconds, the edge has a stale copy.
CLIENT_OPTIONS: Final[ClientConfig] = {
    "allow_http": True,
    "connect_timeout": timedelta(seconds=2),
    "read_timeout": timedelta(seconds=15),
    "timeout": timedelta(minutes=10),
}
RETRIES: Final[RetryConfig] = {"max_retries": 3, "retry_timeout": timedelta(seconds=10)}


class StoreError(OSError):
    """The store did not do what it was asked for; worth trying again."""


@contextmanager
def _speaking_of(key: str) -> Iterator[None]:
    """Turn obstore's errors into ours; a missing object stays a FileNotFoundError."""
    try:
        yield
    except BaseError as error:
        if isinstance(error, NotFoundError):
            raise FileNotFoundError(key) from error
        raise StoreError(f"{key}: {str(error).partition(chr(10))[0]}") from error


class Objects:
    """Immutable objects by key. Thread-safe; `read` and `stat` are for the event loop."""

    # One read, and what a slow reader holds in memory. Ranged reads, because obstore streams a
    # local file 20 times slower; remote ones are larger, because each is a request of its own.
    piece_bytes: ClassVar[int] = 4 << 20

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def put(self, key: str, body: bytes | Path) -> None:
        """Keep `body` under `key`; it is durable on return."""
        with _speaking_of(key):
            self._store.put(key, body)

    def adopt(self, key: str, path: Path) -> None:
        """Keep a copy of a finished file; the caller removes its own name of it afterwards."""
        self.put(key, path)

    def fetch(self, key: str, into: Path) -> Path:
        """Return a local file with the object's bytes; raises FileNotFoundError.

        Two may ask at once, sound and picture: each writes a file of its own until it is whole.
        """
        with _speaking_of(key):
            size = self._store.head(key)["size"]
        if into.exists() and into.stat().st_size == size:
            return into
        partial = into.with_name(f"{into.name}.{secrets.token_hex(4)}.partial")
        with _speaking_of(key), partial.open("wb") as file:
            for first in range(0, size, self.piece_bytes):
                last = min(first + self.piece_bytes, size)
                file.write(memoryview(self._store.get_range(key, start=first, end=last)))
        return partial.replace(into)

    def exists(self, key: str) -> bool:
        """Say whether there is such an object."""
        try:
            with _speaking_of(key):
                self._store.head(key)
        except FileNotFoundError:
            return False
        return True

    async def stat(self, key: str) -> tuple[int, float]:
        """Return (length in bytes, wall-clock second of its last change); FileNotFoundError."""
        with _speaking_of(key):
            meta = await self._store.head_async(key)
        return meta["size"], meta["last_modified"].timestamp()

    async def read(self, key: str, first: int, last: int) -> memoryview:
        """Return bytes `first` to `last`, both included; raises FileNotFoundError."""
        with _speaking_of(key):
            return memoryview(await self._store.get_range_async(key, start=first, end=last + 1))


class LocalObjects(Objects):
    """Objects in a directory; obstore renames into place but never syncs, so that is added."""

    piece_bytes = 1 << 20

    def __init__(self, root: Path) -> None:
        super().__init__(LocalStore(root, mkdir=True))
        self._root = root

    def put(self, key: str, body: bytes | Path) -> None:
        super().put(key, body)
        self._sync(key)

    def adopt(self, key: str, path: Path) -> None:
        target = self._root / key
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, target)
        except FileExistsError:
            pass  # adopted before a crash
        except OSError as error:
            if error.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK}:
                raise
            super().put(key, path)
        self._sync(key)

    def fetch(self, key: str, into: Path) -> Path:  # noqa: ARG002
        path = self._root / key
        path.stat()
        return path

    def _sync(self, key: str) -> None:
        """Bring a file and every directory entry that leads to it to the disk."""
        path = self._root / key
        while True:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if path == self._root:
                return
            path = path.parent


def open_objects(store_url: str | Path) -> Objects:
    """Return the store at a path, a `file:` URL, or an `s3://bucket/prefix` URL.

    S3 takes its endpoint and keys from the environment (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, …).
    """
    if isinstance(store_url, Path):
        return LocalObjects(store_url.absolute())
    url = urlsplit(store_url)
    if url.scheme in {"", "file"}:
        return LocalObjects(Path(url.path).absolute())
    if url.scheme == "s3":
        return Objects(
            S3Store.from_url(store_url, client_options=CLIENT_OPTIONS, retry_config=RETRIES)
        )
    raise ValueError("a store is a directory or an s3://bucket/prefix URL")
