"""What an access token opens of realtime signals: its prefix is `/signals/SUBJECT/TOPICS/`.

So signals and videos have one format, one ring, one rotation and one revocation. TOPICS are names
of topics, or `story:*` for all of a kind, with commas between.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import Final

from cache_policies.access import Denial, Grant, mint, verify
from cache_policies.access_ring import AccessKey, Ring

LEAD: Final = "/signals/"
KEY_ID: Final = b"shared"  # of a secret that both sides have, where there is no ring
KEY_PURPOSE: Final = b"amaro realtime tokens 1"

_TOPIC: Final = r"[a-z]{1,16}:[A-Za-z0-9_-]{1,64}"
_PATTERN: Final = rf"(?:{_TOPIC}|[a-z]{{1,16}}:\*)"
_TOPIC_NAME: Final = re.compile(_TOPIC)
_PREFIX: Final = re.compile(
    rf"{LEAD}(?P<subject>[A-Za-z0-9_-]{{1,64}})/(?P<topics>{_PATTERN}(?:,{_PATTERN})*)/", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Claims:
    """Who somebody is, and until when which topics are theirs."""

    subject: str
    topics: tuple[str, ...]
    expires_wall: float

    def allows(self, topic: str) -> bool:
        """Whether its bearer may join this topic."""
        return topic in self.topics or f"{topic.partition(':')[0]}:*" in self.topics


def is_topic(text: str) -> bool:
    """Whether this names one topic, as `story:8f3a` does."""
    return _TOPIC_NAME.fullmatch(text) is not None


def shared_ring(secret: str) -> Ring:
    """The ring of those who have no access keys, but a secret that both sides share."""
    key = hmac.digest(secret.encode(), KEY_PURPOSE, "sha256")
    return Ring({KEY_ID: AccessKey(KEY_ID, key)}, version=KEY_ID.decode())


def mint_signals(ring: Ring, claims: Claims, now_wall: float) -> str:
    """A token with these claims; raises ValueError when they cannot be said in one."""
    prefix = f"{LEAD}{claims.subject}/{','.join(claims.topics)}/"
    if _PREFIX.fullmatch(prefix) is None:
        raise ValueError(f"these claims make no token: {prefix!r}")
    return mint(ring, Grant(prefix.encode(), int(claims.expires_wall)), now_wall).decode()


def verify_signals(
    ring: Ring, token: str, now_wall: float, *, region: str = "", client: bytes = b""
) -> Claims | Denial:
    """What a token opens for a client of a region's hub, or why nothing."""
    if not token.isascii():
        return Denial.MALFORMED
    grant = verify(ring, token.encode(), now_wall)
    if isinstance(grant, Denial):
        return grant
    read = _PREFIX.fullmatch(grant.prefix.decode("latin-1"))
    if read is None:
        return Denial.PREFIX
    if grant.region not in (b"", region.encode()):
        return Denial.REGION
    if not grant.is_for(client):
        return Denial.CLIENT
    topics = tuple(read["topics"].split(","))
    return Claims(read["subject"], topics, grant.expires_wall + ring.grace_s)
