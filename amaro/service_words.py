"""The words of `configs/services`: one kind of value each, read strictly, with what is wanted."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cache_policies.durations import parse_duration
from cache_policies.quantities import parse_bandwidth

LIST_MAX: Final = 64  # of any list in these files

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?){1,32}(?::\d{1,5})?")
_PLAYERS_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?){1,32}")
_DNS_NAME = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.){1,32}")
_PATTERN = re.compile(r"/[\x21-\x7e]{0,255}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


class Strict(BaseModel):
    """A mapping that has these keys and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _form(form: re.Pattern[str], wanted: str) -> BeforeValidator:
    def read(value: object) -> str:
        if not isinstance(value, str) or form.fullmatch(value) is None:
            raise ValueError(f"want {wanted}")
        return value

    return BeforeValidator(read)


def _duration(value: object) -> float:
    seconds = parse_duration(value)
    if seconds <= 0.0:
        raise ValueError("want more than 0s")
    return seconds


def _url(*schemes: str) -> BeforeValidator:
    def read(value: object) -> str:
        wanted = f"want {' or '.join(f'{each}://host' for each in schemes)}"
        try:
            parts = urlsplit(value) if isinstance(value, str) else None
            if parts is None or parts.scheme not in schemes:
                raise ValueError(wanted)
            if not (parts.path if parts.scheme == "sqlite" else parts.hostname):
                raise ValueError(wanted)
            parts.port  # noqa: B018 raises for one that is none
        except ValueError:
            raise ValueError(wanted) from None
        if parts.username or parts.password:
            raise ValueError("want no user and no password in a URL; name a credential")
        return str(value)

    return BeforeValidator(read)


def _address(value: object) -> str:
    """IP[:PORT], [IPv6]:PORT: a server that must be found when no name can be resolved."""
    text = value if isinstance(value, str) else ""
    host, _, port = text.removeprefix("[").rpartition(":") if _has_port(text) else (text, "", "53")
    try:
        ipaddress.ip_address(host.removesuffix("]"))
        if not 0 < int(port) < 65_536:
            raise ValueError
    except ValueError:
        raise ValueError("want an address, as 192.0.2.53 or [2001:db8::53]:53; no name") from None
    return text


def _has_port(text: str) -> bool:
    return text.startswith("[") or text.count(":") == 1


def _network(value: object) -> str:
    try:
        return str(ipaddress.ip_network(str(value)))
    except ValueError:
        raise ValueError("want a network, as 104.16.0.0/13") from None


Name = Annotated[str, _form(_NAME, "1 to 64 letters, digits, '.', '-' or '_'")]
HostName = Annotated[str, _form(_HOST, "a host, as media.example.org or 127.0.0.2:8443")]
PlayersHost = Annotated[
    str, _form(_PLAYERS_HOST, "a host without a port: players keep that of the playlist")
]
DnsName = Annotated[str, _form(_DNS_NAME, "an absolute name, as media.example.org. with its dot")]
PathPattern = Annotated[str, _form(_PATTERN, "a path, as /v/*/main.m3u8")]
Sha256 = Annotated[str, _form(_SHA256, "64 hexadecimal digits, as sha256sum prints them")]
Variable = Annotated[str, _form(_VARIABLE, "the name of an environment variable")]
Duration = Annotated[float, BeforeValidator(_duration)]
Mbps = Annotated[float, BeforeValidator(lambda value: parse_bandwidth(value) * 8 / 1e6)]
HttpUrl = Annotated[str, _url("http", "https")]
ProbeUrl = Annotated[str, _url("http", "https", "tcp", "tls")]
LeaseUrl = Annotated[str, _url("redis", "rediss", "sqlite", "postgresql")]
ServerAddress = Annotated[str, BeforeValidator(_address)]
Network = Annotated[str, BeforeValidator(_network)]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000)]
Names = Annotated[tuple[Name, ...], Field(max_length=LIST_MAX)]
ServerAddresses = Annotated[tuple[ServerAddress, ...], Field(max_length=LIST_MAX)]
