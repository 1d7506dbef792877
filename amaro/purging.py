"""What becomes of a purge: asked of the origin, which tells every edge, or of edges directly."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from httpx import AsyncClient

    from amaro.target import Target

PATIENCE_S: Final = 10.0  # longer than an edge waits for its own workers, or an origin for edges


class PurgeError(Exception):
    """There is no receipt; the message says why and what to do."""

    said: ClassVar[str] = "nothing was purged"


class UnansweredError(PurgeError):
    """The order was sent, and nobody knows what became of it."""

    said = "it is not known whether anything was purged, so repeat the command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an operator wants to be purged."""

    kind: str  # url, prefix, tag or all
    values: tuple[str, ...] = ()
    soft: bool = False

    def for_origin(self) -> dict[str, Any]:
        """Return the order as an origin takes it."""
        said = {"kind": self.kind, "values": list(self.values), "soft": self.soft}
        return said | {"id": secrets.token_hex(8)}

    def for_edge(self) -> dict[str, Any]:
        """Return the order as an edge's admin listener takes it."""
        forms: dict[str, tuple[str, Any]] = {
            "tag": ("tags", list(self.values)),
            "all": ("all", True),
        }
        form, value = forms.get(self.kind) or (self.kind, self.values[0])
        return {form: value, "soft": self.soft}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How one edge, or a provider, stands to a purge."""

    name: str
    address: str
    acknowledged: bool
    region: str | None = None
    workers: int | None = None  # that applied it
    took_ms: float | None = None
    by: str | None = None  # how its answer came: push or valkey
    error: str | None = None
    note: str | None = None  # what is done in another way than asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All rows; through an origin, the number of the purge in its log."""

    edges: tuple[Row, ...]
    providers: tuple[Row, ...] = ()
    number: int | None = None
    took_ms: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict)  # an origin's receipt

    @property
    def acknowledged(self) -> bool:
        """Say whether every edge has done it."""
        return all(row.acknowledged for row in self.edges)


async def purge_everywhere(target: Target, wish: Wish) -> Outcome:
    """Have a wish carried out at all that a target names. Raises PurgeError."""
    from httpx import AsyncClient  # noqa: PLC0415

    async with AsyncClient(headers=target.headers, timeout=PATIENCE_S, trust_env=False) as http:
        if not target.services:
            return await _at_listeners(http, target.admins, wish)
        names = {each.admin_url: each.name for each in target.services if each.admin_url}
        for origin in target.services:
            if origin.kind == "origin":
                return _named(await _at_origin(http, origin.health_url, wish), names)
        raise PurgeError("the running stack has no origin")


async def _at_listeners(http: AsyncClient, urls: Sequence[str], wish: Wish) -> Outcome:
    """Ask listeners, some of which may be origins'."""
    are_origins = await asyncio.gather(*(_is_origin(http, url) for url in urls))
    if len(urls) == 1 and are_origins[0]:
        return await _at_origin(http, urls[0], wish)
    asked = [
        _as_row(url, _at_origin(http, url, wish)) if is_origin else _at_edge(http, url, wish)
        for url, is_origin in zip(urls, are_origins, strict=True)
    ]
    found = await asyncio.gather(*asked)
    if len(found) == 1:
        return found[0]
    return Outcome(
        edges=tuple(row for outcome in found for row in outcome.edges),
        providers=tuple(row for outcome in found for row in outcome.providers),
    )


async def _as_row(url: str, asked: Awaitable[Outcome]) -> Outcome:
    """Return what an origin says; a row if it fails, since others have purged by then."""
    try:
        return await asked
    except PurgeError as error:
        row = Row(name=url, address=url, acknowledged=False, error=f"{error.said}: {error}")
        return Outcome(edges=(row,))


async def _is_origin(http: AsyncClient, url: str) -> bool:
    """Say whether this listener has a log of purges to be read: an edge's has none."""
    from httpx import HTTPError, InvalidURL  # noqa: PLC0415

    try:
        said = (await http.get(f"{url}/purges", params={"limit": 1})).json()
    except (HTTPError, InvalidURL, ValueError):
        return False
    return isinstance(said, dict) and "log" in said


async def _at_origin(http: AsyncClient, url: str, wish: Wish) -> Outcome:
    from httpx import (  # noqa: PLC0415
        ConnectError,
        ConnectTimeout,
        HTTPError,
        InvalidURL,
        NetworkError,
        RemoteProtocolError,
    )

    order, was_sent = wish.for_origin(), False
    try:
        try:
            answer = await http.post(f"{url}/purges", json=order)
        except (NetworkError, RemoteProtocolError) as error:
            was_sent = not isinstance(error, ConnectError)
            answer = await http.post(f"{url}/purges", json=order)  # its id: it counts once
        said = answer.json()
        if answer.is_success:
            return _received(said)
        why = said.get("error") or f"status {answer.status_code}"
    except (HTTPError, InvalidURL) as error:
        why = f"the origin does not answer: {str(error) or type(error).__name__}"
        if was_sent or not isinstance(error, (ConnectError, ConnectTimeout, InvalidURL)):
            raise UnansweredError(f"{url}: {why}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        why = f"{url} answers as no origin does"
    raise PurgeError(f"{url}: {why}")


async def _at_edge(http: AsyncClient, url: str, wish: Wish) -> Outcome:
    """Ask one edge; return its row, which may say why nothing was done."""
    from httpx import HTTPError, InvalidURL  # noqa: PLC0415

    row = Row(name=url, address=url, acknowledged=False)
    try:
        answer = await http.post(f"{url}/purge", json=wish.for_edge())
        said = answer.json()
        told = {key: said.get(key) for key in ("workers", "took_ms", "error")}
    except (HTTPError, InvalidURL, ValueError, AttributeError) as error:
        return Outcome(edges=(replace(row, error=str(error) or type(error).__name__),))
    told["error"] = None if answer.is_success else told["error"] or f"status {answer.status_code}"
    return Outcome(edges=(replace(row, acknowledged=answer.is_success, **told),))


def _received(receipt: dict[str, Any]) -> Outcome:
    """What an origin's receipt says. Raises KeyError, TypeError, AttributeError for no receipt."""
    return Outcome(
        edges=tuple(map(_row, receipt["edges"])),
        providers=tuple(map(_row, receipt.get("providers", ()))),
        number=receipt["number"],
        took_ms=receipt["took_ms"],
        more=receipt,
    )


def _row(said: dict[str, Any]) -> Row:
    return Row(
        name=said.get("name") or said["address"],
        address=said["address"],
        acknowledged=said["acknowledged"] is True,
        **{key: said.get(key) for key in ("region", "workers", "took_ms", "by", "error", "note")},
    )


def _named(outcome: Outcome, names: Mapping[str, str]) -> Outcome:
    """Give edges the names that they have in their stack."""
    edges = tuple(replace(row, name=names.get(row.address, row.name)) for row in outcome.edges)
    return replace(outcome, edges=edges)
