"""What a CDN in front is asked, and what its answers mean: the contract of the adapters."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from cache_policies.provider_tags import ProviderKind

DETAIL_MAX: Final = 200  # characters of what a provider says that are kept
PAUSE_MAX_S: Final = 600.0  # no provider is believed that it wants to be left alone for longer

T = TypeVar("T")


class Kind(StrEnum):
    """What a purge names."""

    URL = "url"
    PREFIX = "prefix"
    TAG = "tag"
    ALL = "all"


class Ability(NamedTuple):
    """Whether a provider can do a purge; `note` says what is not as it was ordered."""

    can: bool
    note: str = ""


class Item(NamedTuple):
    """One thing to purge, spelled as the provider knows it."""

    number: int  # of the order in the log
    kind: Kind
    value: str
    soft: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a provider's API, and all items that it settles."""

    path: str  # absolute, encoded
    items: tuple[Item, ...]
    body: Mapping[str, Any] | None = None  # JSON
    fields: tuple[tuple[str, str], ...] = ()


class Verdict(StrEnum):
    """What became of a call."""

    CONFIRMED = "confirmed"
    LATER = "later"  # rate limits, outages: the same call again, after a while
    DENIED = "denied"  # a token or an identifier is wrong: an operator has to look
    REFUSED = "refused"  # the provider will never do this


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict; `pause_s` is how long the provider wants to be left alone, if it says so."""

    verdict: Verdict
    detail: str = ""
    pause_s: float | None = None


class Adapter(Protocol):
    """One kind of provider. Pure: tokens and sockets are the caller's."""

    @property
    def kind(self) -> ProviderKind:
        """Which one."""

    def authorization(self, token: str) -> tuple[str, str]:
        """The field that carries the token."""

    def ability(self, kind: Kind, *, soft: bool) -> Ability:
        """Whether such a purge can be done."""

    def items(self, number: int, kind: Kind, value: str, *, soft: bool) -> tuple[Item, ...]:
        """What an order comes to at this provider; it must be able to do it."""

    def calls(self, items: Sequence[Item]) -> list[Call]:
        """As few calls as purge all of these."""

    def read(
        self, call: Call, status: int, fields: Mapping[str, str], body: bytes, *, now_wall: float
    ) -> Answer:
        """What an answer to `call` means; names of `fields` are in lower case."""


class Site(NamedTuple):
    """A public address under which players reach what the edges serve: https://host."""

    scheme: str
    host: str


def sited(value: str, sites: Sequence[Site]) -> list[str]:
    """Return a URL or /path of an order as players know it.

    At the one site whose host it names; at all of them when it names none, or an edge's own.
    """
    at = value.find("/", value.find("://") + 3) if "://" in value else 0
    path = value[at:] if at >= 0 else "/"
    host = urlsplit(value[:at] if at >= 0 else value).netloc.lower() if "://" in value else ""
    named = [site for site in sites if site.host == host]
    return [f"{site.scheme}://{site.host}{path or '/'}" for site in named or sites]


def grouped(items: Iterable[Item]) -> dict[tuple[Kind, bool], dict[str, list[Item]]]:
    """Return items by kind and softness, and then by value: each is asked for once."""
    groups: dict[tuple[Kind, bool], dict[str, list[Item]]] = {}
    for item in items:
        values = groups.setdefault((item.kind, item.soft), {})
        values.setdefault(item.value, []).append(item)
    return groups


def batches(values: Mapping[str, list[Item]], size: int) -> Iterator[tuple[list[str], list[Item]]]:
    """Yield at most `size` values at a time, and the items that they settle."""
    names = list(values)
    for at in range(0, len(names), size):
        part = names[at : at + size]
        yield part, [item for name in part for item in values[name]]


def seconds(text: str | None) -> float | None:
    """Return a number of seconds as a field gives it, bounded; None when it is none."""
    if text is None or not text.isascii() or not text.strip().isdigit() or len(text) > 12:
        return None
    return min(float(text), PAUSE_MAX_S)


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of an answer, {} when it is none."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def detail_of(status: int, said: str) -> str:
    """Return what a log and a receipt say of an answer: one line, and not long."""
    words = " ".join(said.split())
    return (f"{status}: {words}" if words else f"status {status}")[:DETAIL_MAX]
