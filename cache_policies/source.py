"""A policy file's text: plain values, and where in the file each of them stands.

Only what configuration needs of YAML is read. Anchors, aliases, tags and merge keys are refused:
nothing in the file can grow beyond its own size, or become something else than it looks like.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamStartEvent,
)

from cache_policies.complaints import Complaint, Place, PolicyFileError

TEXT_MAX_BYTES: Final = 64 * 1024
DEPTH_MAX: Final = 16

_HALF = re.compile("[\ud800-\udfff]")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]{1,18}|[0-9]{1,18}(\.[0-9]{0,18})?)")
_CONSTANTS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

Path: TypeAlias = tuple[str | int, ...]
"""How to get to a value from the top: keys of mappings, indices of sequences."""


@dataclass(frozen=True, slots=True)
class Source:
    """The values of a file, and the place of each: of its key in a mapping, else of itself."""

    name: str
    value: Any
    places: dict[Path, Place]

    def place(self, path: Path) -> Place:
        """Where a value stands; where something around it does if it is not there."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path]


def read_source(text: bytes, name: str) -> Source:
    """Return the one YAML document in `text`. Raises PolicyFileError."""
    if len(text) > TEXT_MAX_BYTES:
        raise _error(name, Place(), f"the file is larger than {TEXT_MAX_BYTES // 1024} KiB")
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        before = text[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise _error(name, Place(line, column), "this is not UTF-8 text") from None
    reader = _Reader(name)
    try:
        return reader.read(YAML(typ="safe", pure=True).parse(decoded))
    except MarkedYAMLError as error:
        place = _place(error.problem_mark or error.context_mark)
        raise _error(name, place, f"not YAML: {error.problem or error.context}") from None
    except YAMLError as error:
        at = getattr(error, "position", 0)
        place = Place(decoded.count("\n", 0, at) + 1, at - decoded.rfind("\n", 0, at))
        raise _error(name, place, "a control character, which YAML does not allow") from None


class _Reader:
    """Builds plain values from the parser's events, refusing what is not plain."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._places: dict[Path, Place] = {(): Place()}

    def read(self, events: Iterator[Event]) -> Source:
        """The value of the one document."""
        value: Any = None
        assert isinstance(next(events), StreamStartEvent)
        if isinstance(next(events), DocumentStartEvent):
            value = self._value(next(events), events, ())
            assert isinstance(next(events), DocumentEndEvent)
            if isinstance(event := next(events), DocumentStartEvent):
                raise self._error(event, "a second document; write one file for each")
        return Source(self._name, value, self._places)

    def _value(self, event: Event, events: Iterator[Event], path: Path) -> Any:
        if isinstance(event, AliasEvent):
            raise self._error(event, f"an alias (*{short(event.anchor)}); write the value out")
        assert isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent)
        if event.anchor is not None:
            raise self._error(event, f"an anchor (&{short(event.anchor)}); leave it out")
        if event.ctag is not None:
            raise self._error(event, f"a tag ({short(event.ctag)}); leave it out")
        if len(path) > DEPTH_MAX:
            raise self._error(event, f"nested deeper than {DEPTH_MAX} levels")
        self._places.setdefault(path, _place(event.start_mark))
        if isinstance(event, MappingStartEvent):
            return self._mapping(events, path)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(events, path)
        text = self._text(event)
        return text if event.style is not None else _plain(text)

    def _mapping(self, events: Iterator[Event], path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            if not isinstance(event, ScalarEvent) or event.ctag or event.anchor:
                raise self._error(event, "a key is plain text")
            key = self._text(event)
            if key == "<<":
                raise self._error(event, "a merge key (<<); write its values out")
            if key in found:
                first = self._places[*path, key]
                again = f"`{short(key)}` a second time; the first is in line {first.line}"
                raise self._error(event, again)
            self._places[*path, key] = _place(event.start_mark)
            found[key] = self._value(next(events), events, (*path, key))
        return found

    def _sequence(self, events: Iterator[Event], path: Path) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            found.append(self._value(event, events, (*path, len(found))))
        return found

    def _text(self, event: ScalarEvent) -> str:
        text: str = event.value
        if _HALF.search(text):
            raise self._error(
                event, "half of a character, as an escape; write the character itself"
            )
        return text

    def _error(self, event: Event, text: str) -> PolicyFileError:
        return _error(self._name, _place(event.start_mark), text)


def short(text: object, characters: int = 40) -> str:
    """`text` as a message quotes it, cut where it is long."""
    said = str(text)
    return said if len(said) <= characters else said[:characters] + "…"


def _plain(text: str) -> Any:
    """What an unquoted scalar means in YAML 1.2's core schema, as far as policies use it."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _place(mark: Any) -> Place:
    return Place() if mark is None else Place(mark.line + 1, mark.column + 1)


def _error(name: str, place: Place, text: str) -> PolicyFileError:
    return PolicyFileError(name, [Complaint(place, text)])
