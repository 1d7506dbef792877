"""Fields for caches like this one, before which Cache-Control and Expires do not count."""

from typing import cast

import http_sf
from http_sf import StructuredFieldError, Token

from cache_policies.directives import (
    Directives,
    parse_cache_control,
    parse_delta,
    split_members,
)
from cache_policies.message import ResponseHead

DEVICE = b"amaro-edge"  # what Surrogate-Control may call this cache
_SURROGATE = frozenset({b"max-age", b"no-store", b"no-store-remote"})


def response_directives(
    response: ResponseHead, ignored: frozenset[bytes] = frozenset()
) -> Directives:
    """Return the directives that govern this cache, but for those that policy ignores.

    CDN-Cache-Control's come before Surrogate-Control's, those before Cache-Control's.
    """
    directives = None
    if lines := response.all(b"cdn-cache-control"):
        directives = parse_targeted(lines)
    if directives is None and (lines := response.all(b"surrogate-control")):
        directives = parse_surrogate(lines)
    if directives is None:
        directives = parse_cache_control(response.all(b"cache-control"))
    return directives.without(ignored) if ignored else directives


def parse_targeted(lines: list[bytes]) -> Directives | None:
    """Return CDN-Cache-Control's directives; None when empty or malformed (RFC 9213 §2.1)."""
    try:
        parsed = http_sf.parse(b", ".join(lines), tltype="dictionary")
    except StructuredFieldError:
        return None
    members = cast("dict[str, tuple[object, object]]", parsed)
    found: dict[bytes, tuple[bytes | None, ...]] = {}
    for name, (value, _parameters) in members.items():
        if value is not False:  # "no-store=?0" is no directive
            found[name.encode()] = (_argument(value),)
    return Directives(found, targeted=True) if members else None


def _argument(value: object) -> bytes | None:
    """Return an argument's bytes: a string's own unless it poses as a number, junk as b""."""
    if value is True:
        return None
    if isinstance(value, int):
        return b"%d" % value
    text = str(value) if isinstance(value, str | Token) else ""
    return b"" if text.isdigit() else text.encode()


def parse_surrogate(lines: list[bytes]) -> Directives | None:
    """Return Surrogate-Control's directives; None when it has none about caching for this cache.

    A member may be for one device, `max-age=60;name`, and goes before one for all; the second
    number of `max-age=60+30` is for how long it may be served stale (W3C Edge Architecture §2).
    """
    for_all: dict[bytes, tuple[bytes | None, ...]] = {}
    for_this: dict[bytes, tuple[bytes | None, ...]] = {}
    for line in lines:
        for member in split_members(line):
            directive, *devices = [part.strip(b" \t") for part in member.split(b";")]
            if devices and DEVICE not in devices:
                continue
            for name, said in parse_cache_control([directive]).arguments.items():
                meant = for_this if devices else for_all
                meant[name] = (*meant.get(name, ()), *said)
    found = for_all | for_this
    if _SURROGATE.isdisjoint(found):
        return None
    if b"no-store-remote" in found:
        found[b"no-store"] = (None,)
    return _with_extension(Directives(found, targeted=True))


def _with_extension(directives: Directives) -> Directives:
    """Return `directives` with the stale part of `max-age=60+30` as a window of its own."""
    ages = [
        (argument or b"").partition(b"+") for argument in directives.arguments.get(b"max-age", ())
    ]
    extensions = tuple(extension for _, plus, extension in ages if plus)
    if not extensions or None in map(parse_delta, extensions):
        return directives
    found = {
        **directives.arguments,
        b"max-age": tuple(lifetime for lifetime, _, _ in ages),
        b"stale-while-revalidate": extensions,
    }
    return Directives(found, targeted=True)
