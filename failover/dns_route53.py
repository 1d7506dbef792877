"""Records changed through Amazon Route 53's API (2013-04-01, XML, Signature Version 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

import httpx
from httpx_auth import AWS4Auth

from failover.dns_contract import ApiHealth
from failover.dns_errors import (
    BrokenAnswerError,
    ConflictError,
    DnsError,
    RefusedError,
    WrongKeyError,
    WrongZoneError,
)
from failover.dns_http import HttpApi, Subject, limited
from failover.rrsets import TYPES, RRset, RRsets, absolute, rrset

BASE: Final = "https://route53.amazonaws.com"
REGION: Final = "us-east-1"  # where Route 53 is, wherever one asks from
NAMESPACE: Final = "https://route53.amazonaws.com/doc/2013-04-01/"
ITEMS_MAX: Final = "300"  # of one page; a name's own RRsets come first on it
THROTTLED: Final = frozenset({"Throttling", "ThrottlingException", "PriorRequestNotComplete"})
ERRORS: Final[dict[str, type[DnsError]]] = {
    "NoSuchHostedZone": WrongZoneError,
    "InvalidClientTokenId": WrongKeyError,
    "SignatureDoesNotMatch": WrongKeyError,
    "UnrecognizedClient": WrongKeyError,
    "UnrecognizedClientException": WrongKeyError,
    "AuthFailure": WrongKeyError,
    "ExpiredToken": WrongKeyError,
    "RequestExpired": WrongKeyError,
    "MissingAuthenticationToken": WrongKeyError,
    "IncompleteSignature": WrongKeyError,
    "AccessDenied": WrongKeyError,
    "AccessDeniedException": WrongKeyError,
}


def credentials(secret: str) -> AWS4Auth:
    """Read `ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]`; or raise ValueError."""
    parts = secret.strip().split(":", 2)
    if len(parts) < 2 or not all(parts):
        raise ValueError("a Route 53 credential is written ACCESS_KEY_ID:SECRET_ACCESS_KEY")
    session = {"security_token": parts[2]} if len(parts) == 3 else {}
    return AWS4Auth(parts[0], parts[1], REGION, "route53", **session)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route53Adapter:
    """A hosted zone. A batch of DELETE and CREATE is its compare-and-set.

    A DELETE that is not exactly what is there fails, and with it the whole batch.
    """

    provider: str
    api: HttpApi
    zone_id: str
    ttl_min_s: int = 1

    async def read(self, zone: str, name: str) -> RRsets:
        """What the hosted zone has for the name, simple records only."""
        about = Subject(provider=self.provider, zone=zone, name=name)
        return _of_listing(about, await self._ask(about, "GET", "/rrset", params=_from(name)))

    async def replace(self, zone: str, name: str, expected: RRsets, wanted: RRsets) -> bool:
        """Change what differs in one batch, if the name still has `expected`."""
        found = await self.read(zone, name)
        if found == wanted:
            return False
        about = Subject(provider=self.provider, zone=zone, name=name)
        about.compare(found, expected)
        await self._ask(about, "POST", "/rrset", content=change_batch(name, found, wanted))
        return True

    async def check(self, zone: str) -> ApiHealth:
        """Ask for the hosted zone."""
        about = Subject(provider=self.provider, zone=zone)
        found = await self._ask(about, "GET", "")
        name = _text(found, f"{{{NAMESPACE}}}HostedZone/{{{NAMESPACE}}}Name")
        if name != absolute(zone):
            raise about.failed(WrongZoneError, f"zone_id {self.zone_id} is {name or 'nothing'}")
        return ApiHealth(zone_said=name, detail=f"hosted zone {self.zone_id}")

    async def _ask(
        self,
        about: Subject,
        method: str,
        rest: str,
        *,
        params: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> ET.Element:
        path = f"/2013-04-01/hostedzone/{self.zone_id}{rest}"
        response = await self.api.send(about, method, path, params=params, content=content)
        found = _xml(about, response)
        if response.status_code >= 300:
            raise _refusal(about, response, found)
        return found


def change_batch(name: str, found: RRsets, wanted: RRsets) -> bytes:
    """The body of ChangeResourceRecordSets: what goes, then what comes."""
    root = ET.Element("ChangeResourceRecordSetsRequest", xmlns=NAMESPACE)
    changes = ET.SubElement(ET.SubElement(root, "ChangeBatch"), "Changes")
    gone = [("DELETE", each) for each in found if each not in wanted]
    new = [("CREATE", each) for each in wanted if each not in found]
    for action, each in gone + new:
        change = ET.SubElement(changes, "Change")
        ET.SubElement(change, "Action").text = action
        item = ET.SubElement(change, "ResourceRecordSet")
        ET.SubElement(item, "Name").text = absolute(name)
        ET.SubElement(item, "Type").text = each.type
        ET.SubElement(item, "TTL").text = str(each.ttl_s)
        records = ET.SubElement(item, "ResourceRecords")
        for value in each.values:
            record = ET.SubElement(records, "ResourceRecord")
            ET.SubElement(record, "Value").text = value
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _from(name: str) -> dict[str, str]:
    return {"name": absolute(name), "maxitems": ITEMS_MAX}


def _of_listing(about: Subject, listing: ET.Element) -> RRsets:
    """The name's RRsets of a listing, which goes on with the names behind it."""
    found = []
    for item in listing.iter(f"{{{NAMESPACE}}}ResourceRecordSet"):
        fields = {each.tag.rpartition("}")[2]: each for each in item}
        owner, kind = fields["Name"].text or "", fields["Type"].text or ""
        if absolute(owner) != absolute(about.name) or kind not in TYPES:
            continue
        strange = {"AliasTarget", "SetIdentifier"} & fields.keys()
        if strange:
            met = f"its {kind} records are of another kind ({', '.join(sorted(strange))})"
            raise about.failed(RefusedError, met)
        found.append(_rrset(about, kind, fields))
    return tuple(sorted(found))


def _rrset(about: Subject, kind: str, fields: dict[str, ET.Element]) -> RRset:
    values: Iterator[str] = (each.text or "" for each in fields["ResourceRecords"].iter(_VALUE))
    known = next(each for each in TYPES if each == kind)
    try:
        return rrset(known, int(fields["TTL"].text or ""), values)
    except (KeyError, ValueError) as error:
        raise about.failed(BrokenAnswerError, f"a record that is none: {error}") from error


_VALUE: Final = f"{{{NAMESPACE}}}Value"


def _xml(about: Subject, response: httpx.Response) -> ET.Element:
    try:
        return ET.fromstring(response.content)  # noqa: S314 - expat bounds what entities become
    except ET.ParseError as error:
        met = f"the API answers {response.status_code} without XML"
        raise about.failed(BrokenAnswerError, met) from error


def _refusal(about: Subject, response: httpx.Response, found: ET.Element) -> DnsError:
    parts: dict[str, list[str]] = {}
    for each in found.iter():
        if each.text and each.text.strip():
            parts.setdefault(each.tag.rpartition("}")[2], []).append(each.text.strip())
    code = parts.get("Code", ["InvalidChangeBatch" if "InvalidChangeBatch" in found.tag else ""])[0]
    words = "; ".join(parts.get("Message", []))
    met = f"{code or response.status_code}: {words}"
    if code in THROTTLED:
        return limited(about, response, met)
    if code == "InvalidChangeBatch" and _lost_race(words):
        return about.failed(ConflictError, met)
    return about.failed(ERRORS.get(code, RefusedError), met)


def _lost_race(words: str) -> bool:
    """Whether a batch was refused because the records have changed since they were read."""
    return (
        "but it was not found" in words
        or "values provided do not match" in words
        or ("but it already exists" in words)
    )


def _text(found: ET.Element, path: str) -> str:
    item = found.find(path)
    return (item.text or "") if item is not None else ""
