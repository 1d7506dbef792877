"""In which region and network a player is: what a trusted provider says, what its address is in.

Where neither tells a region, it is the edge's own.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from cache_policies.message import Fields
from edge.clients import TrustedProxies
from edge.network_table import NUMBER_MAX, NetworkTable
from edge.settings import EdgeSettings

NOWHERE: Final = "here"  # of an edge that was given no region
_REGION: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9-]{0,31}")
_NUMBER: Final = re.compile(rb"(?:[Aa][Ss])?([1-9][0-9]{0,9})")

Countries: TypeAlias = Callable[[str], str | None]
"""The country (ISO 3166-1, two letters) of an address, None when it has none."""


class ByNetwork(NamedTuple):
    """What tells networks: a provider's field, and a table of addresses."""

    field: bytes = b""
    table: NetworkTable | None = None


class Whereabouts:
    """Tells regions and networks from requests; fields are lower-cased names, of a provider's."""

    def __init__(
        self,
        own: str,
        proxies: TrustedProxies,
        field: bytes = b"",
        countries: Countries | None = None,
        networks: ByNetwork = ByNetwork(),  # noqa: B008 it cannot be changed
    ) -> None:
        self._own = own or NOWHERE
        self._proxies = proxies
        self._field = field
        self._countries = countries
        self._networks = networks
        self.has_networks = bool(networks.field) or networks.table is not None

    def region(self, address: bytes, fields: Fields) -> str:
        """The region in lower case; a field counts only on a trusted proxy's connection."""
        return self._told(address, fields) or self._looked_up(address, fields) or self._own

    def network(self, address: bytes, fields: Fields) -> int | None:
        """The number of the player's autonomous system, None where nobody knows it."""
        field, table = self._networks
        said = _NUMBER.fullmatch(self._said(field, address, fields) or b"")
        if said is not None and int(said[1]) <= NUMBER_MAX:
            return int(said[1])
        return None if table is None else table.number(self.client(address, fields))

    def client(self, address: bytes, fields: Fields) -> str:
        """The player's address, as far as it is known."""
        return self._proxies.client(address, fields).decode("latin-1")

    def _said(self, field: bytes, address: bytes, fields: Fields) -> bytes | None:
        """A field that a trusted proxy sends once."""
        if not field or not self._proxies.trusts(address):
            return None
        said = [value for name, value in fields if name == field]
        return said[0] if len(said) == 1 else None

    def _told(self, address: bytes, fields: Fields) -> str | None:
        said = self._said(self._field, address, fields)
        return said.decode().lower() if said and _REGION.fullmatch(said) else None

    def _looked_up(self, address: bytes, fields: Fields) -> str | None:
        country = self._countries and self._countries(self.client(address, fields))
        return country.lower() if country else None


def whereabouts_of(
    settings: EdgeSettings, proxies: TrustedProxies, networks: NetworkTable | None = None
) -> Whereabouts:
    """As the settings have it."""
    countries: Countries | None = None
    if settings.geoip:
        from iptocc import country_code as countries  # noqa: PLC0415 its table takes 2 MB
    return Whereabouts(
        settings.region,
        proxies,
        settings.region_header.lower().encode(),
        countries,
        ByNetwork(settings.network_header.lower().encode(), networks),
    )
