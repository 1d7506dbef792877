"""A record: one stored response as bytes, so that nothing beside them is needed to use it.

Cache files are records, and so are the values in Valkey. Of a response that is kept by slices there
is a record of the head alone, and one for each slice that is there, with a head of its own: slices
are combined only where their heads say the same.

    magic and version   8 bytes
    size of the head    4 bytes, these first 16 included
    CRC-32 of the rest  4 bytes
    numbers             _NUMBERS
    key, names of the selecting fields, variant, purge tags, names and values of the fields, each
    with its length before it
    CRC-32 of each slice of the body
    body

All numbers are little-endian. A record is whole or it is damaged; there is nothing in between.
"""

import struct
from dataclasses import dataclass
from typing import Final

from zlib_ng.zlib_ng import crc32

from cache_policies.message import Fields
from edge.arena import SLICE_BYTES
from edge.errors import StorageError

MAGIC: Final = b"AMARO\x00\x00\x03"
HEAD_MAX_BYTES: Final = 1 << 20
LENGTH_MAX_BYTES: Final = 1 << 37
WHOLE: Final = -1  # the part of the body that a file has: all of it,
SLICED: Final = -2  # none, since its slices have records of their own; else the slice's number
_START: Final = struct.Struct("<8sII")  # magic, size of the head, checksum of what follows
START_BYTES: Final = _START.size
_NUMBERS: Final = struct.Struct("<HIdd16sd8sQQi")
_COUNT: Final = struct.Struct("<I")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordHead:
    """Everything about a stored response but its body. Status 0 is a signpost: `vary` names the
    fields by which the responses of this key are told apart; they have records of their own.
    """

    key: bytes
    vary: tuple[bytes, ...] = ()  # names of the request fields that select it
    variant: bytes = b""  # their values, as vary.variant_key has them
    tags: tuple[bytes, ...] = ()  # that purge it, by the policies under which it was written
    status: int
    fields: Fields  # end-to-end fields as received
    response_wall: float
    response_delay_s: float
    boot_id: bytes  # 16 bytes: of the machine's uptime in which it was written
    response_boot: float  # when it came, in seconds of that uptime
    log_id: bytes  # 8 bytes: of the purge log that `purge_sequence` counts in
    purge_sequence: int
    length: int = 0  # of the whole body, whatever part of it is here
    part: int = WHOLE
    checksums: tuple[int, ...] = ()  # CRC-32 of each slice that is here

    @property
    def is_signpost(self) -> bool:
        """Whether it only says where to look."""
        return self.status == 0

    @property
    def etag(self) -> bytes:
        """What names the bytes of the body, if anything does."""
        return next((value for name, value in self.fields if name == b"etag"), b"")

    @property
    def slices(self) -> range:
        """The numbers of the slices that are in this record."""
        if self.part == WHOLE:
            return range(slices_of(self.length))
        return range(max(0, self.part), self.part + 1)

    @property
    def body_bytes(self) -> int:
        """How much of the body is in this record."""
        if self.part == WHOLE:
            return self.length
        return sum(slice_range(slice_no, self.length)[1] for slice_no in self.slices)

    def where(self, slice_no: int) -> tuple[int, int]:
        """Where a slice begins in the body of this record, and its size in bytes."""
        start, size = slice_range(slice_no, self.length)
        return start - self.slices.start * SLICE_BYTES, size


class DamagedError(StorageError):
    """A record is not what was written; `detail` says what gave it away."""


def slices_of(length: int) -> int:
    """How many slices a body of `length` bytes has."""
    return -(-length // SLICE_BYTES)


def slice_range(slice_no: int, length: int) -> tuple[int, int]:
    """Where a slice begins in the body, and its size in bytes."""
    start = slice_no * SLICE_BYTES
    return start, min(SLICE_BYTES, length - start)


def encode(head: RecordHead) -> bytes:
    """The head as the beginning of its record; the body follows at once."""
    numbers = _NUMBERS.pack(
        head.status,
        len(head.fields),
        head.response_wall,
        head.response_delay_s,
        head.boot_id,
        head.response_boot,
        head.log_id,
        head.purge_sequence,
        head.length,
        head.part,
    )
    vary = b" ".join(head.vary)
    tags = b"\n".join(head.tags)
    texts = [head.key, vary, head.variant, tags, *(text for line in head.fields for text in line)]
    parts = [numbers]
    for text in texts:
        parts += (_COUNT.pack(len(text)), text)
    parts.append(struct.pack(f"<{len(head.checksums)}I", *head.checksums))
    rest = b"".join(parts)
    return _START.pack(MAGIC, START_BYTES + len(rest), crc32(rest)) + rest


def head_bytes(start: bytes) -> int:
    """The size of the head whose first bytes are `start`. Raises DamagedError."""
    if len(start) < START_BYTES:
        raise DamagedError("truncated")
    magic, size, _ = _START.unpack_from(start)
    if magic != MAGIC:
        raise DamagedError("not-ours")
    if not START_BYTES + _NUMBERS.size <= size <= HEAD_MAX_BYTES:
        raise DamagedError("head-size")
    return int(size)


def decode(data: bytes) -> RecordHead:
    """The head that `data` begins with. Raises DamagedError."""
    size = head_bytes(data)
    if len(data) < size:
        raise DamagedError("truncated")
    checksum = _START.unpack_from(data)[2]
    if crc32(memoryview(data)[START_BYTES:size]) != checksum:
        raise DamagedError("head-checksum")
    status, lines, wall, delay_s, boot_id, boot, log_id, sequence, length, part = (
        _NUMBERS.unpack_from(data, START_BYTES)
    )
    try:
        texts, at = _texts(data, START_BYTES + _NUMBERS.size, 4 + 2 * lines, size)
    except struct.error:
        raise DamagedError("head-layout") from None
    if length > LENGTH_MAX_BYTES or not SLICED <= part < slices_of(length):
        raise DamagedError("head-layout")
    checksums, odd = divmod(size - at, 4)
    head = RecordHead(
        key=texts[0],
        vary=tuple(texts[1].split()),
        variant=texts[2],
        tags=tuple(filter(None, texts[3].split(b"\n"))),
        status=status,
        fields=tuple(zip(texts[4::2], texts[5::2], strict=True)),
        response_wall=wall,
        response_delay_s=delay_s,
        boot_id=boot_id,
        response_boot=boot,
        log_id=log_id,
        purge_sequence=sequence,
        length=length,
        part=part,
        checksums=struct.unpack_from(f"<{checksums}I", data, at),
    )
    if odd or checksums != len(head.slices):
        raise DamagedError("head-layout")
    return head


def _texts(data: bytes, at: int, count: int, end: int) -> tuple[list[bytes], int]:
    """`count` texts with their lengths before them, and where they end."""
    texts = []
    for _ in range(count):
        (length,) = _COUNT.unpack_from(data, at)
        at += _COUNT.size
        if at + length > end:
            raise DamagedError("head-layout")
        texts.append(data[at : at + length])
        at += length
    return texts, at


def verify(head: RecordHead, slice_no: int, data: bytes) -> None:
    """Raise DamagedError unless `data` is this slice of the body."""
    if len(data) != head.where(slice_no)[1]:
        raise DamagedError("truncated")
    verify_checksum(head, slice_no, crc32(data))


def verify_checksum(head: RecordHead, slice_no: int, checksum: int) -> None:
    """Raise DamagedError unless a slice of this record has this checksum."""
    if checksum != head.checksums[slice_no - head.slices.start]:
        raise DamagedError("slice-checksum")
