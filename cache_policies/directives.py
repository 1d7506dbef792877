"""Cache directives of Cache-Control, however badly they are written."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from cache_policies.message import TOKEN, RequestHead, list_members

DELTA_MAX_S = 2**31  # RFC 9111 §1.2.2
_KNOWN_BYTES_MAX = 256
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Directives:
    """Directive names (lower-cased) with the arguments of every occurrence, None where bare.

    `targeted` says that they come from a field for caches like this one, before which
    Cache-Control and Expires do not count (RFC 9213 §2.2).
    """

    arguments: Mapping[bytes, tuple[bytes | None, ...]]
    targeted: bool = False

    def __contains__(self, name: bytes) -> bool:
        return name in self.arguments

    def seconds(self, name: bytes) -> int | None:
        """Return the smallest argument of `name` in seconds, 0 for a malformed one; None if absent.

        Conflicts and junk thus make a response stale, never fresh (RFC 9111 §4.2.1).
        """
        values = self.arguments.get(name)
        return None if values is None else min(parse_delta(value) or 0 for value in values)

    def fields(self, name: bytes) -> frozenset[bytes]:
        """Return the field names (lower-cased) that every occurrence of `name` limits itself to.

        Empty when it is absent, or about the whole response: bare, or with junk for an argument.
        """
        listed: set[bytes] = set()
        for value in self.arguments.get(name, ()):
            names = list_members((value or b"").lower())
            if not names or not all(map(TOKEN.fullmatch, names)):
                return frozenset()
            listed.update(names)
        return frozenset(listed)

    def wholly(self, name: bytes) -> bool:
        """Return whether `name` is there and about the whole response, not only some fields."""
        return name in self.arguments and not self.fields(name)

    def without(self, names: frozenset[bytes]) -> "Directives":
        """Return them as if those called `names` had never been sent."""
        if names.isdisjoint(self.arguments):
            return self
        kept = {name: said for name, said in self.arguments.items() if name not in names}
        return Directives(kept, targeted=self.targeted)


NO_DIRECTIVES = Directives(MappingProxyType({}))


def parse_delta(value: bytes | None) -> int | None:
    """Return delta-seconds, at most 2^31; None when it is anything but digits (RFC 9111 §1.2.2)."""
    if value is None or not value.isdigit():
        return None
    digits = value.lstrip(b"0") or b"0"
    return DELTA_MAX_S if len(digits) > 10 else min(int(digits), DELTA_MAX_S)


def split_members(line: bytes) -> list[bytes]:
    """Split a list at its commas outside quoted strings; an unclosed quote is an ordinary byte."""
    if b'"' not in line:
        return line.split(b",")
    members, start, quoted, escaped = [], 0, False, False
    for at, byte in enumerate(line):
        if escaped:
            escaped = False
        elif quoted and byte == 0x5C:
            escaped = True
        elif byte == 0x22:
            quoted = not quoted
        elif byte == 0x2C and not quoted:
            members.append(line[start:at])
            start = at + 1
    if quoted:
        return line.split(b",")
    return [*members, line[start:]]


def parse_cache_control(lines: Sequence[bytes]) -> Directives:
    """Return the directives of Cache-Control field lines (RFC 9111 §5.2); unknown ones are kept."""
    if len(lines) == 1 and len(lines[0]) <= _KNOWN_BYTES_MAX:
        return _known(lines[0])  # the same few again and again, and several times for each fill
    return _parsed(lines)


@lru_cache(maxsize=256)
def _known(line: bytes) -> Directives:
    return _parsed((line,))


def _parsed(lines: Sequence[bytes]) -> Directives:
    found: dict[bytes, tuple[bytes | None, ...]] = {}
    for line in lines:
        for member in split_members(line):
            name, equals, value = member.strip(b" \t").partition(b"=")
            if not name:
                continue
            argument = _unquoted(value) if equals else None
            if name[-1:] in (b" ", b"\t"):
                argument = b""  # "max-age =60" names the directive, but its argument is malformed
            name = name.strip(b" \t").lower()
            found[name] = (*found.get(name, ()), argument)
    return Directives(found) if found else NO_DIRECTIVES


def _unquoted(value: bytes) -> bytes:
    """Return the content of a quoted string, or the token as it is."""
    if len(value) < 2 or value[:1] != b'"' or value[-1:] != b'"':
        return value
    return _QUOTED_PAIR.sub(rb"\1", value[1:-1])


def request_directives(request: RequestHead) -> Directives:
    """Return the request's Cache-Control directives; Pragma means nothing (RFC 9111 §5.4)."""
    return parse_cache_control(request.all(b"cache-control"))
