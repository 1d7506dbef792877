"""Tokens that open a part of a site for a while: how they are minted, and why one is refused.

A token is base64url of 16 bytes and a text: the first are HMAC-SHA256 (RFC 2104 §5: half of it) of
the second, which is `KEY-ID EXPIRY NUMBER PREFIX REGION NETWORK`, "-" for what is not bound.
"""

from __future__ import annotations

import binascii
import hmac
import re
from enum import Enum, unique
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from cache_policies.access_path import is_prefix, is_within
from cache_policies.access_ring import AccessKey, Ring
from cache_policies.key import split_token

BUCKET_S: Final = 3_600
TOKEN_BYTES_MAX: Final = 768  # what can be granted takes less

_MAC_BYTES: Final = 16
_ABOUT: Final = b"amaro-access-1\n"  # what else is signed with such a key is no token
_URL: Final = bytes.maketrans(b"+/", b"-_")
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_NONE: Final = b"-"
_REGION: Final = re.compile(rb"[a-z0-9][a-z0-9-]{0,31}")


@unique
class Denial(Enum):
    """Why a path stays shut; the value is the public name."""

    MISSING = "token-missing"  # rules demand one
    MALFORMED = "token-malformed"
    KEY = "token-key"  # signed with a key that is not known here, or not any more
    FORGED = "token-forged"
    EXPIRED = "token-expired"
    REVOKED = "token-revoked"
    PATH = "token-path"  # spelled so that an origin might leave the prefix
    PREFIX = "token-prefix"  # it opens something else
    REGION = "token-region"
    CLIENT = "token-client"


class Grant(NamedTuple):
    """What a token opens: all below `prefix`, until `expires_wall`; b"" binds nothing."""

    prefix: bytes
    expires_wall: int
    region: bytes = b""
    network: bytes = b""  # of the clients, as 192.0.2.0/24

    def denial(self, target: bytes, region: bytes) -> Denial | None:
        """Return why a target stays shut in a region; None when it is open but for its client."""
        if not target.startswith(self.prefix):
            return Denial.PREFIX
        if not is_within(target, self.prefix):
            return Denial.PATH
        if self.region and self.region != region:
            return Denial.REGION
        return None

    def is_for(self, client: bytes) -> bool:
        """Say whether it opens anything for a client's address."""
        if not self.network:
            return True
        try:
            return ip_address(client.decode("latin-1")) in ip_network(self.network.decode())
        except ValueError:
            return False


def bucket_end(now_wall: float, *, bucket_s: int = BUCKET_S, needed_s: float = 0.0) -> int:
    """Return when a token minted now expires, in seconds: the same for all who ask in one bucket.

    It lasts for a whole bucket after the present one and, where more is needed, for more of them.
    """
    more = -(-max(0, int(needed_s) - bucket_s) // bucket_s)
    return (int(now_wall // bucket_s) + 2 + more) * bucket_s


def mint(ring: Ring, grant: Grant, now_wall: float) -> bytes:
    """Return the token of a grant; the same ring makes the same token until another key signs.

    Raises ValueError for what no token can say.
    """
    _check(grant)
    key = ring.signing(now_wall)
    text = b"%b %d %d %b %b %b" % (
        key.id,
        grant.expires_wall,
        ring.number(grant.prefix),
        grant.prefix,
        grant.region or _NONE,
        grant.network or _NONE,
    )
    raw = _mac(key, text) + text
    return binascii.b2a_base64(raw, newline=False).rstrip(b"=").translate(_URL)


def verify(ring: Ring, token: bytes, now_wall: float) -> Grant | Denial:
    """Return what a token opens at `now_wall`, or why it opens nothing."""
    raw = _decoded(token)
    words = [] if raw is None else raw[_MAC_BYTES:].split(b" ")
    if raw is None or len(words) != 6:
        return Denial.MALFORMED
    name, expiry, number, prefix, region, network = words
    key = ring.keys.get(name)
    if key is None:
        return Denial.KEY
    if not hmac.compare_digest(_mac(key, raw[_MAC_BYTES:]), raw[:_MAC_BYTES]):
        return Denial.FORGED
    try:
        expires_wall, least = int(expiry), int(number)
    except ValueError:  # whoever has our key as well writes it in another way
        return Denial.MALFORMED
    if now_wall >= expires_wall + ring.grace_s:
        return Denial.EXPIRED
    if least < ring.number(prefix):
        return Denial.REVOKED
    bound = b"" if region == _NONE else region
    return Grant(prefix, expires_wall, bound, b"" if network == _NONE else network)


def _check(grant: Grant) -> None:
    if not is_prefix(grant.prefix):
        raise ValueError("a prefix is a plain path that ends with a slash")
    if grant.prefix == b"/" or split_token(grant.prefix)[0]:  # another token might stand below
        raise ValueError("a prefix is a part of a site, and begins with no token")
    if grant.region and _REGION.fullmatch(grant.region) is None:
        raise ValueError("a region is 1 to 32 characters of a-z, 0-9 and '-'")
    if grant.network:
        ip_network(grant.network.decode("latin-1"))


def _mac(key: AccessKey, text: bytes) -> bytes:
    # HMAC-SHA256 takes a microsecond more than keyed BLAKE2 (of ten that are allowed), and every
    # provider's edge can check it.
    return hmac.digest(key.secret, _ABOUT + text, "sha256")[:_MAC_BYTES]


def _decoded(token: bytes) -> bytes | None:
    """Return the bytes of base64url; None for any other spelling than the shortest."""
    if len(token) > TOKEN_BYTES_MAX:
        return None
    padded = token.translate(_STANDARD) + b"=" * (-len(token) % 4)
    try:
        raw = binascii.a2b_base64(padded, strict_mode=True)
    except ValueError:
        return None
    is_plain = binascii.b2a_base64(raw, newline=False) == padded and not _is_standard(token)
    return raw if is_plain and len(raw) > _MAC_BYTES else None


def _is_standard(token: bytes) -> bool:
    return b"+" in token or b"/" in token or b"=" in token
