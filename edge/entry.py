"""A stored response as the memory tier keeps it: its head rendered once, its body shared."""

import http
from dataclasses import replace
from typing import Final

from cache_policies.eviction import Evictable
from cache_policies.freshness import current_age_s, fresh_until_mono, initial_age_s
from cache_policies.message import Fields
from cache_policies.ranges import part_fields
from cache_policies.stored import Stored
from cache_policies.validation import not_modified_fields

IDENTITY: Final = b"amaro-edge"
VIA: Final = b"1.1 amaro-edge"
OVERHEAD_BYTES: Final = 1024  # of one entry beside its head and body: objects, index, tags

_SAID_ANEW: Final = frozenset({b"age", b"content-length"})
NOT_FOR_PLAYERS: Final = b"surrogate-key"


def status_line(status: int) -> bytes:
    """The first line of a response, with its end."""
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


STATUS_LINES: Final = {status: status_line(status) for status in range(100, 1000)}


def field_block(fields: Fields) -> bytes:
    """Field lines as they go on the wire."""
    return b"".join([name + b": " + value + b"\r\n" for name, value in fields])


def passed_fields(fields: Fields) -> Fields:
    """End-to-end `fields` as they are passed on, beside framing and what each answer adds."""
    return (*(line for line in fields if line[0] not in _SAID_ANEW), (b"via", VIA))


def player_fields(fields: Fields, stripped: frozenset[bytes] = frozenset()) -> Fields:
    """What a player sees of `passed_fields`; peers see the purge tags, too, and all else."""
    return tuple(
        line
        for line in passed_fields(fields)
        if line[0] != NOT_FOR_PLAYERS and line[0] not in stripped
    )


class Entry(Evictable):
    """One stored response. Slots, no cycles: the collector never needs to look at it."""

    __slots__ = (
        "_head",
        "_head_200",
        "_head_206",
        "_head_304",
        "_head_until",
        "_second",
        "born_mono",
        "fresh_until",
        "key",
        "length",
        "slices",
        "stored",
    )

    def __init__(self, key: bytes, stored: Stored, slices: list[bytes]) -> None:
        self.key = key
        self.slices = slices
        self.length = sum(map(len, slices))
        self.freshen(stored)
        super().__init__(self.length + len(self._head_200) + OVERHEAD_BYTES)

    @property
    def name_hash(self) -> int:
        """A number that names this key and variant, whatever is stored under them."""
        variant = self.stored.variant
        return hash(self.key) ^ hash(variant) if variant else hash(self.key)

    def freshen(self, stored: Stored) -> None:
        """Take a new head for the same body (RFC 9111 §4.3.4)."""
        self.stored = stored
        self.born_mono = stored.response_mono - initial_age_s(stored)
        # what the hit path compares: below it, the entry answers with no further judgement
        self.fresh_until = 0.0 if stored.no_cache else fresh_until_mono(stored)
        fields = field_block(self._player_fields)
        length = b"" if stored.status == 204 else b"content-length: %d\r\n" % self.length
        self._head_200 = STATUS_LINES[stored.status] + fields + length
        self._head_206: bytes | None = None
        self._head_304: bytes | None = None
        self._head = b""
        self._second = b""
        self._head_until = 0.0

    @property
    def _player_fields(self) -> Fields:
        return player_fields(self.stored.fields, self.stored.stripped)

    def expire(self, now_mono: float) -> None:
        """Make it stale from `now_mono` on, keeping what may be done with it when stale."""
        age_s = current_age_s(self.stored, now_mono)
        if self.stored.lifetime_s > age_s:
            self.freshen(replace(self.stored, lifetime_s=age_s))

    def age_s(self, now_mono: float) -> int:
        """The value of Age at `now_mono`."""
        return max(0, int(now_mono - self.born_mono))

    def ttl_s(self, now_mono: float) -> int:
        """Seconds of freshness left; negative when stale (RFC 9211 §2.4)."""
        return int((fresh_until_mono(self.stored) - now_mono) // 1)

    def hit_head(self, now_mono: float) -> bytes:
        """The complete head of a 200 (or whatever was stored), formatted once a second."""
        if now_mono >= self._head_until:
            self._tick(now_mono)
        return self._head

    def partial_head(self, now_mono: float, first: int, last: int) -> bytes:
        """The complete head of a 206 for these bytes, both inclusive."""
        if now_mono >= self._head_until:
            self._tick(now_mono)
        if self._head_206 is None:
            self._head_206 = STATUS_LINES[206] + field_block(part_fields(self._player_fields))
        return self._head_206 + (
            b"content-range: bytes %d-%d/%d\r\ncontent-length: %d\r\n%b"
            % (first, last, self.length, last - first + 1, self._second)
        )

    def not_modified_head(self, now_mono: float) -> bytes:
        """The complete head of a 304."""
        if now_mono >= self._head_until:
            self._tick(now_mono)
        if self._head_304 is None:
            fields = not_modified_fields(self._player_fields)
            self._head_304 = STATUS_LINES[304] + field_block(fields)
        return self._head_304 + self._second

    def unsatisfiable_head(self, now_mono: float) -> bytes:
        """The complete head of a 416."""
        if now_mono >= self._head_until:
            self._tick(now_mono)
        return b"%bcontent-range: bytes */%d\r\ncontent-length: 0\r\nvia: %b\r\n%b" % (
            STATUS_LINES[416],
            self.length,
            VIA,
            self._second,
        )

    def _tick(self, now_mono: float) -> None:
        age_s = self.age_s(now_mono)
        self._head_until = max(now_mono, self.born_mono + age_s + 1)
        self._second = b"age: %d\r\ncache-status: amaro-edge; hit; ttl=%d\r\n\r\n" % (
            age_s,
            self.ttl_s(now_mono),
        )
        self._head = self._head_200 + self._second
