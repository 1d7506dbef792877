"""A stored head as the memory tier keeps it: 200 bytes beside what players see, not 2 500.

Fields are read back from the head that is sent; what it does not show, and all else that differs
from one response to the next, is one bytes object. The rest is a tuple that alike responses share.
"""

import marshal
from dataclasses import fields as names_of
from typing import Any, Final, TypeAlias

from cache_policies.freshness import initial_age_s
from cache_policies.message import Fields, field_value
from cache_policies.stored import Stored

Traits: TypeAlias = tuple[Any, ...]

_OWN: Final = (  # what differs from one response to the next, beside its fields
    *("date_wall", "age_s", "response_wall", "response_mono", "response_delay_s", "lifetime_s"),
    *("etag", "last_modified", "length", "tags", "purge_sequence"),
)
_FIRST: Final = 1  # of `_OWN`, behind the instant of birth
_NAMES: Final = tuple(each.name for each in names_of(Stored))
_TRAITS: Final = tuple(name for name in _NAMES if name not in (*_OWN, "fields"))
_VARY, _VARIANT = _TRAITS.index("vary"), _TRAITS.index("variant")
_POLICY_EPOCH: Final = _TRAITS.index("policy_epoch")
_TAGS: Final = _FIRST + _OWN.index("tags")
_SAME: Final = True  # instead of a value that the fields tell
_LENGTH: Final = b"content-length"
_TAGS_LINE: Final = b"surrogate-key"


def traits(stored: Stored) -> Traits:
    """What `stored` has in common with many others."""
    return tuple([getattr(stored, name) for name in _TRAITS])


def vary(shared: Traits) -> tuple[bytes, ...]:
    """The selecting field names of a response with these traits."""
    names: tuple[bytes, ...] = shared[_VARY]
    return names


def variant(shared: Traits) -> bytes:
    """The variant of a response with these traits."""
    name: bytes = shared[_VARIANT]
    return name


def policy_epoch(shared: Traits) -> int:
    """The epoch of the policies that a response with these traits was judged by."""
    epoch: int = shared[_POLICY_EPOCH]
    return epoch


def pack(stored: Stored, shown: Fields, length: int) -> bytes:
    """What is needed to `unpack`, beside the traits, `shown` lines and the body's length.

    The lines in `shown` are some of the stored ones, in their order; none of them tells of tags.
    """
    born_mono = stored.response_mono - initial_age_s(stored)
    own = [getattr(stored, name) for name in _OWN]
    told = _told(stored.fields)
    own = [_SAME if value == also else value for value, also in zip(own, told, strict=True)]
    return marshal.dumps((born_mono, *own, *_hidden(stored.fields, shown, b"%d" % length)))


def born_mono(packed: bytes) -> float:
    """When the response was generated, on the monotonic clock."""
    instant: float = marshal.loads(packed)[0]  # noqa: S302 from `pack`, in this process
    return instant


def tags(packed: bytes) -> tuple[bytes, ...]:
    """The purge tags of what was packed: 2 us, where unpacking all of it takes 17."""
    own = marshal.loads(packed)  # noqa: S302 as above
    said: tuple[bytes, ...] | bool = own[_TAGS]
    if isinstance(said, tuple):
        return said
    hidden = own[_FIRST + len(_OWN) :]
    return _tags_of(tuple(zip(hidden[1::3], hidden[2::3], strict=True)))


def unpack(packed: bytes, shared: Traits, shown: Fields, length: int) -> Stored:
    """The Stored that was packed."""
    own = marshal.loads(packed)[_FIRST:]  # noqa: S302 as above
    lines = list(shown)
    hidden = own[len(_OWN) :]
    for at in range(0, len(hidden), 3):
        place, name, value = hidden[at : at + 3]
        lines.insert(place, (_LENGTH, b"%d" % length) if name is None else (name, value))
    fields = tuple(lines)
    told = _told(fields)
    values = [also if value is _SAME else value for value, also in zip(own, told, strict=False)]
    values += shared
    return Stored(fields=fields, **dict(zip((*_OWN, *_TRAITS), values, strict=True)))


def _told(fields: Fields) -> tuple[Any, ...]:
    """What the fields alone tell of `_OWN`; None where they do not."""
    size = field_value(fields, _LENGTH)
    return (
        *(None, None, None, None, None, None),
        field_value(fields, b"etag"),
        field_value(fields, b"last-modified"),
        int(size) if size is not None and size.isdigit() else None,
        _tags_of(fields),
        None,
    )


def _tags_of(fields: Fields) -> tuple[bytes, ...]:
    return tuple((field_value(fields, _TAGS_LINE) or b"").split())


def _hidden(fields: Fields, shown: Fields, length: bytes) -> list[int | bytes | None]:
    """The lines that are not shown: place, name, value and so on; None for the body's length."""
    hidden: list[int | bytes | None] = []
    at = 0
    for place, line in enumerate(fields):
        if at < len(shown) and line == shown[at]:
            at += 1
        elif line == (_LENGTH, length):
            hidden += (place, None, None)
        else:
            hidden += (place, *line)
    return hidden
