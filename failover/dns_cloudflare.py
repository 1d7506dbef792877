"""Records changed through Cloudflare's API (`/client/v4`, DNS records of a zone)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import httpx

from failover.dns_contract import ApiHealth
from failover.dns_errors import (
    BrokenAnswerError,
    ConflictError,
    DnsError,
    RefusedError,
    WrongKeyError,
    WrongZoneError,
)
from failover.dns_http import HttpApi, Subject, json_object, limited
from failover.rrsets import TYPES, RRset, RRsets, absolute, rrset, said, same_values

BASE: Final = "https://api.cloudflare.com/client/v4"
PER_PAGE: Final = "100"
AUTOMATIC_TTL: Final = 1  # "automatic" in the API: 300 s in answers
AUTOMATIC_TTL_S: Final = 300
TTL_MIN_S: Final = 60  # 30 for Enterprise zones
ERRORS: Final[dict[int, type[DnsError]]] = {
    1000: WrongKeyError,  # invalid API token
    1001: WrongZoneError,  # invalid zone identifier
    1003: WrongZoneError,  # invalid or missing zone id
    6003: WrongKeyError,  # invalid request headers
    7000: WrongZoneError,  # no route for that URI
    7003: WrongZoneError,  # could not route: the identifier is not one
    9106: WrongKeyError,  # no credential
    9109: WrongKeyError,  # invalid access token, or not for this resource
    10000: WrongKeyError,  # authentication error
    81044: ConflictError,  # record does not exist: it was replaced since it was read
    81053: ConflictError,  # an A, AAAA or CNAME record with that host already exists
    81057: ConflictError,  # the record already exists
    81058: ConflictError,  # an identical record already exists
}
BUSY: Final = frozenset({971, 10013})  # please wait and consider throttling your request speed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a name has, and the ids by which that is deleted."""

    rrsets: RRsets
    ids: dict[RRset, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudflareAdapter:
    """A zone at Cloudflare. One batch of deletions by id and of new records is one transaction.

    Records are never edited in place, so an id names one value for ever: a batch that deletes what
    somebody else has replaced meanwhile fails as a whole. That is its compare-and-set.
    """

    provider: str
    api: HttpApi
    zone_id: str
    ttl_min_s: int = TTL_MIN_S

    async def read(self, zone: str, name: str) -> RRsets:
        """What the zone has for the name."""
        return (await self._find(Subject(provider=self.provider, zone=zone, name=name))).rrsets

    async def replace(self, zone: str, name: str, expected: RRsets, wanted: RRsets) -> bool:
        """Change what differs in one batch, if the name still has `expected`."""
        about = Subject(provider=self.provider, zone=zone, name=name)
        found = await self._find(about)
        if found.rrsets == wanted:
            return False
        if not same_values(found.rrsets, expected):
            met = f"expected {said(expected)}, found {said(found.rrsets)}"
            raise about.failed(ConflictError, met)
        await self._ask(about, "POST", "/dns_records/batch", body=batch(name, found, wanted))
        return True

    async def check(self, zone: str) -> ApiHealth:
        """Verify the token and ask for the zone."""
        about = Subject(provider=self.provider, zone=zone)
        token = await self._result(about, await self.api.send(about, "GET", "/user/tokens/verify"))
        if token.get("status") != "active":
            raise about.failed(WrongKeyError, f"the API token is {token.get('status')}")
        found = await self._ask(about, "GET", "")
        if absolute(str(found.get("name"))) != absolute(zone):
            raise about.failed(WrongZoneError, f"zone_id {self.zone_id} is {found.get('name')}")
        return ApiHealth(
            zone_said=str(found["name"]),
            expires=str(token.get("expires_on") or ""),
            detail=f"token {token['status']}, zone {found.get('status')}",
        )

    async def _find(self, about: Subject) -> _Found:
        name = absolute(about.name).rstrip(".")
        params = {"name": name, "per_page": PER_PAGE}
        items = await self._ask(about, "GET", "/dns_records", params=params)
        try:
            return _found([each for each in items if each["type"] in TYPES])
        except (KeyError, TypeError, ValueError) as error:
            raise about.failed(BrokenAnswerError, f"a record that is none: {error}") from error

    async def _ask(
        self,
        about: Subject,
        method: str,
        rest: str,
        *,
        params: dict[str, str] | None = None,
        body: Any = None,
    ) -> Any:
        content = None if body is None else json.dumps(body).encode()
        path = f"/zones/{self.zone_id}{rest}"
        return await self._result(
            about, await self.api.send(about, method, path, params=params, content=content)
        )

    async def _result(self, about: Subject, response: httpx.Response) -> Any:
        found = json_object(about, response)
        if found.get("success") is True:
            return found.get("result")
        raise _refusal(about, response, found)


def batch(name: str, found: _Found, wanted: RRsets) -> dict[str, Any]:
    """The body of a batch; deletions are carried out first."""
    owner = absolute(name).rstrip(".")
    gone = [each for each in found.rrsets if each not in wanted]
    new = [each for each in wanted if each not in found.rrsets]
    return {
        "deletes": [{"id": record_id} for each in gone for record_id in found.ids[each]],
        "posts": [
            {
                "name": owner,
                "type": each.type,
                "content": value.rstrip("."),
                "ttl": each.ttl_s,
                "proxied": False,
            }
            for each in new
            for value in each.values
        ],
    }


def _found(items: list[dict[str, Any]]) -> _Found:
    by_type: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        by_type.setdefault(item["type"], []).append(item)
    ids: dict[RRset, tuple[str, ...]] = {}
    for kind in TYPES:
        if kind in by_type:
            ttl_s = max(_ttl_s(each) for each in by_type[kind])
            one = rrset(kind, ttl_s, [each["content"] for each in by_type[kind]])
            ids[one] = tuple(str(each["id"]) for each in by_type[kind])
    return _Found(rrsets=tuple(sorted(ids)), ids=ids)


def _ttl_s(item: dict[str, Any]) -> int:
    ttl = int(item["ttl"])
    return AUTOMATIC_TTL_S if ttl == AUTOMATIC_TTL else ttl


def _refusal(about: Subject, response: httpx.Response, found: dict[str, Any]) -> DnsError:
    errors = [each for each in found.get("errors") or () if isinstance(each, dict)]
    met = "; ".join(f"{each.get('message')} ({each.get('code')})" for each in errors)
    met = met or f"the API answers {response.status_code}"
    codes = [each.get("code") for each in errors]
    if BUSY.intersection(codes):
        return limited(about, response, met)
    kinds = [ERRORS[code] for code in codes if code in ERRORS]
    if not kinds and response.status_code in {401, 403}:
        kinds = [WrongKeyError]
    return about.failed(kinds[0] if kinds else RefusedError, met)
