"""The protocol of pages and hub, version 1: JSON objects in text frames, told apart by `t`.

    page  {"t": "hello", "v": 1, "token": TOKEN}           first, and again before the token expires
          {"t": "join", "topic": TOPIC, "after": MARK}     `after` only to hear what was missed
          {"t": "leave", "topic": TOPIC}
          {"t": "say", "topic": TOPIC, "kind": KIND, "value": TEXT}
    hub   {"t": "welcome", "v": 1, "subject": NAME}
          {"t": "joined", "topic": TOPIC, "here": COUNT, "since": MARK, "gap": BOOL}
          {"t": "presence", "topic": TOPIC, "here": COUNT}
          {"t": "signal", "topic": TOPIC, "kind": KIND, "from": NAME, "value": TEXT}    fleeting
          {"t": "signal", "topic": TOPIC, "kind": KIND, "mark": MARK, "key": KEY, "value": …}
          {"t": "refused", "why": REASON}

What a page does not know it ignores, and so do hubs with members of an object.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Final, TypeAlias

from websockets.frames import Frame, Opcode

from cache_policies.signal_access import is_topic
from edge.realtime.marks import Mark

VERSION: Final = 1
_UNSEEN: Final = re.compile(  # characters that turn text around or show nothing; emoji need U+200D
    "[\x00-\x1f\x7f-\x9f\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
KEY_CHARS_MAX: Final = 128
VALUE_BYTES_MAX: Final = 2_048  # of a lasting signal, as JSON


class Refusal(StrEnum):
    """Why a message came to nothing."""

    SYNTAX = "syntax"
    VERSION = "version"
    TOKEN = "token"  # noqa: S105
    TOPIC = "topic"  # is none, or not one of the token's
    NOT_JOINED = "not-joined"
    TOPICS_MAX = "topics-max"
    KIND = "kind"
    VALUE = "value"
    RATE = "rate"


class Close(Enum):
    """Why a connection ends: the code and reason that its page is told (RFC 6455 §7.4)."""

    GOING_AWAY = (1001, "going-away")  # the edge drains: come back, perhaps to another one
    TOO_BIG = (1009, "message-too-big")
    TOO_SLOW = (1013, "too-slow")  # come back with the last mark
    SILENT = (1001, "silent")  # no ping was answered
    HELLO_LATE = (4401, "hello-late")
    TOKEN = (4403, "token")  # is none, or has expired: come back with another one
    TOO_MANY = (4429, "refusals-max")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of signal: who may say it, and whether it is kept for those who come back."""

    by_pages: bool
    lasting: bool
    value_chars_min: int = 0  # without the blanks around
    value_chars_max: int = 0
    is_line: bool = False  # what people read: each page has fewer of these


KINDS: Final = {
    "typing": Kind(by_pages=True, lasting=False),
    "reaction": Kind(by_pages=True, lasting=False, value_chars_max=16),  # an emoji may take a dozen
    "line": Kind(
        by_pages=True, lasting=False, value_chars_min=1, value_chars_max=200, is_line=True
    ),
    "watchable": Kind(by_pages=False, lasting=True),
}


@dataclass(frozen=True, slots=True)
class Hello:
    """Who somebody is."""

    token: str


@dataclass(frozen=True, slots=True)
class Join:
    """What they want to hear of; with `after` also what came after it."""

    topic: str
    after: Mark | None


@dataclass(frozen=True, slots=True)
class Leave:
    """What they want to hear of no more."""

    topic: str


@dataclass(frozen=True, slots=True)
class Say:
    """What others are to hear."""

    topic: str
    kind: str
    value: str


Message: TypeAlias = Hello | Join | Leave | Say


@dataclass(frozen=True, slots=True)
class Lasting:
    """A signal of the origin's, that nobody who was away should miss."""

    topic: str
    kind: str
    key: str  # names the event: said twice, it is heard once
    value: dict[str, Any]


def parse(text: bytes) -> Message | Refusal:
    """What a page says, or why that is nothing."""
    try:
        said = json.loads(text.decode())
    except (ValueError, RecursionError):
        return Refusal.SYNTAX
    match said:
        case {"t": "hello", "v": 1, "token": str(token)}:
            return Hello(token)
        case {"t": "hello", "v": int()}:
            return Refusal.VERSION
        case {"t": "join", "topic": str(topic), "after": str(mark)}:
            return _join(topic, mark)
        case {"t": "join", "topic": str(topic)}:
            return Join(topic, None) if is_topic(topic) else Refusal.TOPIC
        case {"t": "leave", "topic": str(topic)}:
            return Leave(topic)
        case {"t": "say", "topic": str(topic), "kind": str(kind)}:
            return said_of(topic, kind, said.get("value", ""))
        case _:
            return Refusal.SYNTAX


def parse_lasting(said: object) -> Lasting:
    """A signal as the origin publishes it; raises ValueError with what is wrong."""
    match said:
        case {"topic": str(topic), "kind": str(kind), "key": str(key), "value": dict(value)}:
            found = KINDS.get(kind)
            if found is None or not found.lasting:
                known = ", ".join(name for name, each in KINDS.items() if each.lasting)
                raise ValueError(f"kind {kind!r} is none that lasts; write one of: {known}")
            if not is_topic(topic):
                raise ValueError(f"topic {topic!r} is none; write one as story:8f3a")
            if not 0 < len(key) <= KEY_CHARS_MAX:
                raise ValueError(f"a key has 1 to {KEY_CHARS_MAX} characters")
            if len(_json([key, value])) > VALUE_BYTES_MAX:
                raise ValueError(f"a value has at most {VALUE_BYTES_MAX} bytes")
            return Lasting(topic, kind, key, value)
    raise ValueError('a signal is {"topic": …, "kind": …, "key": …, "value": {…}}')


def welcome(subject: str) -> bytes:
    """The answer to a good `hello`."""
    return frame({"t": "welcome", "v": VERSION, "subject": subject})


def joined(topic: str, *, here: int, since: Mark, gap: bool) -> bytes:
    """The answer to `join`: every lasting signal after `since` follows, sooner or later."""
    return frame({"t": "joined", "topic": topic, "here": here, "since": str(since), "gap": gap})


def presence(topic: str, here: int) -> bytes:
    """How many are there now."""
    return frame({"t": "presence", "topic": topic, "here": here})


def fleeting(said: Say, subject: str) -> bytes:
    """What somebody says."""
    signal = {"t": "signal", "topic": said.topic, "kind": said.kind, "from": subject}
    return frame(signal | {"value": said.value})


def lasting(signal: Lasting, mark: Mark) -> bytes:
    """What the origin says."""
    said = {"t": "signal", "topic": signal.topic, "kind": signal.kind, "mark": str(mark)}
    return frame(said | {"key": signal.key, "value": signal.value})


def unmarked(signal: Lasting) -> bytes:
    """What the origin says, before it has a mark: it comes again, and is known by its key."""
    said = {"t": "signal", "topic": signal.topic, "kind": signal.kind}
    return frame(said | {"key": signal.key, "value": signal.value})


def refused(why: Refusal) -> bytes:
    """The answer to what came to nothing."""
    return frame({"t": "refused", "why": why.value})


def frame(message: dict[str, Any]) -> bytes:
    """A message as everybody gets it, rendered once (RFC 6455 §5.2)."""
    return Frame(Opcode.TEXT, _json(message)).serialize(mask=False)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _join(topic: str, mark: str) -> Join | Refusal:
    if not is_topic(topic):
        return Refusal.TOPIC
    try:
        return Join(topic, Mark.parse(mark))
    except ValueError:
        return Refusal.SYNTAX


def said_of(topic: str, kind: str, value: object) -> Say | Refusal:
    """What a page says to a topic, or why it may not."""
    found = KINDS.get(kind)
    if found is None or not found.by_pages:
        return Refusal.KIND
    if not isinstance(value, str) or len(value) > found.value_chars_max or _UNSEEN.search(value):
        return Refusal.VALUE
    if len(value.strip()) < found.value_chars_min:
        return Refusal.VALUE
    return Say(topic, kind, value)
