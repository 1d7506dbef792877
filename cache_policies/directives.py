"""Cache directives: Cache-Control and CDN-Cache-Control, however badly they are written."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

import http_sf
from http_sf import StructuredFieldError

from cache_policies.message import RequestHead, ResponseHead

DELTA_MAX_S = 2**31  # RFC 9111 §1.2.2
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Directives:
    """Directive names (lower-cased) with the arguments of every occurrence, None where bare.

    `targeted` says that they come from CDN-Cache-Control, before which Cache-Control and Expires
    do not count (RFC 9213 §2.2).
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


def parse_cache_control(lines: Iterable[bytes]) -> Directives:
    """Return the directives of Cache-Control field lines (RFC 9111 §5.2); unknown ones are kept."""
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


def parse_targeted(lines: list[bytes]) -> Directives | None:
    """Return CDN-Cache-Control's directives; None when empty or malformed (RFC 9213 §2.1)."""
    try:
        parsed = http_sf.parse(b", ".join(lines), tltype="dictionary")
    except StructuredFieldError:
        return None
    members = cast("dict[str, tuple[object, object]]", parsed)
    found: dict[bytes, tuple[bytes | None, ...]] = {}
    for name, (value, _parameters) in members.items():
        if value is True:
            found[name.encode()] = (None,)
        elif value is not False:  # "no-store=?0" is no directive
            found[name.encode()] = (b"%d" % value if isinstance(value, int) else b"",)
    return Directives(found, targeted=True) if members else None


def response_directives(response: ResponseHead) -> Directives:
    """Return the directives that govern this cache: CDN-Cache-Control's before Cache-Control's."""
    if (lines := response.all(b"cdn-cache-control")) and (targeted := parse_targeted(lines)):
        return targeted
    return parse_cache_control(response.all(b"cache-control"))


def request_directives(request: RequestHead) -> Directives:
    """Return the request's Cache-Control directives; Pragma means nothing (RFC 9111 §5.4)."""
    return parse_cache_control(request.all(b"cache-control"))
