"""HTTP message heads as immutable values, and which of their fields travel end to end."""

import re
from dataclasses import dataclass
from typing import TypeAlias

Fields: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Field lines in the order received: names lower-cased, values without surrounding whitespace."""

TOKEN_BYTE = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
"""One byte of a token, as a regular expression (RFC 9110 §5.6.2)."""

TOKEN = re.compile(TOKEN_BYTE + rb"+")
"""What a field name looks like, and a method."""

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)


def field_lines(fields: Fields, name: bytes) -> list[bytes]:
    """Return the value of each field line called `name` (lower-cased), in order."""
    return [value for key, value in fields if key == name]


def field_value(fields: Fields, name: bytes) -> bytes | None:
    """Return the lines called `name` combined with ", " (RFC 9110 §5.3), or None without any."""
    lines = field_lines(fields, name)
    return b", ".join(lines) if lines else None


def list_members(value: bytes) -> list[bytes]:
    """Return the members of an unquoted comma-separated list, without empty ones."""
    return [member for part in value.split(b",") if (member := part.strip(b" \t"))]


def end_to_end(fields: Fields) -> Fields:
    """Return the fields without hop-by-hop ones, nor those Connection names (RFC 9110 §7.6.1)."""
    named = field_value(fields, b"connection")
    drop = HOP_BY_HOP if named is None else HOP_BY_HOP.union(list_members(named.lower()))
    return tuple(line for line in fields if line[0] not in drop)


def without(fields: Fields, names: frozenset[bytes]) -> Fields:
    """Return the fields but those called `names` (lower-cased)."""
    return tuple(line for line in fields if line[0] not in names) if names else fields


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What a client asked; `host` is the authority as sent, `target` the request target as sent."""

    method: bytes
    scheme: bytes
    host: bytes
    target: bytes
    fields: Fields = ()

    def get(self, name: bytes) -> bytes | None:
        """Return the combined value of the field `name` (lower-cased), or None."""
        return field_value(self.fields, name)

    def all(self, name: bytes) -> list[bytes]:
        """Return the value of each field line called `name` (lower-cased)."""
        return field_lines(self.fields, name)


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A final response's status and fields."""

    status: int
    fields: Fields = ()

    def get(self, name: bytes) -> bytes | None:
        """Return the combined value of the field `name` (lower-cased), or None."""
        return field_value(self.fields, name)

    def all(self, name: bytes) -> list[bytes]:
        """Return the value of each field line called `name` (lower-cased)."""
        return field_lines(self.fields, name)
