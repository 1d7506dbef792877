"""Parts of a representation: which one a 206 carries, and whether two belong together."""

import re
from dataclasses import dataclass

from cache_policies.message import Fields, ResponseHead
from cache_policies.stored import parse_length

_CONTENT_RANGE = re.compile(rb"bytes[ ](\d{1,19})-(\d{1,19})/(?:(\d{1,19})|\*)", re.IGNORECASE)
_OF_THE_PART = frozenset({b"content-length", b"content-range"})
_ETAG = re.compile(rb'"[\x21\x23-\x7e\x80-\xff]*"')


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes `first` to `last`, both inclusive, of a representation of `length` bytes."""

    first: int
    last: int
    length: int | None  # None where the server does not know it

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.last - self.first + 1


def carried_part(response: ResponseHead) -> Part | None:
    """The part that a 206 carries; None for several, none or nonsense (RFC 9110 §14.4)."""
    values = response.all(b"content-range")
    match = _CONTENT_RANGE.fullmatch(values[0]) if len(values) == 1 else None
    if response.status != 206 or match is None:
        return None
    first, last = int(match[1]), int(match[2])
    length = None if match[3] is None else int(match[3])
    if first > last or (length is not None and last >= length):
        return None
    return Part(first, last, length)


def strong_etag(response: ResponseHead) -> bytes | None:
    """The entity tag that names these very bytes; None where there is no such (RFC 9110 §8.8.1).

    Dates are not taken: two changes within a second have the same.
    """
    values = response.all(b"etag")
    return values[0] if len(values) == 1 and _ETAG.fullmatch(values[0]) else None


def as_whole(response: ResponseHead) -> ResponseHead | None:
    """The 200 that a 206 is a part of; None where parts cannot be combined (RFC 9111 §3.3)."""
    part = carried_part(response)
    if part is None or part.length is None or strong_etag(response) is None:
        return None
    kept = tuple(line for line in response.fields if line[0] not in _OF_THE_PART)
    return ResponseHead(200, (*kept, (b"content-length", b"%d" % part.length)))


def rest_fields(etag: bytes, first: int, last: int | None = None) -> Fields:
    """Ask for the bytes from `first` on of exactly the representation with this strong tag."""
    end = b"" if last is None else b"%d" % last
    return ((b"range", b"bytes=%d-%b" % (first, end)), (b"if-range", etag))


def continues(response: ResponseHead, etag: bytes, first: int, length: int | None) -> Part | None:
    """The bytes that an answer to `rest_fields` brings of the representation that `etag` names.

    `length` is the representation's, as far as it is known. A 200 brings all of it once more. None
    says that nothing of it may be combined with what is there: only under the same strong tag may
    it be (RFC 9111 §3.4, RFC 9110 §15.3.7.3), and where its place and the length are certain.
    """
    if strong_etag(response) != etag:
        return None
    carried = carried_part(response)
    if response.status == 200:
        whole = parse_length(response)
        carried = None if whole is None else Part(0, whole - 1, whole)
    elif carried is not None and carried.first != first:
        return None
    if carried is None:
        return None
    known = carried.length if length is None else length
    if known is None or carried.length not in (known, None) or carried.last >= known:
        return None
    return Part(carried.first, carried.last, known)
