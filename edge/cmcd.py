"""What players tell in Common Media Client Data, versions 1 and 2 (CTA-5004, CTA-5004-B).

Only here keys have their short names, and tokens their letters. A report is {full name: value};
what is unknown, malformed or beyond a limit is left out, the rest counts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from itertools import chain
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import quote, unquote_to_bytes

from cache_policies.message import Fields
from edge.loose_dictionary import Item, Listed, Token, members

REPORT_BYTES_MAX: Final = 2048  # decoded; the worst junk of that size takes 1 ms to read
NUMBER_MAX: Final = 10**15 - 1  # RFC 8941 §3.3.1

_ARGUMENT: Final = re.compile(rb"[?&]CMCD=([^&#]*)")
_BYTE_RANGE: Final = re.compile(r"\d{1,15}-(?:\d{1,15})?|-\d{1,15}")


class OfType(NamedTuple):
    """A number, and the type of objects that it is about; "" where that is not said."""

    value: int
    object_type: str = ""


class NextObject(NamedTuple):
    """What a player will probably ask for: a path relative to this request's, or a part of it."""

    path: str  # "" is the object of this request
    byte_range: str = ""  # "0-99", "100-" or "-100"


Value: TypeAlias = bool | int | float | str | tuple[OfType, ...] | tuple[NextObject, ...]
Report: TypeAlias = Mapping[str, Value]


class Kind(Enum):
    """How a value is written."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    DECIMAL = "decimal"
    STRING = "string"
    TOKEN = "token"  # noqa: S105
    NUMBERS = "numbers"  # one a type of objects; version 1 has one number
    NEXT = "next"  # objects; version 1 has one, and its range under a key of its own


class Key(NamedTuple):
    """A key of the specification, with all that tells how to read and write it."""

    name: str
    kind: Kind
    header: str  # CMCD-…
    version: int = 1  # that it came with


KEYS: Final[dict[str, Key]] = {
    "ab": Key("aggregate_bitrate_kbps", Kind.NUMBERS, "Object", 2),
    "bg": Key("backgrounded", Kind.BOOLEAN, "Status", 2),
    "bl": Key("buffer_length_ms", Kind.NUMBERS, "Request"),
    "br": Key("encoded_bitrate_kbps", Kind.NUMBERS, "Object"),
    "bs": Key("buffer_starvation", Kind.BOOLEAN, "Status"),
    "bsa": Key("buffer_starvations", Kind.NUMBERS, "Status", 2),
    "bsd": Key("buffer_starvation_ms", Kind.NUMBERS, "Status", 2),
    "bsda": Key("buffer_starvations_ms", Kind.NUMBERS, "Status", 2),
    "cdn": Key("cdn_id", Kind.STRING, "Status", 2),
    "cid": Key("content_id", Kind.STRING, "Session"),
    "cs": Key("content_signature", Kind.STRING, "Request", 2),
    "d": Key("object_duration_ms", Kind.INTEGER, "Object"),
    "dfa": Key("dropped_frames", Kind.INTEGER, "Request", 2),
    "dl": Key("deadline_ms", Kind.INTEGER, "Request"),
    "lab": Key("lowest_aggregate_bitrate_kbps", Kind.NUMBERS, "Object", 2),
    "lb": Key("lowest_bitrate_kbps", Kind.NUMBERS, "Object", 2),
    "ltc": Key("live_latency_ms", Kind.INTEGER, "Request", 2),
    "msd": Key("media_start_delay_ms", Kind.INTEGER, "Session", 2),
    "mtp": Key("measured_throughput_kbps", Kind.NUMBERS, "Request"),
    "nor": Key("next_objects", Kind.NEXT, "Request"),
    "nr": Key("non_rendered", Kind.BOOLEAN, "Status", 2),
    "ot": Key("object_type", Kind.TOKEN, "Object"),
    "pb": Key("playhead_bitrate_kbps", Kind.NUMBERS, "Request", 2),
    "pr": Key("playback_rate", Kind.DECIMAL, "Session"),
    "pt": Key("playhead_time_ms", Kind.INTEGER, "Status", 2),
    "rtp": Key("requested_throughput_kbps", Kind.INTEGER, "Status"),
    "sf": Key("streaming_format", Kind.TOKEN, "Session"),
    "sid": Key("session_id", Kind.STRING, "Session"),
    "sn": Key("sequence_number", Kind.INTEGER, "Request", 2),
    "st": Key("stream_type", Kind.TOKEN, "Session"),
    "sta": Key("player_state", Kind.TOKEN, "Request", 2),
    "su": Key("startup", Kind.BOOLEAN, "Request"),
    "tab": Key("top_aggregate_bitrate_kbps", Kind.NUMBERS, "Object", 2),
    "tb": Key("top_bitrate_kbps", Kind.NUMBERS, "Object"),
    "tbl": Key("target_buffer_length_ms", Kind.NUMBERS, "Request", 2),
    "tpb": Key("top_playable_bitrate_kbps", Kind.NUMBERS, "Object", 2),
    "v": Key("version", Kind.INTEGER, "Session"),
}
NEXT_RANGE: Final = "nrr"  # version 1 only; it goes into the next object
TOKENS: Final[dict[str, dict[str, str]]] = {
    "ot": {
        "m": "manifest",
        "a": "audio",
        "v": "video",
        "av": "muxed",
        "i": "init",
        "c": "caption",
        "tt": "timed-text",
        "k": "key",
        "o": "other",
    },
    "sf": {"d": "dash", "h": "hls", "e": "hesp", "s": "smooth", "o": "other"},
    "st": {"v": "vod", "l": "live", "ll": "low-latency-live"},
    "sta": {
        "s": "starting",
        "p": "playing",
        "k": "seeking",
        "r": "rebuffering",
        "a": "paused",
        "w": "waiting",
        "e": "ended",
        "f": "failed",
        "q": "quit",
        "d": "preloading",
    },
}
HEADERS: Final = tuple(f"CMCD-{each}" for each in ("Object", "Request", "Session", "Status"))

_SHORT: Final = {key.name: short for short, key in KEYS.items()}
_LETTERS: Final = {
    short: {word: letter for letter, word in words.items()} for short, words in TOKENS.items()
}
_FIELDS: Final = frozenset(name.lower().encode() for name in HEADERS)


def read_request(target: bytes, fields: Fields) -> Report:
    """What the query of `target` tells, else what the header fields tell; {} when nothing."""
    argument = _ARGUMENT.search(target)
    if argument is not None:
        return parse_query(argument[1])
    return parse_fields(value for name, value in fields if name in _FIELDS)


def parse_query(value: bytes) -> Report:
    """What a percent-encoded `CMCD` query argument tells."""
    told = unquote_to_bytes(value[: 3 * REPORT_BYTES_MAX + 1])
    if len(told) > REPORT_BYTES_MAX:
        return {}
    return _report([told.decode("utf-8", "replace")])


def parse_fields(values: Iterable[bytes]) -> Report:
    """What the values of the four CMCD fields tell together."""
    told = [*values]
    if len(told) > len(HEADERS) or sum(map(len, told)) > REPORT_BYTES_MAX:
        return {}
    return _report([value.decode("utf-8", "replace") for value in told])


def number(report: Report, name: str) -> int | None:
    """The number under `name` that is about this request's object; None when there is none."""
    value = report.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, tuple):
        return None
    numbers = [each for each in value if isinstance(each, OfType)]
    of_this = [each for each in numbers if each.object_type == report.get("object_type")]
    return (of_this or numbers)[0].value if numbers else None


def render_query(report: Report) -> bytes:
    """`CMCD=…` as a query argument, with keys in alphabetical order."""
    return b"CMCD=" + quote(",".join(text for _, text in _members(report)), safe="").encode()


def render_fields(report: Report) -> list[tuple[bytes, bytes]]:
    """The report as header fields, sorted by name; those without a key are left out."""
    texts: dict[str, list[str]] = {}
    for short, text in _members(report):
        header = "Request" if short == NEXT_RANGE else KEYS[short].header
        texts.setdefault(header, []).append(text)
    return [
        (f"CMCD-{header}".encode(), ",".join(said).encode())
        for header, said in sorted(texts.items())
    ]


# reading


def _report(texts: list[str]) -> Report:
    report: dict[str, Value] = {}
    byte_range = ""
    for short, item in chain.from_iterable(map(members, texts)):
        if short == NEXT_RANGE:
            byte_range = item if isinstance(item, str) and _BYTE_RANGE.fullmatch(item) else ""
        elif short in KEYS:
            key = KEYS[short]
            value = _value(short, key.kind, item)
            if value is None:
                report.pop(key.name, None)  # a later member replaces an earlier one
            else:
                report[key.name] = value
    if report.get("version", 1) == 1:
        _read_as_first_version(report, byte_range)
    return report


def _read_as_first_version(report: dict[str, Value], byte_range: str) -> None:
    """Paths are percent-encoded (CTA-5004 §3.1), and a range stands apart from its path."""
    told = report.get("next_objects", ())
    assert isinstance(told, tuple)
    nexts = [
        NextObject(_decoded(each.path), each.byte_range)
        for each in told
        if isinstance(each, NextObject)
    ]
    if byte_range and not nexts:
        nexts = [NextObject("", byte_range)]
    elif byte_range and len(nexts) == 1 and not nexts[0].byte_range:
        nexts = [NextObject(nexts[0].path, byte_range)]
    if nexts:
        report["next_objects"] = tuple(nexts)


def _decoded(path: str) -> str:
    return unquote_to_bytes(path).decode("utf-8", "replace")


def _value(short: str, kind: Kind, item: Item) -> Value | None:
    """An item as a value of its key; None when it is none."""
    match kind:
        case Kind.BOOLEAN:
            return item if isinstance(item, bool) else None
        case Kind.INTEGER:
            return _integer(item)
        case Kind.DECIMAL:
            whole = isinstance(item, (int, float)) and not isinstance(item, bool)
            return float(item) if whole else None  # type: ignore[arg-type]
        case Kind.STRING:
            return item if isinstance(item, str) and not isinstance(item, Token) else None
        case Kind.TOKEN:
            return TOKENS[short].get(item) if isinstance(item, str) else None
        case Kind.NUMBERS:
            return _numbers(item)
        case Kind.NEXT:
            return _next_objects(item)


def _integer(item: object) -> int | None:
    if isinstance(item, bool) or not isinstance(item, (int, float)):
        return None
    return round(item) if 0 <= item <= NUMBER_MAX else None


def _numbers(item: Item) -> tuple[OfType, ...] | None:
    items = item if isinstance(item, tuple) else (Listed(item, ()),)
    found = []
    for each in items:
        value = _integer(each.value)
        types = [TOKENS["ot"][name] for name, _ in each.parameters if name in TOKENS["ot"]]
        if value is not None:
            found.append(OfType(value, types[0] if types else ""))
    return tuple(found) or None


def _next_objects(item: Item) -> tuple[NextObject, ...] | None:
    items = item if isinstance(item, tuple) else (Listed(item, ()),)
    found = []
    for each in items:
        if not isinstance(each.value, str) or isinstance(each.value, Token):
            continue
        span = dict(each.parameters).get("r")
        spanned = isinstance(span, str) and _BYTE_RANGE.fullmatch(span) is not None
        found.append(NextObject(each.value, str(span) if spanned else ""))
    return tuple(found) or None


# writing


def _members(report: Report) -> Iterator[tuple[str, str]]:
    """(short key, `key=value`) of each member, sorted."""
    is_first_version = report.get("version", 1) == 1
    for short, name in sorted((_SHORT[name], name) for name in report):
        value = report[name]
        if isinstance(value, bool):
            yield short, short if value else f"{short}=?0"
        elif isinstance(value, tuple):
            yield from _listed(short, value, first_version=is_first_version)
        elif isinstance(value, str):
            token = _LETTERS[short][value] if short in TOKENS else _quoted(value)
            yield short, f"{short}={token}"
        elif isinstance(value, float):
            yield short, f"{short}={value:.3f}"
        else:
            yield short, f"{short}={value}"


def _listed(
    short: str, items: tuple[OfType, ...] | tuple[NextObject, ...], *, first_version: bool
) -> Iterator[tuple[str, str]]:
    said = [_listed_item(item, encoded=first_version) for item in items]
    first = items[0]
    if not first_version or len(items) > 1 or (isinstance(first, OfType) and first.object_type):
        yield short, f"{short}=({' '.join(said)})"
    elif isinstance(first, OfType):
        yield short, f"{short}={first.value}"
    else:
        if first.path or not first.byte_range:
            yield short, f"{short}={_quoted(quote(first.path, safe=''))}"
        if first.byte_range:
            yield NEXT_RANGE, f'{NEXT_RANGE}="{first.byte_range}"'


def _listed_item(item: OfType | NextObject, *, encoded: bool) -> str:
    if isinstance(item, OfType):
        letter = _LETTERS["ot"].get(item.object_type)
        return f"{item.value};{letter}" if letter else f"{item.value}"
    path = _quoted(quote(item.path, safe="") if encoded else item.path)
    return f'{path};r="{item.byte_range}"' if item.byte_range else path


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
