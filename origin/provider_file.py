"""The file of providers in front: which there are, and where their tokens are found."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cache_policies.complaints import Complaint, Place, PolicyFileError
from cache_policies.source import Source, read_source, short
from origin import cloudflare, fastly
from origin.cloudflare import Cloudflare
from origin.fastly import Fastly
from origin.provider_calls import Adapter, Site

if TYPE_CHECKING:
    from collections.abc import Callable

PROVIDERS_MAX: Final = 8
SITES_MAX: Final = 8

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


def _site(value: object) -> object:
    parts = _split(value)
    if parts is None or parts.path not in ("", "/") or parts.query or parts.username:
        raise ValueError("want https://host, as players have it, without a path")
    return Site(parts.scheme, parts.netloc.lower())


def _api(value: object) -> object:
    parts = _split(value)
    if parts is None or parts.query or parts.username:
        raise ValueError("want https://host")
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise ValueError("want https: a token goes there")
    return str(value).rstrip("/")


def _split(value: object) -> Any:
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        return None
    known = parts is not None and parts.scheme in ("http", "https") and parts.hostname
    return parts if known else None


def _variable(value: object) -> object:
    if not isinstance(value, str) or _ENV_NAME.fullmatch(value) is None:
        raise ValueError("want the name of an environment variable")
    return value


_Sites = Annotated[tuple[Annotated[Site, BeforeValidator(_site)], ...], Field(max_length=SITES_MAX)]
_Api = Annotated[str, BeforeValidator(_api)]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
_Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{8,64}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class TokenSource(_Model):
    """Where a token is found; never the token itself."""

    env: Annotated[str, BeforeValidator(_variable)] | None = None
    file: str | None = None


class _Provider(_Model):
    name: _Name
    sites: _Sites
    token: TokenSource


class _OfCloudflare(_Provider):
    kind: Literal["cloudflare"]
    zone: _Identifier
    batch: Annotated[int, Field(ge=1, le=cloudflare.BATCH_MAX)] = cloudflare.BATCH
    api: _Api = cloudflare.API

    def adapter(self) -> Adapter:
        return Cloudflare(zone=self.zone, sites=self.sites, batch=self.batch)


class _OfFastly(_Provider):
    kind: Literal["fastly"]
    service: _Identifier
    batch: Annotated[int, Field(ge=1, le=fastly.BATCH_MAX)] = fastly.BATCH
    api: _Api = fastly.API

    def adapter(self) -> Adapter:
        return Fastly(service=self.service, sites=self.sites, batch=self.batch)


class _Document(_Model):
    providers: Annotated[
        tuple[Annotated[_OfCloudflare | _OfFastly, Field(discriminator="kind")], ...],
        Field(max_length=PROVIDERS_MAX),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """One provider in front, as its operator describes it."""

    name: str
    api: str
    adapter: Adapter
    token: TokenSource


def load_providers(
    text: bytes, name: str, *, why_no_token: Callable[[TokenSource], str | None]
) -> tuple[ProviderSettings, ...]:
    """Return the providers in `text`. Raises PolicyFileError with everything that is wrong.

    `why_no_token` says what is wrong with where a token should be, None when it is there.
    """
    source = read_source(text, name)
    if source.value is None:
        raise PolicyFileError(name, [Complaint(Place(), "write `providers:` and a list")])
    try:
        document = _Document.model_validate_json(json.dumps(source.value))
    except ValidationError as error:
        said = sorted({_complaint(source, each) for each in error.errors()})
        raise PolicyFileError(name, said) from None
    complaints = []
    if not document.providers:
        complaints.append(Complaint(source.place(("providers",)), "`providers`: is empty"))
    first: dict[str, int] = {}
    for no, provider in enumerate(document.providers):
        if first.setdefault(provider.name, no) != no:
            place = source.place(("providers", no, "name"))
            complaints.append(Complaint(place, f"a second provider `{provider.name}`"))
        if not provider.sites:
            complaints.append(
                Complaint(source.place(("providers", no, "sites")), "`sites`: is empty")
            )
        given = [each for each in (provider.token.env, provider.token.file) if each is not None]
        why = why_no_token(provider.token) if len(given) == 1 else "want either env or file"
        if why is not None:
            complaints.append(
                Complaint(source.place(("providers", no, "token")), f"`token`: {why}")
            )
    if complaints:
        raise PolicyFileError(name, sorted(complaints))
    return tuple(
        ProviderSettings(name=each.name, api=each.api, adapter=each.adapter(), token=each.token)
        for each in document.providers
    )


_WANTED: Final = {
    "extra_forbidden": "unknown key",
    "missing": "is missing",
    "string_type": "want text",
    "int_type": "want a whole number",
    "int_from_float": "want a whole number",
    "tuple_type": "want a list",
    "string_pattern_mismatch": "want letters and digits, as the provider's console shows it",
}


def _complaint(source: Source, error: Any) -> Complaint:
    """What to say of one value; what was given is never said: it may be a token."""
    path = tuple(part for part in error["loc"] if part not in ("cloudflare", "fastly"))
    place = source.place(path)
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    if error["type"].startswith("union_tag_"):
        key, wanted = "kind", "want cloudflare or fastly"
    elif key == "token" and error["type"] != "missing":
        wanted = "want {env: NAME} or {file: PATH}: a secret does not belong in here"
    elif error["type"] == "value_error":
        wanted = str(error["ctx"]["error"])
    elif key == "name" and error["type"] == "string_pattern_mismatch":
        wanted = "1 to 32 characters of a-z, 0-9 and '-'"
    else:
        said = error["msg"]
        wanted = _WANTED.get(error["type"]) or said[:1].lower() + said[1:]
    return Complaint(place, f"`{short(key)}`: {wanted}" if key else wanted)
