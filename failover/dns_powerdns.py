"""Records changed through PowerDNS' HTTP API (Authoritative Server 4.x, `/api/v1`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx

from failover.dns_contract import ApiHealth
from failover.dns_errors import (
    BrokenAnswerError,
    RefusedError,
    WrongKeyError,
    WrongZoneError,
)
from failover.dns_http import HttpApi, Subject, json_object
from failover.rrsets import TYPES, RRset, RRsets, absolute, rrset

SERVER: Final = "/api/v1/servers/localhost"
REFUSALS: Final = {
    401: (WrongKeyError, "the API key is not accepted (401)"),
    403: (WrongKeyError, "the API key is not accepted (403)"),
    404: (WrongZoneError, "the server has no such zone (404)"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerDnsAdapter:
    """A PowerDNS server. One PATCH is one transaction, but the API has no condition.

    So records are compared just before they are set; between the two only the controller's lease
    keeps another writer away.
    """

    provider: str
    api: HttpApi
    ttl_min_s: int = 1

    async def read(self, zone: str, name: str) -> RRsets:
        """What the server's database has for the name."""
        about = Subject(provider=self.provider, zone=zone, name=name)
        found = await self._zone(about, rrset_name=absolute(name))
        try:
            return tuple(sorted(_rrset(each) for each in found["rrsets"] if _is_ours(each, name)))
        except (KeyError, TypeError, ValueError) as error:
            raise about.failed(BrokenAnswerError, f"an RRset without {error}") from error

    async def replace(self, zone: str, name: str, expected: RRsets, wanted: RRsets) -> bool:
        """Set what differs in one transaction, if the name still has `expected`."""
        found = await self.read(zone, name)
        if found == wanted:
            return False
        about = Subject(provider=self.provider, zone=zone, name=name)
        about.compare(found, expected)
        body = json.dumps({"rrsets": changes(name, found, wanted)}).encode()
        _judge(about, await self.api.send(about, "PATCH", _path(zone), content=body))
        return True

    async def check(self, zone: str) -> ApiHealth:
        """Ask for the zone without its records."""
        about = Subject(provider=self.provider, zone=zone)
        found = await self._zone(about, rrsets="false")
        if found.get("name") != absolute(zone):
            raise about.failed(WrongZoneError, f"the API speaks of {found.get('name')!r}")
        detail = f"{found.get('kind')}, serial {found.get('serial')}"
        return ApiHealth(zone_said=str(found["name"]), detail=detail)

    async def _zone(self, about: Subject, **params: str) -> dict[str, Any]:
        response = await self.api.send(about, "GET", _path(about.zone), params=params)
        _judge(about, response)
        return json_object(about, response)


def changes(name: str, found: RRsets, wanted: RRsets) -> list[dict[str, Any]]:
    """The `rrsets` of a PATCH; what goes comes first, so that a CNAME never meets addresses."""
    owner = absolute(name)
    kept = {each.type for each in wanted}
    gone = [
        {"name": owner, "type": each.type, "changetype": "DELETE"}
        for each in found
        if each.type not in kept
    ]
    new = [
        {
            "name": owner,
            "type": each.type,
            "changetype": "REPLACE",
            "ttl": each.ttl_s,
            "records": [{"content": value, "disabled": False} for value in each.values],
        }
        for each in wanted
        if each not in found
    ]
    return gone + new


def _path(zone: str) -> str:
    return f"{SERVER}/zones/{quote(absolute(zone), safe='.')}"


def _is_ours(item: dict[str, Any], name: str) -> bool:
    # Servers before 4.8 do not know `rrset_name` and answer with the whole zone.
    return absolute(str(item["name"])) == absolute(name) and item["type"] in TYPES


def _rrset(item: dict[str, Any]) -> RRset:
    values = [each["content"] for each in item["records"] if not each.get("disabled")]
    return rrset(item["type"], int(item["ttl"]), values)


def _judge(about: Subject, response: httpx.Response) -> None:
    status = response.status_code
    if status < 300:
        return
    kind, met = REFUSALS.get(status, (RefusedError, f"the API answers {status}"))
    raise about.failed(kind, f"{met}{_reason(response)}")


def _reason(response: httpx.Response) -> str:
    """The server's own words, if it has some."""
    try:
        found = response.json()
    except ValueError:
        return ""
    error = found.get("error") if isinstance(found, dict) else None
    return f": {error}" if error else ""
