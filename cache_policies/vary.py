"""Content negotiation: which requests a stored response answers (RFC 9111 §4.1)."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

from cache_policies.directives import split_members
from cache_policies.message import TOKEN_BYTE, Fields, field_value, list_members
from cache_policies.policy import CachePolicy

_RANGE = re.compile(
    rb"(?P<name>" + TOKEN_BYTE + rb"+)(?:[ \t]*;[ \t]*[qQ]=(?P<q>[01](?:\.\d{0,3})?))?"
)
_ABSENT = b"\0"  # no field value holds NUL
ANY = b"*"
REMEMBERED_BYTES_MAX = 256  # of a value that is normalised; longer ones count as they stand
_ALIASES = MappingProxyType({b"x-gzip": b"gzip", b"x-compress": b"compress"})  # RFC 9110 §8.4.1


def vary_names(fields: Fields) -> tuple[bytes, ...]:
    """Return the field names that Vary lists: lower-cased, sorted, once each; (b"*",) if any is."""
    value = field_value(fields, b"vary")
    if value is None:
        return ()
    names = set(list_members(value.lower()))
    return (ANY,) if ANY in names else tuple(sorted(names))


def governed_vary(fields: Fields, policy: CachePolicy) -> tuple[bytes, ...]:
    """Return the selecting field names: what Vary lists, as an operator's rules correct it."""
    names = vary_names(fields)
    if not policy.vary_added and not policy.vary_ignored:
        return names
    kept = policy.vary_added.union(names) - policy.vary_ignored
    return (ANY,) if ANY in kept else tuple(sorted(kept))


def variant_key(vary: tuple[bytes, ...], request_fields: Fields) -> bytes:
    """Return what tells this request's variant from others under the same `vary`; b"" without."""
    return b"\n".join([selecting_value(name, request_fields) for name in vary])


def selecting_value(name: bytes, request_fields: Fields) -> bytes:
    """Return a field's value for comparison; values of one meaning come out alike."""
    value = field_value(request_fields, name)
    if value is None:
        return _ABSENT
    normaliser = _NORMALISERS.get(name)
    if normaliser is not None:
        return normaliser(value)
    if b"," not in value:
        return value
    return b",".join([member.strip(b" \t") for member in split_members(value)])


def _by_preference(value: bytes) -> list[tuple[int, bytes]] | None:
    """Return [(rank, name)] in the order sent, equal quality sharing a rank; None if malformed.

    The best rank is 1; 0 is for what is refused (q=0).
    """
    weights: list[tuple[int, bytes]] = []
    for member in list_members(value):
        match = _RANGE.fullmatch(member)
        if match is None:
            return None
        weight = round(float(match["q"] or b"1") * 1000)
        weights.append((min(weight, 1000), match["name"].lower()))
    steps = sorted({weight for weight, _ in weights if weight}, reverse=True)
    ranks = {weight: rank for rank, weight in enumerate(steps, start=1)} | {0: 0}
    return [(ranks[weight], name) for weight, name in weights]


def accept_encoding(value: bytes) -> bytes:
    """Return Accept-Encoding with its codings in order of preference, names sorted among equals."""
    return _encodings(value) if len(value) <= REMEMBERED_BYTES_MAX else value


def accepted_encodings(value: bytes) -> frozenset[bytes]:
    """Return the codings that an Accept-Encoding value names and does not refuse."""
    ranked = _by_preference(value) or []
    return frozenset(_ALIASES.get(name, name) for rank, name in ranked if rank)


def accept_language(value: bytes) -> bytes:
    """Return Accept-Language by preference, sorted among equals: their order is nothing to rely on.

    Browsers weigh each language they send (RFC 9110 §12.5.4).
    """
    return _languages(value) if len(value) <= REMEMBERED_BYTES_MAX else value


@lru_cache(maxsize=1024)  # clients send few different ones: 0.1 us instead of 8 on a hit
def _encodings(value: bytes) -> bytes:
    ranked = _by_preference(value)
    if ranked is None:
        return value
    return _render(sorted({(rank, _ALIASES.get(name, name)) for rank, name in ranked}))


@lru_cache(maxsize=1024)
def _languages(value: bytes) -> bytes:
    ranked = _by_preference(value)
    return value if ranked is None else _render(sorted(set(ranked)))


def _render(ranked: list[tuple[int, bytes]]) -> bytes:
    return b",".join([b"%s;%d" % (name, rank) for rank, name in ranked])


_NORMALISERS: Mapping[bytes, Callable[[bytes], bytes]] = MappingProxyType(
    {b"accept-encoding": accept_encoding, b"accept-language": accept_language}
)
