"""A stored response as the memory tier keeps it: its head rendered once, its body shared."""

import http
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from cache_policies.eviction import Evictable
from cache_policies.freshness import current_age_s, fresh_until_mono
from cache_policies.message import Fields
from cache_policies.ranges import part_fields
from cache_policies.stored import Stored
from cache_policies.validation import not_modified_fields
from edge.arena import SLICE_BYTES, Slice, Slot
from edge.body import Piece, cut, part_of
from edge.multipart import Multipart
from edge.packing import (
    Traits,
    born_mono,
    pack,
    policy_epoch,
    tags,
    traits,
    unpack,
    variant,
    vary,
)

IDENTITY: Final = b"amaro-edge"
VIA: Final = b"1.1 amaro-edge"
COOL_S: Final = 30.0  # after its last answer an entry keeps only what it cannot do without
OVERHEAD_BYTES: Final = 1024  # of one entry beside its head and body: objects, index, tags,
NAME_BYTES: Final = 256  # and so much of its key and selecting values; players choose how long

_VIA_LINE: Final = (b"via", VIA)
OUTDATED: Final = -1.0  # `fresh_until` of an entry: see `outdate`
STEERED: Final = -2.0  # see `steer`
_SAID_ANEW: Final = frozenset({b"age", b"content-length"})
NOT_FOR_PLAYERS: Final = frozenset({b"cache-tag", b"surrogate-key"})  # purge tags
_NOT_EARLY: Final = _SAID_ANEW | NOT_FOR_PLAYERS


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


def early_head(fields: Fields) -> bytes:
    """A complete 103 (RFC 8297)."""
    hints = tuple(line for line in fields if line[0] not in _NOT_EARLY)
    return STATUS_LINES[103] + field_block(hints) + b"\r\n"


def passed_fields(fields: Fields) -> Fields:
    """End-to-end `fields` as they are passed on, beside framing and what each answer adds."""
    return (*(line for line in fields if line[0] not in _SAID_ANEW), _VIA_LINE)


def readers(fields: Fields) -> Fields:
    """Which pages may read an answer; one that is made from what is stored says so, too."""
    return tuple(line for line in fields if line[0].startswith(b"access-control-"))


def player_fields(fields: Fields, stripped: frozenset[bytes] = frozenset()) -> Fields:
    """What a player sees of `passed_fields`; peers see the purge tags, too, and all else."""
    return tuple(
        line
        for line in passed_fields(fields)
        if line[0] not in NOT_FOR_PLAYERS and line[0] not in stripped
    )


class _Warm:
    """What answers are made of while an entry is asked for; all of it can be made again."""

    __slots__ = (
        "born_mono",
        "head",
        "head_206",
        "head_304",
        "rendering",
        "second",
        "stored",
        "until",
    )

    def __init__(self) -> None:
        self.born_mono = 0.0
        self.until = 0.0  # the head is right before this
        self.head = b""  # of a whole answer
        self.second = b""  # its end, which changes each second
        self.head_206: bytes | None = None
        self.head_304: bytes | None = None
        self.stored: Stored | None = None
        self.rendering: Rendering | None = None


class Rendering:
    """What was made of an entry, and what by. Its maker can have it forgotten."""

    __slots__ = ("by", "made")

    def __init__(self, by: object, made: "Entry") -> None:
        self.by = by
        self.made: Entry | None = made


_COLD: Final = _Warm()  # shared by all that nobody asks for


class Entry(Evictable):
    """One stored response. Slots, no cycles: the collector never needs to look at it."""

    __slots__ = (
        "_head_200",
        "_packed",
        "_traits",
        "_warm",
        "fresh_until",
        "key",
        "length",
        "signed",
        "slices",
    )

    def __init__(
        self, key: bytes, stored: Stored, slices: Sequence[Slice], length: int | None = None
    ) -> None:
        self.key = key
        self.slices = tuple(slices)
        self.length = sum(map(len, slices)) if length is None else length
        self.freshen(stored)
        longer = max(0, len(key) + len(stored.variant) - NAME_BYTES)
        super().__init__(self.length + len(self._head_200) + OVERHEAD_BYTES + longer)

    @property
    def stored(self) -> Stored:
        """The head for decisions; cheap while the entry is asked for."""
        warm = self._warm
        if warm.stored is not None:
            return warm.stored
        stored = unpack(self._packed, self._traits, self._shown(), self.length)
        if warm is not _COLD:
            warm.stored = stored
        return stored

    @property
    def vary(self) -> tuple[bytes, ...]:
        """The selecting field names."""
        return vary(self._traits)

    @property
    def variant(self) -> bytes:
        """Which variant of its resource this is."""
        return variant(self._traits)

    @property
    def tags(self) -> tuple[bytes, ...]:
        """The purge tags."""
        return tags(self._packed)

    @property
    def policy_epoch(self) -> int:
        """Of the policies that it was judged by."""
        return policy_epoch(self._traits)

    @property
    def name_hash(self) -> int:
        """A number that names this key and variant, whatever is stored under them."""
        of_variant = variant(self._traits)
        return hash(self.key) ^ hash(of_variant) if of_variant else hash(self.key)

    def freshen(self, stored: Stored) -> None:
        """Take a new head for the same body (RFC 9111 §4.3.4)."""
        # what the hit path compares: below it, the entry answers with no further judgement
        self.fresh_until = 0.0 if stored.no_cache else fresh_until_mono(stored)
        self.signed = stored.signed
        shown = player_fields(stored.fields, stored.stripped)
        length = b"" if stored.status == 204 else b"content-length: %d\r\n" % self.length
        self._head_200 = STATUS_LINES[stored.status] + field_block(shown) + length
        said_here = 1 if shown and shown[-1] == _VIA_LINE else 0
        self._packed = pack(stored, shown[: len(shown) - said_here], self.length)
        self._traits = traits(stored)
        self._warm = _COLD

    def share(self, known: dict[Traits, Traits]) -> None:
        """Have one tuple of traits with all that are alike; `known` is theirs."""
        if len(self.variant) <= NAME_BYTES:  # `known` outlives it, and is not counted
            self._traits = known.setdefault(self._traits, self._traits)

    def cool(self, now_mono: float) -> None:
        """Let go of what answers are made of when none was made lately."""
        if self._warm.until < now_mono - COOL_S:
            self._warm = _COLD

    @property
    def _player_fields(self) -> Fields:
        stored = self.stored
        return player_fields(stored.fields, stored.stripped)

    def twin(self, stored: Stored) -> "Entry":
        """The same body under another head, unstored."""
        return Entry(self.key, stored, self.slices)

    def held(self) -> Iterable[Slice]:
        """Every part of the body that is there."""
        return self.slices

    def slice(self, number: int) -> Slice | None:
        """A slice, if it is there."""
        return self.slices[number]

    def move(self, number: int, slot: Slot) -> None:
        """Have a slice lie somewhere else."""
        self.slices = (*self.slices[:number], slot, *self.slices[number + 1 :])

    def has(self, first: int, last: int) -> bool:
        """Whether these bytes are there: they are."""
        del first, last
        return True

    def pieces(self, first: int, last: int) -> list[Piece]:
        """The bytes `first` to `last` (inclusive), without copying them."""
        size = last - first + 1
        if size > 0:  # most parts lie in one slice: half of what `cut` takes
            held, at = self.slices[first // SLICE_BYTES], first % SLICE_BYTES
            if at + size <= len(held):
                return [part_of(held, at, at + size)]
        return cut(self.slices.__getitem__, first, last)

    @property
    def is_outdated(self) -> bool:
        """Whether it is to be judged anew before its next use."""
        return self.fresh_until == OUTDATED

    def outdate(self) -> None:
        """Other policies are in force: no hit path may answer with it as it is."""
        self.fresh_until = OUTDATED

    def steer(self) -> None:
        """Have the hit path answer with a rendering: players get this playlist with a tag."""
        self.fresh_until = STEERED

    def is_fresh(self, now_mono: float) -> bool:
        """Whether players get what is stored, or its rendering, with no further judgement."""
        if self.fresh_until != STEERED:
            return now_mono < self.fresh_until
        stored = self.stored
        return not stored.no_cache and now_mono < fresh_until_mono(stored)

    def rendering(self, by: object) -> "Entry | None":
        """What was made of it by this, if that is still there."""
        kept = self._warm.rendering
        return kept.made if kept is not None and kept.by is by else None

    def keep_rendering(self, rendering: "Rendering", now_mono: float) -> None:
        """Keep what was made of it for as long as it is asked for under this head."""
        self.hit_head(now_mono)
        self._warm.rendering = rendering

    def expire(self, now_mono: float) -> None:
        """Make it stale from `now_mono` on, keeping what may be done with it when stale."""
        stored = self.stored
        age_s = current_age_s(stored, now_mono)
        if stored.lifetime_s > age_s:
            self.freshen(replace(stored, lifetime_s=age_s))
            self.fresh_until = min(self.fresh_until, now_mono)  # sums of instants are rounded

    def age_s(self, now_mono: float) -> int:
        """The value of Age at `now_mono`."""
        warm = self._warm
        born = born_mono(self._packed) if warm is _COLD else warm.born_mono
        return max(0, int(now_mono - born))

    def ttl_s(self, now_mono: float) -> int:
        """Seconds of freshness left; negative when stale (RFC 9211 §2.4)."""
        until = self.fresh_until if self.fresh_until > 0.0 else fresh_until_mono(self.stored)
        return int((until - now_mono) // 1)

    def hit_head(self, now_mono: float) -> bytes:
        """The complete head of a 200 (or whatever was stored), formatted once a second."""
        warm = self._warm
        if now_mono >= warm.until:
            warm = self._tick(now_mono)
        return warm.head

    def partial_head(self, now_mono: float, first: int, last: int) -> bytes:
        """The complete head of a 206 for these bytes, both inclusive."""
        warm = self._warm
        if now_mono >= warm.until:
            warm = self._tick(now_mono)
        if warm.head_206 is None:
            shown = part_fields(self._player_fields)
            warm.head_206 = STATUS_LINES[206] + field_block(shown)
        return warm.head_206 + (
            b"content-range: bytes %d-%d/%d\r\ncontent-length: %d\r\n%b"
            % (first, last, self.length, last - first + 1, warm.second)
        )

    def multipart_head(self, now_mono: float, around: Multipart) -> bytes:
        """The complete head of a 206 with several parts."""
        warm = self._warm
        if now_mono >= warm.until:
            warm = self._tick(now_mono)
        fields = field_block(around.fields(self._player_fields))
        length = b"content-length: %d\r\n" % around.length
        return STATUS_LINES[206] + fields + length + warm.second

    def not_modified_head(self, now_mono: float) -> bytes:
        """The complete head of a 304."""
        warm = self._warm
        if now_mono >= warm.until:
            warm = self._tick(now_mono)
        if warm.head_304 is None:
            fields = not_modified_fields(self._player_fields)
            warm.head_304 = STATUS_LINES[304] + field_block(fields)
        return warm.head_304 + warm.second

    def unsatisfiable_head(self, now_mono: float) -> bytes:
        """The complete head of a 416."""
        warm = self._warm
        if now_mono >= warm.until:
            warm = self._tick(now_mono)
        return b"%bcontent-range: bytes */%d\r\ncontent-length: 0\r\nvia: %b\r\n%b%b" % (
            *(STATUS_LINES[416], self.length, VIA),
            field_block(readers(self.stored.fields)),
            warm.second,
        )

    def _tick(self, now_mono: float) -> _Warm:
        warm = self._warm
        if warm is _COLD:
            warm = self._warm = _Warm()
            warm.born_mono = born_mono(self._packed)
        age_s = self.age_s(now_mono)
        warm.until = max(now_mono, warm.born_mono + age_s + 1)
        warm.second = b"age: %d\r\ncache-status: amaro-edge; hit; ttl=%d\r\n\r\n" % (
            age_s,
            self.ttl_s(now_mono),
        )
        warm.head = self._head_200 + warm.second
        return warm

    def _shown(self) -> Fields:
        """The stored lines that players see, read back from the head."""
        lines = [line.partition(b": ") for line in self._head_200.split(b"\r\n")[1:-1]]
        shown = tuple([(name, value) for name, _, value in lines])
        if not self._head_200.startswith(STATUS_LINES[204]):
            shown = shown[:-1]  # the length
        return shown[:-1] if shown and shown[-1] == _VIA_LINE else shown
