"""Fastly in front: its purge API.

https://www.fastly.com/documentation/reference/api/purging/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cache_policies.provider_tags import ProviderKind, spelled
from origin.provider_calls import (
    Ability,
    Answer,
    Call,
    Item,
    Kind,
    Site,
    Verdict,
    batches,
    detail_of,
    grouped,
    read_object,
    seconds,
    sited,
)

API: Final = "https://api.fastly.com"
BATCH: Final = 256  # surrogate keys a call
BATCH_MAX: Final = 256

_NO_PREFIX: Final = "unsupported: Fastly has no purge by prefix; purge by tag"
_HARD: Final = "done hard: Fastly does not mark everything as stale"
_SOFT: Final = (("fastly-soft-purge", "1"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fastly:
    """One service."""

    service: str
    sites: tuple[Site, ...]
    batch: int = BATCH

    @property
    def kind(self) -> ProviderKind:
        """Which provider."""
        return ProviderKind.FASTLY

    def authorization(self, token: str) -> tuple[str, str]:
        """An API token with the scope purge_select, for everything purge_all."""
        return "fastly-key", token

    def ability(self, kind: Kind, *, soft: bool) -> Ability:
        """URLs, tags and everything."""
        if kind is Kind.PREFIX:
            return Ability(can=False, note=_NO_PREFIX)
        return Ability(can=True, note=_HARD if soft and kind is Kind.ALL else "")

    def items(self, number: int, kind: Kind, value: str, *, soft: bool) -> tuple[Item, ...]:
        """URLs at every site."""
        if kind is Kind.ALL:
            return (Item(number, kind, "", soft=False),)
        if kind is Kind.TAG:
            return (Item(number, kind, spelled(self.kind, value.encode()).decode(), soft),)
        return tuple(Item(number, kind, url, soft) for url in sited(value, self.sites))

    def calls(self, items: Sequence[Item]) -> list[Call]:
        """One that purges everything, else one for each batch of tags and for each URL."""
        service = f"/service/{self.service}"
        if any(item.kind is Kind.ALL for item in items):
            return [Call(f"{service}/purge_all", tuple(items))]
        calls = []
        for (kind, soft), values in grouped(items).items():
            fields = _SOFT if soft else ()
            if kind is Kind.TAG:
                for part, settled in batches(values, self.batch):
                    body = {"surrogate_keys": part}
                    calls.append(Call(f"{service}/purge", tuple(settled), body, fields))
            else:
                for url, settled in values.items():
                    path = f"/purge/{url.partition('://')[2]}"
                    calls.append(Call(path, tuple(settled), fields=fields))
        return calls

    def read(
        self, call: Call, status: int, fields: Mapping[str, str], body: bytes, *, now_wall: float
    ) -> Answer:
        """Fastly answers errors with `msg` and perhaps `detail`."""
        said = read_object(body)
        words = [str(said[key]) for key in ("msg", "detail") if said.get(key)]
        detail = detail_of(status, ": ".join(words))
        pause_s = _pause_s(fields, now_wall)
        if status == 200 and said:
            spent = fields.get("fastly-ratelimit-remaining") == "0"
            return Answer(Verdict.CONFIRMED, pause_s=pause_s if spent else None)
        if status == 429 or status >= 500 or status == 408:
            return Answer(Verdict.LATER, detail, pause_s)
        foreign = status in (403, 404) and call.items[0].kind is Kind.URL
        if foreign or status in (400, 413, 422):
            return Answer(Verdict.REFUSED, detail)  # foreign: the URL may be of no service of ours
        return Answer(Verdict.DENIED, detail)


def _pause_s(fields: Mapping[str, str], now_wall: float) -> float | None:
    """Until when nothing more is allowed: as seconds, or as an instant since 1970."""
    asked_s = seconds(fields.get("retry-after"))
    if asked_s is not None:
        return asked_s
    reset = fields.get("fastly-ratelimit-reset", "")
    if not (reset.isascii() and reset.isdigit() and len(reset) <= 12):
        return None
    return seconds(str(max(0, int(int(reset) - now_wall) + 1)))
