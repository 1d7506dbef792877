"""Records changed by dynamic update (RFC 2136), signed with TSIG (RFC 8945)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
from dns.message import Message

from failover.dns_asking import Asker, NoAnswerError
from failover.dns_contract import ApiHealth
from failover.dns_errors import (
    BrokenAnswerError,
    ConflictError,
    DnsError,
    RefusedError,
    UnreachableError,
    WrongKeyError,
    WrongZoneError,
)
from failover.dns_records import rdataset
from failover.endpoint import Endpoint
from failover.rrsets import TYPES, RRsets, said, same_values

ALGORITHMS: Final = {
    "hmac-sha224": dns.tsig.HMAC_SHA224,
    "hmac-sha256": dns.tsig.HMAC_SHA256,
    "hmac-sha384": dns.tsig.HMAC_SHA384,
    "hmac-sha512": dns.tsig.HMAC_SHA512,
}
ERRORS: Final[dict[dns.rcode.Rcode, tuple[type[DnsError], str]]] = {  # RFC 2136 §2.2, RFC 8945 §5.2
    dns.rcode.REFUSED: (RefusedError, "the server refuses the update (REFUSED)"),
    dns.rcode.NOTAUTH: (WrongZoneError, "the server has no authority for the zone (NOTAUTH)"),
    dns.rcode.NOTZONE: (WrongZoneError, "the name is not inside the zone (NOTZONE)"),
    dns.rcode.NOTIMP: (RefusedError, "the server takes no updates (NOTIMP)"),
    dns.rcode.FORMERR: (RefusedError, "the server does not understand the update (FORMERR)"),
    dns.rcode.YXDOMAIN: (ConflictError, "the name has records that were not expected (YXDOMAIN)"),
    dns.rcode.YXRRSET: (ConflictError, "the name has records that were not expected (YXRRSET)"),
    dns.rcode.NXDOMAIN: (ConflictError, "the name lacks the expected records (NXDOMAIN)"),
    dns.rcode.NXRRSET: (ConflictError, "the name lacks the expected records (NXRRSET)"),
    dns.rcode.BADSIG: (WrongKeyError, "the server does not accept the signature (BADSIG)"),
    dns.rcode.BADKEY: (WrongKeyError, "the server does not know the key (BADKEY)"),
    dns.rcode.BADTIME: (WrongKeyError, "the server's clock is too far from this one (BADTIME)"),
}

Failed: TypeAlias = Callable[[type[DnsError], str], DnsError]


def tsig_key(secret: str) -> dns.tsig.Key:
    """Read `[ALGORITHM:]NAME:BASE64`, as `kdig -y` and knot's keymgr write it.

    Raises ValueError, which never shows the secret.
    """
    parts = secret.strip().split(":")
    if len(parts) == 2:
        parts.insert(0, "hmac-sha256")
    if len(parts) != 3 or parts[0].lower() not in ALGORITHMS:
        known = ", ".join(ALGORITHMS)
        raise ValueError(f"a TSIG key is written ALGORITHM:NAME:BASE64, with one of {known}")
    algorithm, name, encoded = parts
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError(f"the secret of TSIG key {name} is not base64") from error
    return dns.tsig.Key(dns.name.from_text(name), key, ALGORITHMS[algorithm.lower()])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rfc2136Adapter:
    """A primary server that takes updates. The server itself compares and sets (§2.4)."""

    provider: str
    server: Endpoint
    key: dns.tsig.Key = field(repr=False)
    asker: Asker
    ttl_min_s: int = 1

    async def read(self, zone: str, name: str) -> RRsets:
        """What the primary answers."""
        try:
            return await self.asker.rrsets(self.server, name)
        except NoAnswerError as error:
            wrong = WrongZoneError if _lacks_authority(error) else UnreachableError
            raise wrong(self.provider, zone, name, str(error)) from error

    async def replace(self, zone: str, name: str, expected: RRsets, wanted: RRsets) -> bool:
        """Change what differs in one update, under the condition that the name has `expected`."""
        if same_values(expected, wanted) and await self.read(zone, name) == wanted:
            return False
        owner = dns.name.from_text(name)
        if not owner.is_subdomain(dns.name.from_text(zone)):
            met = "the name is not inside the zone"
            raise WrongZoneError(self.provider, zone, name, met)
        try:
            await self._update(zone, name, replacing(zone, name, expected, wanted, self.key))
        except ConflictError as error:
            found = await self.read(zone, name)
            if found == wanted:
                return False  # an earlier attempt, whose answer was lost, did it
            met = f"{error.met}: expected {said(expected)}, found {said(found)}"
            raise ConflictError(self.provider, zone, name, met) from error
        if is_new_alias(expected, wanted) and await self.read(zone, name) != wanted:
            await self._update(zone, name, replacing(zone, name, (), expected, self.key))
            met = "the server ignores a CNAME beside records of other types (RFC 2136 §3.4.2.2)"
            raise RefusedError(self.provider, zone, name, f"{met}; the old records are back")
        return True

    async def check(self, zone: str) -> ApiHealth:
        """Send an update that changes nothing: key, zone and the right to update are tried."""
        update = dns.update.UpdateMessage(zone, keyring=self.key)
        update.present(dns.name.from_text(zone), dns.rdatatype.SOA)
        await self._update(zone, "", update)
        return ApiHealth(zone_said=zone, detail=f"{self.server} accepts signed updates")

    async def _update(self, zone: str, name: str, update: Message) -> None:
        def failed(kind: type[DnsError], met: str) -> DnsError:
            return kind(self.provider, zone, name, met)

        try:
            answer = await self.asker.send(self.server, update)
        except NoAnswerError as error:
            raise failed(UnreachableError, str(error)) from error
        except (dns.tsig.BadSignature, dns.tsig.BadTime, dns.tsig.PeerError) as error:
            raise failed(WrongKeyError, _tsig_words(error)) from error
        except dns.exception.DNSException as error:
            # Whoever has not the zone does not sign that it has not: such an answer proves nothing.
            await self._expect_authority(zone, failed)
            raise failed(BrokenAnswerError, f"{self.server}: {error}") from error
        _judge(answer, failed)

    async def _expect_authority(self, zone: str, failed: Failed) -> None:
        try:
            await self.asker.rrsets(self.server, zone)
        except NoAnswerError as error:
            raise failed(WrongZoneError, str(error)) from error


def is_new_alias(expected: RRsets, wanted: RRsets) -> bool:
    """Whether a name becomes a CNAME, which stands alone."""
    return "CNAME" in {each.type for each in wanted} - {each.type for each in expected}


def replacing(
    zone: str, name: str, expected: RRsets, wanted: RRsets, key: dns.tsig.Key
) -> dns.update.UpdateMessage:
    """One update: all types are as expected, and are then what is wanted (RFC 2136 §2.4, §2.5)."""
    update = dns.update.UpdateMessage(zone, keyring=key)
    owner = dns.name.from_text(name)
    before = {each.type: each for each in expected}
    after = {each.type: each for each in wanted}
    for kind in TYPES:
        if kind in before:
            update.present(owner, rdataset(before[kind], 0))  # a TTL is none of it (§2.4.2)
        else:
            update.absent(owner, kind)
    # What goes comes first: a CNAME beside addresses would be ignored (§3.4.2.2).
    for kind in TYPES:
        if kind in before and before[kind] != after.get(kind):
            update.delete(owner, kind)
    for kind in TYPES:
        if kind in after and before.get(kind) != after[kind]:
            update.add(owner, rdataset(after[kind], after[kind].ttl_s))
    return update


def _judge(answer: Message, failed: Failed) -> None:
    rcode = answer.rcode()
    if rcode != dns.rcode.NOERROR:
        kind, met = ERRORS.get(
            rcode, (BrokenAnswerError, f"the server answers {dns.rcode.to_text(rcode)}")
        )
        raise failed(kind, met)
    if not answer.had_tsig:
        raise failed(BrokenAnswerError, "the answer to a signed update is not signed")


def _tsig_words(error: Exception) -> str:
    words: dict[type[Exception], str] = {
        dns.tsig.PeerBadKey: ERRORS[dns.rcode.BADKEY][1],
        dns.tsig.PeerBadSignature: ERRORS[dns.rcode.BADSIG][1],
        dns.tsig.PeerBadTime: ERRORS[dns.rcode.BADTIME][1],
    }
    return words.get(type(error), f"the answer's signature is wrong: {error}")


def _lacks_authority(error: NoAnswerError) -> bool:
    return "authority" in str(error) or "REFUSED" in str(error) or "NOTAUTH" in str(error)
