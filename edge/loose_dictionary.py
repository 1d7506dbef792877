"""Dictionaries of Structured Fields (RFC 8941 §3.2), read member by member.

The RFC has one malformed member spoil all of them. Of what players tell of themselves the rest is
worth having, so here it spoils only itself. What is read is bounded.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

MEMBERS_MAX: Final = 64
LIST_MAX: Final = 16  # items of one inner list, and parameters of one item
STRING_MAX: Final = 1024  # characters, with quotes and escapes

_KEY: Final = re.compile(r"[a-z*][a-z0-9_.*-]*")
_SPACES: Final = (" ", "\t")
_NUMBER: Final = re.compile(r"(-?\d{1,15})(\.\d{1,3})?(?![\d.])", re.ASCII)
_STRING: Final = re.compile(r'"((?:[^"\\]|\\["\\])*+)"')  # possessive: read once, junk or not
_ESCAPED: Final = re.compile(r"\\(.)")
_TOKEN: Final = re.compile(r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*")
_SKIP: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*+"|[^",])*+', re.DOTALL)

Bare: TypeAlias = bool | int | float | str
Parameters: TypeAlias = tuple[tuple[str, Bare], ...]


class Token(str):
    """A token, where a string has quotes."""

    __slots__ = ()


class Listed(NamedTuple):
    """An item of an inner list with its parameters."""

    value: Bare
    parameters: Parameters


Item: TypeAlias = Bare | tuple[Listed, ...]


class _MalformedError(Exception):
    """The text is none of a structured field's items."""


def members(text: str) -> Iterator[tuple[str, Item]]:
    """(key, item) of each member that is well-formed, up to MEMBERS_MAX of all."""
    at = 0
    for _ in range(MEMBERS_MAX):
        at = _space(text, at)
        if at >= len(text):
            return
        try:
            key, item, at = _member(text, at)
        except _MalformedError:
            at = _next_comma(text, at) + 1
            continue
        yield key, item
        at += 1


def _next_comma(text: str, at: int) -> int:
    """Where the next comma outside strings is, or the end; a string without an end goes to it."""
    skipped = _SKIP.match(text, at)
    end = skipped.end() if skipped else len(text)
    return len(text) if text[end : end + 1] == '"' else end


def _member(text: str, at: int) -> tuple[str, Item, int]:
    """A member from `at` on, and where the comma after it is, or the end."""
    key = _KEY.match(text, at)
    if key is None:
        raise _MalformedError
    at = key.end()
    item: Item = True
    if text.startswith("=(", at):
        item, at = _inner_list(text, at + 2)
    elif text.startswith("=", at):
        item, at = _bare(text, at + 1)
    _, at = _parameters(text, at)
    at = _space(text, at)
    if at < len(text) and text[at] != ",":
        raise _MalformedError
    return key[0], item, at


def _inner_list(text: str, at: int) -> tuple[tuple[Listed, ...], int]:
    items: list[Listed] = []
    while True:
        at = _space(text, at)
        if text.startswith(")", at):
            return tuple(items), at + 1
        value, at = _bare(text, at)
        parameters, at = _parameters(text, at)
        items.append(Listed(value, parameters))
        if len(items) > LIST_MAX or text[at : at + 1] not in (" ", ")"):
            raise _MalformedError


def _parameters(text: str, at: int) -> tuple[Parameters, int]:
    found: list[tuple[str, Bare]] = []
    while text.startswith(";", at):
        key = _KEY.match(text, _space(text, at + 1))
        if key is None or len(found) == LIST_MAX:
            raise _MalformedError
        at = key.end()
        value: Bare = True
        if text.startswith("=", at):
            value, at = _bare(text, at + 1)
        found.append((key[0], value))
    return tuple(found), at


def _bare(text: str, at: int) -> tuple[Bare, int]:
    """A bare item (RFC 8941 §3.3) from `at` on, and where it ends."""
    if digits := _NUMBER.match(text, at):
        return (float(digits[0]) if digits[2] else int(digits[0])), digits.end()
    if string := _STRING.match(text, at):
        if string.end() - at > STRING_MAX:
            raise _MalformedError
        return _ESCAPED.sub(r"\1", string[1]), string.end()
    if text.startswith(("?0", "?1"), at):
        return text[at + 1] == "1", at + 2
    if token := _TOKEN.match(text, at):
        return Token(token[0]), token.end()
    raise _MalformedError


def _space(text: str, at: int) -> int:
    while text[at : at + 1] in _SPACES:
        at += 1
    return at
