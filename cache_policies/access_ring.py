"""The keys that sign and open paths, and what was revoked: one text that origin and edges read.

    key k1 SECRET
    key k2 SECRET from 2026-11-22T10:00:00Z
    revoke 1 /v/abcdefghijklmnop/
    grace 6h

Every key opens. The last one whose time has come signs, so a new key is known everywhere before
anything is signed with it, and the old one goes when the last token that it signed has expired. A
prefix is revoked under a number that grows: what was signed under a lower one opens it no more.
Grace keeps open what has expired, for as long as it says: for a time in which nobody can mint.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

from cache_policies.access_path import is_prefix
from cache_policies.durations import parse_duration

SECRET_BYTES_MIN: Final = 32
RING_BYTES_MAX: Final = 1 << 18
REVOCATIONS_MAX: Final = 4_096

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,16}")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")
_WANTED: Final = "want `key ID SECRET [from TIME]`, `revoke NUMBER PREFIX` or `grace DURATION`"
_STANDARD: Final = str.maketrans("-_", "+/")


class RingError(ValueError):
    """What is wrong with a ring, by line; it never says a secret."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """One key; it signs from `from_wall` on."""

    id: bytes
    secret: bytes = field(repr=False)
    from_wall: float = 0.0


@dataclass(frozen=True, slots=True)
class Ring:
    """All keys by their ids, in the order of the text, and the number of each revoked prefix."""

    keys: Mapping[bytes, AccessKey]
    revoked: Mapping[bytes, int] = field(default_factory=dict)
    grace_s: float = 0.0
    version: str = ""  # names the text: the same everywhere, or somebody has an old one

    def signing(self, now_wall: float) -> AccessKey:
        """Return the key that signs: the last one whose time has come, else the first."""
        begun = [key for key in self.keys.values() if key.from_wall <= now_wall]
        return max(reversed(begun or [*self.keys.values()][:1]), key=_from_wall)

    def number(self, prefix: bytes) -> int:
        """Return the number that a token for `prefix` needs at least."""
        if not self.revoked:
            return 0
        return max((no for each, no in self.revoked.items() if prefix.startswith(each)), default=0)


def parse_ring(text: str) -> Ring:
    """Return the ring that a text describes. Raises RingError with the line."""
    if len(text) > RING_BYTES_MAX:
        raise RingError(f"more than {RING_BYTES_MAX} characters")
    keys: dict[bytes, AccessKey] = {}
    revoked: dict[bytes, int] = {}
    grace_s = 0.0
    for line_no, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        try:
            match words:
                case []:
                    pass
                case ["key", name, secret]:
                    _add(keys, _key(name, secret))
                case ["key", name, secret, "from", instant]:
                    _add(keys, _key(name, secret, instant))
                case ["revoke", number, prefix]:
                    _revoke(revoked, number, prefix)
                case ["grace", duration]:
                    grace_s = _grace(duration)
                case _:
                    raise RingError(_WANTED)
        except RingError as error:
            raise RingError(f"line {line_no}: {error}") from None
    if not keys:
        raise RingError("no key in it; write `key ID SECRET`")
    version = blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()
    return Ring(keys, revoked, grace_s, version)


def _from_wall(key: AccessKey) -> float:
    return key.from_wall


def _add(keys: dict[bytes, AccessKey], key: AccessKey) -> None:
    if key.id in keys:
        raise RingError(f"a second key {key.id.decode()}")
    keys[key.id] = key


def _key(name: str, secret: str, instant: str = "") -> AccessKey:
    if _ID.fullmatch(name) is None:
        raise RingError("a key's id is 1 to 16 letters, digits, dashes or underscores")
    try:
        bare = secret.rstrip("=").translate(_STANDARD)
        raw = binascii.a2b_base64(bare + "=" * (-len(bare) % 4), strict_mode=True)
    except ValueError:
        raise RingError(f"the secret of {name} is not base64") from None
    if len(raw) < SECRET_BYTES_MIN:
        raise RingError(f"the secret of {name} has less than {SECRET_BYTES_MIN} bytes")
    return AccessKey(name.encode(), raw, _instant(instant) if instant else 0.0)


def _instant(text: str) -> float:
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise RingError(f"{text} is no time, as 2026-11-22T10:00:00Z") from None
    return read.replace(tzinfo=read.tzinfo or UTC).timestamp()


def _grace(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise RingError(f"grace: {error}") from None


def _revoke(revoked: dict[bytes, int], number: str, prefix: str) -> None:
    if _NUMBER.fullmatch(number) is None:
        raise RingError("want a number from 1 on, larger than those before")
    if not prefix.isascii() or not is_prefix(prefix.encode()):
        raise RingError("want a plain path that ends with a slash, as /v/abcdefghijklmnop/")
    if len(revoked) >= REVOCATIONS_MAX:
        raise RingError(f"more than {REVOCATIONS_MAX} revocations; expired tokens need none")
    name = prefix.encode()
    revoked[name] = max(int(number), revoked.get(name, 0))
