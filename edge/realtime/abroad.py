"""What edges of a region say to each other: one JSON object a batch, told apart by its edge."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from cache_policies.signal_access import is_topic
from edge.realtime.messages import Refusal, Say, said_of


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said at an edge, for the others."""

    message: Say
    subject: str


@dataclass(frozen=True, slots=True)
class Here:
    """How many are at an edge, by topic, for the others."""

    counts: dict[str, int]


def written_abroad(edge: str, what: Iterable[Said | Here]) -> str:
    """A batch as text."""
    items: list[object] = []
    for each in what:
        match each:
            case Said(message, subject):
                items.append([message.topic, message.kind, message.value, subject])
            case Here(counts):
                items.append(counts)
    return json.dumps({"edge": edge, "said": items}, separators=(",", ":"))


def read_abroad(text: bytes) -> tuple[str, list[Said | Here]]:
    """Who says what; items that this version does not know are left out. Raises ValueError."""
    match json.loads(text.decode()):
        case {"edge": str(edge), "said": list(items)}:
            return edge, [read for read in map(_item, items) if read is not None]
    raise ValueError("no batch of signals")


def _item(item: object) -> Said | Here | None:
    match item:
        case [str(topic), str(kind), str(value), str(subject)] if is_topic(topic):
            message = said_of(topic, kind, value)
            return None if isinstance(message, Refusal) else Said(message, subject)
        case dict(counts) if all(map(_is_count, counts.items())):
            return Here(counts)
        case _:
            return None


def _is_count(item: tuple[object, object]) -> bool:
    topic, count = item
    return type(topic) is str and is_topic(topic) and type(count) is int and count >= 0
