"""The lines of the access log: JSON, with addresses cut short and secrets left out."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from cache_policies.key import TOKEN_BYTES_MIN, split_token

PATH_BYTES_MAX: Final = 2048  # of a line; what is longer ends in "..."
NETWORK_BITS: Final = {4: 24, 6: 48}  # what is left of a player's address
_PLAIN: Final = re.compile(rb"[\x20\x21\x23-\x5b\x5d-\x7e]*")  # what JSON text needs no escape for
_MASKED: Final = re.compile(
    rb"token|sig|secret|auth|pass|pwd|key|jwt|cred|session|hdnts|hdnea|hmac|code|otp|md5|hash",
    re.IGNORECASE,
)
_TOKEN: Final = re.compile(  # where none should be, or as some clients spell it
    rb"(/|%%(?:25)*2[Ff])(~|%%(?:25)*7[Ee])[A-Za-z0-9_-]{%d,}" % TOKEN_BYTES_MIN
)
_BETWEEN: Final = re.compile(rb"([&;])")  # parameters; some origins take `;` for `&`


@dataclass(frozen=True, slots=True)
class Line:
    """What a line says of one answer. Times are in seconds, None where they were not taken."""

    wall: float  # when the answer was complete
    client: bytes  # its address
    method: bytes
    host: bytes
    target: bytes
    http: bytes  # b"1.1"
    status: int
    sent_bytes: int  # of the body
    result: str
    reason: str
    tier: str
    ttl_s: int | None = None
    first_byte_s: float | None = None
    total_s: float | None = None
    cut: bool = False  # it broke off, or the player left


def rendered(line: Line) -> bytes:
    """The line as it is written."""
    ttl = b'"ttl":%d,' % line.ttl_s if line.ttl_s is not None else b""
    times = b"".join(
        b'"%b":%.3f,' % (name, seconds * 1000.0)
        for name, seconds in ((b"first_byte_ms", line.first_byte_s), (b"total_ms", line.total_s))
        if seconds is not None
    )
    return b'%b%03dZ",%b"path":"%b","status":%d,"bytes":%d,%b%b%b%b' % (
        opening(int(line.wall)),
        int(line.wall % 1.0 * 1000.0),
        asked_by(line.client, line.http, line.method, line.host),
        path_text(line.target),
        line.status,
        line.sent_bytes,
        times,
        ttl,
        b'"cut":true,' if line.cut else b"",
        answered(line.result, line.reason, line.tier),
    )


def opening(wall_s: int) -> bytes:
    """The beginning of every line of a second, up to its milliseconds."""
    return datetime.fromtimestamp(wall_s, UTC).strftime('{"time":"%Y-%m-%dT%H:%M:%S.').encode()


def asked_by(client: bytes, http: bytes, method: bytes, host: bytes) -> bytes:
    """The part that seldom changes on one connection."""
    return b'"client":"%b","http":"%b","method":"%b","host":"%b",' % (
        network(client),
        http,
        json_text(method),
        json_text(host),
    )


def answered(result: str, reason: str, tier: str) -> bytes:
    """The end of a line: how the request was answered, why, and from where."""
    return b'"result":"%b","reason":"%b","tier":"%b"}\n' % (
        result.encode(),
        json_text(reason.encode("latin-1", "replace")),
        tier.encode(),
    )


def network(address: bytes) -> bytes:
    """The network that an address belongs to: /24 of IPv4, /48 of IPv6; b"" for what is none."""
    try:
        known = ip_address(address.decode("latin-1").partition("%")[0])
    except ValueError:
        return b""
    if isinstance(known, IPv6Address) and known.ipv4_mapped is not None:
        known = known.ipv4_mapped
    cut = ip_network((known, NETWORK_BITS[known.version]), strict=False)
    return str(cut.network_address).encode()


def path_text(target: bytes) -> bytes:
    """A request target as JSON text, without the values of parameters that could be secrets."""
    if b"~" in target or b"7e" in target or b"7E" in target:
        target = _TOKEN.sub(rb"\1\2-", split_token(target)[1])
    if b"?" in target:
        target = masked(target)
    if len(target) > PATH_BYTES_MAX:
        target = target[:PATH_BYTES_MAX] + b"..."
    return json_text(target)


def masked(target: bytes) -> bytes:
    """A target whose query holds no token: a value goes where its parameter's name tells of one."""
    path, _, query = target.partition(b"?")
    if _MASKED.search(query) is None:
        return target
    parts = []
    for part in _BETWEEN.split(query):
        name, equals, _ = part.partition(b"=")
        secret = equals and name != b"CMCD" and _MASKED.search(name)
        parts.append(name + b"=-" if secret else part)
    return path + b"?" + b"".join(parts)


def json_text(raw: bytes) -> bytes:
    """Bytes as the inside of a JSON string; those beyond ASCII count as Latin-1."""
    if _PLAIN.fullmatch(raw):
        return raw
    return b"".join(
        b"\\u%04x" % byte if byte < 0x20 or byte > 0x7E or byte in b'"\\' else b"%c" % byte
        for byte in raw
    )
