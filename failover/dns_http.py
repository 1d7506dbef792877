"""What DNS providers' HTTP interfaces have in common: one bounded exchange, its failures ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from failover.dns_errors import (
    BrokenAnswerError,
    ConflictError,
    DnsError,
    RateLimitedError,
    UnreachableError,
)
from failover.rrsets import RRsets, said, same_values

BODY_MAX_BYTES = 4 * 1024 * 1024
RETRY_AFTER_MAX_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom and what an exchange is about: where errors say they happened."""

    provider: str
    zone: str
    name: str = ""

    def failed(self, kind: type[DnsError], met: str) -> DnsError:
        """An error about it."""
        return kind(self.provider, self.zone, self.name, met)

    def compare(self, found: RRsets, expected: RRsets) -> None:
        """Raise ConflictError where somebody else has changed it since it was read."""
        if not same_values(found, expected):
            raise self.failed(ConflictError, f"expected {said(expected)}, found {said(found)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpApi:
    """A provider's base URL and how one is let in."""

    client: httpx.AsyncClient
    base: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    auth: httpx.Auth | None = field(default=None, repr=False)
    timeout_s: float = 3.0

    async def send(
        self,
        about: Subject,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Return the response, whatever its status; raises DnsError when there is none."""
        request = self.client.build_request(
            method,
            self.base.rstrip("/") + path,
            headers=dict(self.headers),
            content=content,
            params=params,
            timeout=self.timeout_s,
        )
        try:
            response = await self.client.send(request, auth=self.auth)
        except httpx.TimeoutException as error:
            met = f"{request.url.host} does not answer within {self.timeout_s:g} s"
            raise about.failed(UnreachableError, met) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            met = f"{request.url.host}: {error or type(error).__name__}"
            raise about.failed(UnreachableError, met) from error
        if response.status_code == 429:
            raise limited(about, response, "too many requests (429)")
        if response.status_code >= 500:
            raise about.failed(BrokenAnswerError, f"the API answers {response.status_code}")
        return response


def limited(about: Subject, response: httpx.Response, met: str) -> RateLimitedError:
    """The error for a refusal to be asked so often, with the time that the API names."""
    text = response.headers.get("Retry-After", "")
    wait_s = float(text) if text.isdecimal() else 1.0
    return RateLimitedError(
        about.provider, about.zone, about.name, met, retry_after_s=min(wait_s, RETRY_AFTER_MAX_S)
    )


def json_object(about: Subject, response: httpx.Response) -> dict[str, Any]:
    """The body as a JSON object; raises BrokenAnswerError."""
    try:
        found = json.loads(response.content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        met = f"the API answers {response.status_code} without a JSON object"
        raise about.failed(BrokenAnswerError, met)
    return found
