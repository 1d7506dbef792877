"""Whether a rule is about a request or a response: its conditions, compiled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from cache_policies.glob import Glob, matches_any, parse_glob
from cache_policies.message import Fields, RequestHead, ResponseHead, field_value

if TYPE_CHECKING:
    from cache_policies.rules import Match, Where

_PORT = re.compile(rb":\d*\Z")
_SLASHES = re.compile(rb"/{2,}")
_END = re.compile(rb"[\0?#].*", re.DOTALL)  # what follows is no path to who decodes first
_DECODED_MAX = 3  # times: nobody decodes more often


def is_plain(path: bytes) -> bool:
    """Whether nothing in a path could be read in another way."""
    return not (b"%" in path or b"//" in path or b"/." in path)


def plain_path(target: bytes) -> bytes:
    """Return a target's path as rules see it: decoded, without dot segments or empty ones.

    Another spelling of a path must not slip past the rule that is about it, whatever the origin
    makes of that spelling (RFC 3986 §6.2.2).
    """
    path = target.partition(b"?")[0]
    if is_plain(path):
        return path
    return _without_dots(_SLASHES.sub(b"/", unquote_to_bytes(path)).split(b"/"))


def literal_path(target: bytes) -> bytes:
    """Return a target's path for who takes an encoded slash for a character, `//` for two slashes.

    That is RFC 3986 to the letter. Origins differ in this.
    """
    path = target.partition(b"?")[0]
    if is_plain(path):
        return path
    segments = path.split(b"/")
    return _without_dots([unquote_to_bytes(each).replace(b"/", b"%2F") for each in segments])


def widest_path(target: bytes, *, to_its_end: bool = False) -> bytes:
    """Return a target's path for who decodes again and again, and drops parameters of segments.

    Where a path must not be reached, even such readers are thought of: those, too, for whom it ends
    at an encoded NUL, `?` or `#`, and those who read on `to_its_end`.
    """
    path = target.partition(b"?")[0]
    if is_plain(path) and b"\\" not in path and b";" not in path:
        return path
    for _ in range(_DECODED_MAX):
        path = unquote_to_bytes(path)
    path = path if to_its_end else _END.sub(b"", path)
    segments = path.replace(b"\\", b"/").split(b"/")
    plain = b"/".join([segment.partition(b";")[0] for segment in segments])
    return _without_dots(_SLASHES.sub(b"/", plain).split(b"/"))


def _without_dots(segments: Sequence[bytes]) -> bytes:
    """Join segments, each dot segment carried out (RFC 3986 §5.2.4)."""
    kept: list[bytes] = []
    for segment in segments:
        if segment == b"..":
            if len(kept) > 1:
                kept.pop()
        elif segment != b".":
            kept.append(segment)
    if segments[-1] in (b".", b".."):
        kept.append(b"")
    return b"/".join(kept) if len(kept) > 1 else b"/"


def plain_host(host: bytes) -> bytes:
    """Return a host as rules see it: in lower case, without a port, nor the dot of the root.

    `films.example.` is `films.example` to origins (RFC 1034 §3.1).
    """
    return _PORT.sub(b"", host.lower()).rstrip(b".")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must hold of a request, and of its response; None is anything.

    A field's patterns describe its combined value; without any, the field must be absent.
    """

    hosts: tuple[Glob, ...] | None = None
    paths: tuple[Glob, ...] | None = None
    methods: frozenset[bytes] | None = None
    request_fields: tuple[tuple[bytes, tuple[Glob, ...]], ...] = ()
    statuses: frozenset[int] | None = None
    content_types: tuple[Glob, ...] | None = None
    response_fields: tuple[tuple[bytes, tuple[Glob, ...]], ...] = ()

    @property
    def needs_response(self) -> bool:
        """Whether they cannot be judged before there is a response."""
        return self.statuses is not None or bool(self.content_types or self.response_fields)

    @property
    def is_by_place(self) -> bool:
        """Whether host and path decide alone."""
        return not (self.needs_response or self.methods or self.request_fields)

    def hold_at(self, host: bytes, path: bytes) -> bool:
        """Whether they hold of a `plain_host` and a `plain_path`."""
        if self.hosts is not None and not matches_any(self.hosts, host):
            return False
        return self.paths is None or matches_any(self.paths, path)

    def hold_of_fields(self, method: bytes, fields: Fields) -> bool:
        """Whether they hold of a request's method and fields."""
        if self.methods is not None and method not in self.methods:
            return False
        return all(_holds(fields, *each) for each in self.request_fields)

    def hold_of_request(self, request: RequestHead, host: bytes, path: bytes) -> bool:
        """Whether they hold of a request, as far as it alone decides."""
        return self.hold_at(host, path) and self.hold_of_fields(request.method, request.fields)

    def hold_of_response(self, response: ResponseHead) -> bool:
        """Whether they hold of a response."""
        if self.statuses is not None and response.status not in self.statuses:
            return False
        if self.content_types is not None:
            media = (response.get(b"content-type") or b"").partition(b";")[0].strip().lower()
            if not matches_any(self.content_types, media):
                return False
        return all(_holds(response.fields, *each) for each in self.response_fields)


def compile_where(where: Where) -> Conditions:
    """Return what a limit's `match` means."""
    return Conditions(
        hosts=_globs(where.host, lower=True),
        paths=_globs(where.path),
        methods=None if where.method is None else frozenset(each.encode() for each in where.method),
    )


def compile_match(match: Match) -> Conditions:
    """Return what a rule's `match` means."""
    return replace(
        compile_where(match),
        request_fields=_field_conditions(match.request_fields),
        statuses=None if match.status is None else frozenset(_statuses(match.status)),
        content_types=_globs(match.content_type, lower=True),
        response_fields=_field_conditions(match.response_fields),
    )


def _globs(patterns: Iterable[str] | None, *, lower: bool = False) -> tuple[Glob, ...] | None:
    if patterns is None:
        return None
    return tuple(parse_glob((each.lower() if lower else each).encode()) for each in patterns)


def _field_conditions(
    conditions: dict[str, tuple[str, ...]] | None,
) -> tuple[tuple[bytes, tuple[Glob, ...]], ...]:
    return tuple(
        (name.lower().encode(), _globs(patterns) or ())
        for name, patterns in (conditions or {}).items()
    )


def _statuses(patterns: Iterable[str]) -> Iterable[int]:
    for each in patterns:
        first, _, last = each.replace("xx", "00").partition("-")
        end = int(last or first) + (99 if each.endswith("xx") else 0)
        yield from range(int(first), end + 1)


def _holds(fields: Fields, name: bytes, patterns: tuple[Glob, ...]) -> bool:
    value = field_value(fields, name)
    if value is None or not patterns:
        return value is None and not patterns
    return matches_any(patterns, value)
