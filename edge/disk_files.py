"""What is done with cache files, in threads: every function here may block."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Final
from zlib import crc32

from cache_policies.message import Fields
from cache_policies.vary import variant_key
from edge.arena import Slice
from edge.disk_format import (
    SLICED,
    WHOLE,
    DamagedError,
    DiskHead,
    decode,
    encode,
    file_name,
    head_bytes,
    verify,
)

OBJECTS: Final = "objects"  # directories of a tier, below its own
ASIDE: Final = "aside"
SHARDS: Final = tuple(f"{number:02x}" for number in range(256))  # directories of objects
FIRST_READ_BYTES: Final = 65_536
USED_EVERY_S: Final = 60.0  # a file's time of last use is no finer
_numbers = count()


@dataclass(slots=True)
class CacheFile:
    """An open cache file whose head was read and verified."""

    path: Path
    fd: int
    head: DiskHead
    head_size: int
    read_ahead: bytes  # of the file, from its beginning

    def read(self, slice_no: int) -> bytes:
        """One slice, verified. Raises DamagedError, OSError."""
        start, size = self.head.where(slice_no)
        begin = self.head_size + start
        data = self.read_ahead[begin : begin + size]
        while len(data) < size:
            more = os.pread(self.fd, size - len(data), begin + len(data))
            if not more:
                break
            data += more
        verify(self.head, slice_no, data)
        return data

    def close(self) -> None:
        """Close it; of one that was removed this frees the blocks, which takes a while."""
        os.close(self.fd)

    def remove(self) -> None:
        """Remove it, unless another has taken its place meanwhile, and close it."""
        try:
            remove(self.path, os.fstat(self.fd).st_ino)
        finally:
            self.close()


def look_up(
    root: Path, key: bytes, fields: Fields, slice_no: int | None = None
) -> CacheFile | None:
    """The file of what these fields select under `key`, that which has the slice if one is named.

    None when there is none.

    Raises DamagedError after removing what is damaged, OSError when the disk does not work.
    """
    found = _open(root / OBJECTS / file_name(key), key)
    if found is not None and found.head.is_signpost:
        found = _signposted(root, found, fields)
    if found is None or slice_no is None or slice_no in found.head.slices:
        return found
    head = found.head
    found.close()
    path = root / OBJECTS / file_name(key, head.variant, slice_no)
    return _open(path, key, head.variant, slice_no) if head.part == SLICED else None


def _signposted(root: Path, found: CacheFile, fields: Fields) -> CacheFile | None:
    """What a signpost points to for these fields; it is closed."""
    signpost = found.head
    found.close()
    key, variant = signpost.key, variant_key(signpost.vary, fields)
    pointed = _open(root / OBJECTS / file_name(key, variant), key, variant)
    if pointed is not None and pointed.head.vary != signpost.vary:  # selected by other fields
        pointed.close()
        return None
    return pointed


def _open(
    path: Path, key: bytes, variant: bytes = b"", slice_no: int | None = None
) -> CacheFile | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        found = _read_head(path, fd)
        _note_use(fd)
    except DamagedError:
        try:
            remove(path, os.fstat(fd).st_ino)
        finally:
            os.close(fd)
        raise
    except BaseException:
        os.close(fd)
        raise
    head = found.head
    is_slice = head.part == slice_no if slice_no is not None else head.part < 0
    if (head.key, head.variant) != (key, variant) or not is_slice:  # two names with one hash
        found.close()
        return None
    return found


def _read_head(path: Path, fd: int) -> CacheFile:
    """The file behind `fd`, its head verified. Raises DamagedError, OSError."""
    data = os.pread(fd, FIRST_READ_BYTES, 0)
    size = head_bytes(data)
    if size > len(data):
        data += os.pread(fd, size - len(data), len(data))
    head = decode(data)
    if os.fstat(fd).st_size != size + head.body_bytes:
        raise DamagedError("truncated")
    return CacheFile(path, fd, head, size, data)


def peek(path: Path) -> DiskHead:
    """The head of a file, without using it. Raises DamagedError, OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return _read_head(path, fd).head
    finally:
        os.close(fd)


def remove(path: Path, inode: int) -> None:
    """Remove the cache file that was seen at `path`, never one that has taken its place since.

    Raises OSError.
    """
    with suppress(FileNotFoundError):
        if path.stat().st_ino != inode:
            return
        aside = _aside(path.parents[2])
        path.rename(aside)
        try:
            if aside.stat().st_ino != inode:  # it came in between
                with suppress(FileExistsError):  # and here is a newer one
                    os.link(aside, path)
        finally:
            aside.unlink()


def _note_use(fd: int) -> None:
    """Have the file's time of modification say when it was last used, roughly."""
    if abs(time.time() - os.fstat(fd).st_mtime) > USED_EVERY_S:
        os.utime(fd)


def write(root: Path, head: DiskHead, slices: Sequence[Slice]) -> dict[str, int]:
    """Keep a response, or the part of one that `head` names; return the bytes written by shard.

    A head alone never takes the place of a file that has the same body. Raises OSError, having left
    nothing.

    It is not synchronised: a file that a loss of power leaves half written is found out when it
    is read.
    """
    head = replace(head, checksums=tuple(map(crc32, slices)))
    if head.part == SLICED and stands(root, replace(head, part=WHOLE, purge_sequence=0)):
        return {}
    written = _put(root, _name(head), [encode(head), *slices])
    signpost = replace(
        head, variant=b"", tags=(), status=0, fields=(), length=0, part=WHOLE, checksums=()
    )
    if head.vary and head.part < 0 and not stands(root, signpost):
        for shard, size in _put(root, file_name(head.key), [encode(signpost)]).items():
            written[shard] = written.get(shard, 0) + size
    return written


def stands(root: Path, head: DiskHead) -> bool:
    """Whether a file of this life has what `head` would, not older by purges. Raises OSError.

    A signpost does whatever its age, if it points to the same.
    """
    with suppress(FileNotFoundError, DamagedError):
        found = peek(root / OBJECTS / _name(head))
        return (
            (found.key, found.vary, found.variant) == (head.key, head.vary, head.variant)
            and (found.status, found.log_id) == (head.status, head.log_id)
            and (found.part, found.length, found.etag) == (head.part, head.length, head.etag)
            and (head.is_signpost or found.purge_sequence >= head.purge_sequence)
        )
    return False


def _name(head: DiskHead) -> str:
    if head.part >= 0:
        return file_name(head.key, head.variant, head.part)
    varies = head.vary and not head.is_signpost
    return file_name(head.key, head.variant if varies else None)


def _put(root: Path, name: str, parts: Sequence[Slice]) -> dict[str, int]:
    aside = _aside(root)
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            for part in parts:
                _write_all(fd, part)
        finally:
            os.close(fd)
        aside.rename(root / OBJECTS / name)
    except BaseException:
        with suppress(FileNotFoundError):
            aside.unlink()
        raise
    return {name.partition("/")[0]: sum(map(len, parts))}


def _aside(root: Path) -> Path:
    """A name that no other file has."""
    return root / ASIDE / f"{os.getpid()}-{next(_numbers)}"


def _write_all(fd: int, data: Slice) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def prepare(root: Path) -> None:
    """Make the directories of a tier. Raises OSError."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for shard in SHARDS:
        (root / OBJECTS / shard).mkdir(mode=0o700, parents=True, exist_ok=True)
    (root / ASIDE).mkdir(mode=0o700, exist_ok=True)
