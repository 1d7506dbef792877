"""What is done with cache files, in threads: every function here may block."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Final, Protocol

from zlib_ng.zlib_ng import crc32

from cache_policies.message import Fields
from cache_policies.vary import variant_key
from edge.arena import Slice
from edge.disk_at_hand import UNNOTED
from edge.record import (
    SLICED,
    WHOLE,
    DamagedError,
    RecordHead,
    decode,
    encode,
    head_bytes,
    verify,
)
from edge.recording import signpost_of

OBJECTS: Final = "objects"  # directories of a tier, below its own
ASIDE: Final = "aside"
SHARDS: Final = tuple(f"{number:02x}" for number in range(256))  # directories of objects
SMALL_BYTES: Final = 16_384  # files that are read as a whole with their heads
FIRST_READ_BYTES: Final = 4_096  # of others: nearly all heads are smaller
USED_EVERY_S: Final = 60.0  # a file's time of last use is no finer
_numbers = count()


class Way(Protocol):
    """How look-ups reach files: with all the waiting that it takes, or with none."""

    def open(self, path: str) -> int:
        """A descriptor for reading. Raises OSError."""

    def read(self, fd: int, size: int, offset: int) -> bytes:
        """So many bytes, fewer at the end of the file. Raises OSError."""

    def note_use(self, path: str, fd: int) -> None:
        """Have the file's time of modification say that it is used now. Raises OSError."""

    def remove(self, path: str, inode: int) -> None:
        """Remove what is damaged. Raises OSError."""


class Waiting:
    """The way of threads."""

    def open(self, path: str) -> int:
        """A descriptor for reading, which may be read in the loop from then on."""
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(path, flags | UNNOTED)
        except PermissionError:  # that is for its owner to ask for
            return os.open(path, flags)

    def read(self, fd: int, size: int, offset: int) -> bytes:
        """What one call reads: all there is of a file."""
        return os.pread(fd, size, offset)

    def note_use(self, path: str, fd: int) -> None:
        """Note it now."""
        del path
        os.utime(fd)

    def remove(self, path: str, inode: int) -> None:
        """Remove it now."""
        remove(Path(path), inode)


WAITING: Final = Waiting()


@dataclass(slots=True)
class CacheFile:
    """An open cache file whose head was read and verified."""

    path: str
    fd: int
    head: RecordHead
    head_size: int
    read_ahead: bytes  # of the file, from its beginning

    def read(self, slice_no: int) -> bytes:
        """One slice, verified. Raises DamagedError, OSError."""
        start, size = self.head.where(slice_no)
        begin = self.head_size + start
        data = self.read_ahead[begin : begin + size] or os.pread(self.fd, size, begin)
        while len(data) < size and (more := os.pread(self.fd, size - len(data), begin + len(data))):
            data += more
        verify(self.head, slice_no, data)
        return data

    def close(self) -> None:
        """Close it; of one that was removed this frees the blocks, which takes a while."""
        os.close(self.fd)

    @property
    def is_removed(self) -> bool:
        """Whether it has no name any more."""
        return os.fstat(self.fd).st_nlink == 0

    def remove(self) -> None:
        """Remove it, unless another has taken its place meanwhile, and close it."""
        try:
            remove(Path(self.path), os.fstat(self.fd).st_ino)
        finally:
            self.close()


def file_name(key: bytes, variant: bytes | None = None, slice_no: int | None = None) -> str:
    """Where a key is looked up, one variant of it, or a slice of that: `ab/` and 30 more digits."""
    digest = blake2b(key, digest_size=16, salt=b"" if slice_no is None else b"%d" % slice_no)
    if variant is not None:
        digest.update(b"\n" + variant)
    name = digest.hexdigest()
    return f"{name[:2]}/{name[2:]}"


def look_up(
    root: Path, key: bytes, fields: Fields, slice_no: int | None = None, way: Way = WAITING
) -> CacheFile | None:
    """The file of what these fields select under `key`, that which has the slice if one is named.

    None when there is none.

    Raises DamagedError after removing what is damaged, OSError when the disk does not work.
    """
    objects = f"{root}/{OBJECTS}"
    found = _open(way, f"{objects}/{file_name(key)}", key)
    if found is not None and found.head.is_signpost:
        found = _signposted(way, objects, found, fields)
    if found is None or slice_no is None or slice_no in found.head.slices:
        return found
    head = found.head
    found.close()
    path = f"{objects}/{file_name(key, head.variant, slice_no)}"
    return _open(way, path, key, head.variant, slice_no) if head.part == SLICED else None


def _signposted(way: Way, objects: str, found: CacheFile, fields: Fields) -> CacheFile | None:
    """What a signpost points to for these fields; it is closed."""
    signpost = found.head
    found.close()
    key, variant = signpost.key, variant_key(signpost.vary, fields)
    pointed = _open(way, f"{objects}/{file_name(key, variant)}", key, variant)
    if pointed is not None and pointed.head.vary != signpost.vary:  # selected by other fields
        pointed.close()
        return None
    return pointed


def _open(
    way: Way, path: str, key: bytes, variant: bytes = b"", slice_no: int | None = None
) -> CacheFile | None:
    try:
        fd = way.open(path)
    except FileNotFoundError:
        return None
    try:
        stat = os.fstat(fd)
        try:
            found = _read_head(way, path, fd, stat.st_size)
        except DamagedError:
            way.remove(path, stat.st_ino)
            raise
        if abs(time.time() - stat.st_mtime) > USED_EVERY_S:
            way.note_use(path, fd)
    except BaseException:
        os.close(fd)
        raise
    head = found.head
    is_slice = head.part == slice_no if slice_no is not None else head.part < 0
    if (head.key, head.variant) != (key, variant) or not is_slice:  # two names with one hash
        found.close()
        return None
    return found


def _read_head(way: Way, path: str, fd: int, file_bytes: int) -> CacheFile:
    """The file behind `fd`, its head verified. Raises DamagedError, OSError."""
    first_bytes = file_bytes if file_bytes <= SMALL_BYTES else FIRST_READ_BYTES
    data = way.read(fd, first_bytes, 0)
    size = head_bytes(data)
    if len(data) < size <= file_bytes:
        data += way.read(fd, size - len(data), len(data))
    head = decode(data)
    if file_bytes != size + head.body_bytes:
        raise DamagedError("truncated")
    return CacheFile(path, fd, head, size, data)


def peek(path: Path) -> RecordHead:
    """The head of a file, without using it. Raises DamagedError, OSError."""
    fd = WAITING.open(str(path))
    try:
        return _read_head(WAITING, str(path), fd, os.fstat(fd).st_size).head
    finally:
        os.close(fd)


def note_uses(paths: Sequence[str]) -> None:
    """Have files say that they were used a moment ago, as far as they are still there."""
    for path in paths:
        with suppress(OSError):
            os.utime(path, follow_symlinks=False)


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


def write(root: Path, head: RecordHead, slices: Sequence[Slice]) -> dict[str, int]:
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
    signpost = signpost_of(head)
    if head.vary and head.part < 0 and not stands(root, signpost):
        for shard, size in _put(root, file_name(head.key), [encode(signpost)]).items():
            written[shard] = written.get(shard, 0) + size
    return written


def stands(root: Path, head: RecordHead) -> bool:
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


def _name(head: RecordHead) -> str:
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
