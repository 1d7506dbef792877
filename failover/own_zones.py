"""The name server of a member, from its command line: files of zones, and whom it follows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.name
from dns.name import Name

from failover.dns_rfc2136 import tsig_key
from failover.endpoint import Endpoint, endpoint
from failover.own_dns import OwnDnsSettings
from failover.zone import Zone
from failover.zone_file import ZoneFileError, parse_zone


class OwnZonesError(Exception):
    """A zone cannot be served so; the message names file and line, or the option."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnZones:
    """What a person writes."""

    listen: str
    zones: tuple[str, ...] = ()  # ORIGIN=FILE
    follow: tuple[str, ...] = ()  # ORIGIN=HOST:PORT of its primary
    notify: tuple[str, ...] = ()  # HOST:PORT of secondaries
    key_file: Path | None = None

    def settings(self) -> OwnDnsSettings:
        """Read it all. Raises OwnZonesError."""
        try:
            key = None if self.key_file is None else tsig_key(self.key_file.read_text())
            if self.follow and key is None:
                raise OwnZonesError("--dns-follow needs --dns-key-file: transfers are signed")
            return OwnDnsSettings(
                listen=endpoint(self.listen),
                zones=[_zone(text) for text in self.zones],
                followed=[_followed(text) for text in self.follow],
                notify=[endpoint(text) for text in self.notify],
                key=key,
            )
        except OSError as error:
            raise OwnZonesError(f"{error.filename}: {error.strerror}") from None
        except (ValueError, ZoneFileError) as error:
            raise OwnZonesError(str(error)) from None


def _zone(text: str) -> Zone:
    origin, path = _named(text, "--zone", "FILE")
    return parse_zone(Path(path).read_text(), origin.to_text(), path)


def _followed(text: str) -> tuple[Name, Endpoint]:
    origin, server = _named(text, "--dns-follow", "HOST:PORT")
    return origin, endpoint(server)


def _named(text: str, option: str, what: str) -> tuple[Name, str]:
    origin, equals, rest = text.partition("=")
    try:
        if not equals or not rest:
            raise ValueError
        return dns.name.from_text(origin), rest
    except (ValueError, dns.exception.DNSException):
        raise OwnZonesError(f"{option} {text}: want ZONE={what}, as example.org={what}") from None
