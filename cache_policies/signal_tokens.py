"""Tokens for realtime signals: who somebody is, which topics are theirs, and until when.

`1.EXPIRES.SUBJECT.TOPICS.MAC`: unix seconds, a pseudonym, topics or prefixes of them (`story:*`)
with commas between, and 16 bytes of HMAC-SHA256 over all before them, in base64url.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TOKEN_CHARS_MAX: Final = 512
MAC_BYTES: Final = 16
KEY_PURPOSE: Final = b"amaro realtime tokens 1"

_TOPIC: Final = r"[a-z]{1,16}:[A-Za-z0-9_-]{1,64}"
_PATTERN: Final = rf"(?:{_TOPIC}|[a-z]{{1,16}}:\*)"
_TOPIC_NAME: Final = re.compile(_TOPIC)
_TOKEN: Final = re.compile(
    rf"(1\.([0-9]{{1,12}})\.([A-Za-z0-9_-]{{1,64}})\.({_PATTERN}(?:,{_PATTERN})*))\.([\w-]{{22}})",
    re.ASCII,
)


class Refused(StrEnum):
    """Why a token gives nothing."""

    FORM = "token-form"
    FORGED = "token-forged"
    EXPIRED = "token-expired"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says. A topic that ends in `:*` stands for all of its kind."""

    subject: str
    topics: tuple[str, ...]
    expires_wall: float

    def allows(self, topic: str) -> bool:
        """Whether its bearer may join this topic."""
        return topic in self.topics or f"{topic.partition(':')[0]}:*" in self.topics


def is_topic(text: str) -> bool:
    """Whether this names one topic, as `story:8f3a` does."""
    return _TOPIC_NAME.fullmatch(text) is not None


def key_from(secret: str) -> bytes:
    """A key for these tokens only, from a secret that both sides share."""
    return hmac.digest(secret.encode(), KEY_PURPOSE, "sha256")


def mint(claims: Claims, key: bytes) -> str:
    """A token with these claims; raises ValueError when they cannot be said in one."""
    signed = f"1.{int(claims.expires_wall)}.{claims.subject}.{','.join(claims.topics)}"
    token = f"{signed}.{_mac(signed, key)}"
    if len(token) > TOKEN_CHARS_MAX or not _TOKEN.fullmatch(token):
        raise ValueError(f"these claims make no token: {signed!r}")
    return token


def verify(token: str, key: bytes, now_wall: float) -> Claims | Refused:
    """What a token says, or why it says nothing."""
    read = _TOKEN.fullmatch(token) if len(token) <= TOKEN_CHARS_MAX else None
    if read is None:
        return Refused.FORM
    signed, expires, subject, topics, mac = read.groups()
    if not hmac.compare_digest(mac, _mac(signed, key)):
        return Refused.FORGED
    claims = Claims(subject, tuple(topics.split(",")), float(expires))
    return claims if now_wall < claims.expires_wall else Refused.EXPIRED


def _mac(signed: str, key: bytes) -> str:
    mac = hmac.digest(key, signed.encode(), "sha256")[:MAC_BYTES]
    return urlsafe_b64encode(mac).rstrip(b"=").decode()
