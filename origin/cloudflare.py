"""Cloudflare in front: POST /zones/{zone}/purge_cache of its API v4.

https://developers.cloudflare.com/api/resources/cache/methods/purge
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cache_policies.provider_tags import ProviderKind, spelled
from origin.provider_calls import (
    PAUSE_MAX_S,
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

API: Final = "https://api.cloudflare.com"
BATCH: Final = 30  # every plan and every kind takes so many a call; "up to 100" depends on both
BATCH_MAX: Final = 500

_HARD: Final = "done hard: Cloudflare does not mark as stale"
_WIDER: Final = "done for whole directories"
_LISTS: Final = {Kind.URL: "files", Kind.PREFIX: "prefixes", Kind.TAG: "tags"}
_OF_THE_TOKEN: Final = frozenset({6003, 6103, 6111, 7000, 7003, 9106, 9109, 10000, 10001})
"""Codes of errors that a status 400 may carry although nothing is wrong with what is purged."""
_LIMIT: Final = re.compile(r'"[^"]*"((?:;[a-z]+=[0-9]{1,9})+)')
_PARAMETER: Final = re.compile(r";([a-z]+)=([0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloudflare:
    """One zone."""

    zone: str
    sites: tuple[Site, ...]
    batch: int = BATCH

    @property
    def kind(self) -> ProviderKind:
        """Which provider."""
        return ProviderKind.CLOUDFLARE

    def authorization(self, token: str) -> tuple[str, str]:
        """An API token, with the permission Cache Purge."""
        return "authorization", f"Bearer {token}"

    def ability(self, kind: Kind, *, soft: bool) -> Ability:
        """Everything but soft purges."""
        notes = [_WIDER] if kind is Kind.PREFIX else []
        return Ability(can=True, note="; ".join([*notes, _HARD] if soft else notes))

    def items(self, number: int, kind: Kind, value: str, *, soft: bool) -> tuple[Item, ...]:
        """URLs and prefixes at every site; a prefix ends where a directory does."""
        del soft
        if kind is Kind.ALL:
            return (Item(number, kind, "", soft=False),)
        if kind is Kind.TAG:
            tag = spelled(self.kind, value.encode()).decode()
            return (Item(number, kind, tag, soft=False),)
        urls = sited(value, self.sites)
        values = map(_directory, urls) if kind is Kind.PREFIX else urls
        return tuple(Item(number, kind, each, soft=False) for each in dict.fromkeys(values))

    def calls(self, items: Sequence[Item]) -> list[Call]:
        """One that purges everything, else as many as the batches of each kind."""
        path = f"/client/v4/zones/{self.zone}/purge_cache"
        if any(item.kind is Kind.ALL for item in items):
            return [Call(path, tuple(items), {"purge_everything": True})]
        return [
            Call(path, tuple(settled), {_LISTS[kind]: part})
            for (kind, _), values in grouped(items).items()
            for part, settled in batches(values, self.batch)
        ]

    def read(
        self, call: Call, status: int, fields: Mapping[str, str], body: bytes, *, now_wall: float
    ) -> Answer:
        """Cloudflare says `success`, or lists errors with codes."""
        del call, now_wall
        said = read_object(body)
        errors = [each for each in _list(said.get("errors")) if isinstance(each, dict)]
        detail = detail_of(status, "; ".join(map(_sentence, errors)))
        if status == 200 and said.get("success") is True:
            return Answer(Verdict.CONFIRMED, pause_s=_exhausted(fields.get("ratelimit", "")))
        if status == 429:
            return Answer(Verdict.LATER, detail, seconds(fields.get("retry-after")))
        if status >= 500 or status == 408:
            return Answer(Verdict.LATER, detail, seconds(fields.get("retry-after")))
        of_the_token = any(each.get("code") in _OF_THE_TOKEN for each in errors)
        if status in (200, 400, 413, 422) and errors and not of_the_token:
            return Answer(Verdict.REFUSED, detail)
        return Answer(Verdict.DENIED, detail)


def _directory(url: str) -> str:
    """Cloudflare's prefixes are without scheme and query, and whole between slashes."""
    bare = url.partition("://")[2].partition("?")[0]
    return bare.rpartition("/")[0]


def _sentence(error: Mapping[str, Any]) -> str:
    return f"{error.get('message', '')} ({error.get('code', '')})"


def _list(said: object) -> list[Any]:
    return said if isinstance(said, list) else []


def _exhausted(ratelimit: str) -> float | None:
    """Seconds until more is allowed where nothing is now: `"default";r=0;t=30`."""
    pauses = []
    for limit in _LIMIT.finditer(ratelimit):
        said = dict(_PARAMETER.findall(limit[1]))
        if said.get("r") == "0":
            pauses.append(min(float(said.get("t", "0")), PAUSE_MAX_S))
    return max(pauses, default=None)
