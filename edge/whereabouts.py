"""In which region a player is: what a trusted provider says, its country, or where the edge is."""

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from cache_policies.message import Fields
from edge.clients import TrustedProxies
from edge.settings import EdgeSettings

NOWHERE: Final = "here"  # of an edge that was given no region
_REGION: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9-]{0,31}")

Countries: TypeAlias = Callable[[str], str | None]
"""The country (ISO 3166-1, two letters) of an address, None when it has none."""


class Whereabouts:
    """Tells regions from requests; `field` is the lower-cased name of a provider's header field."""

    def __init__(
        self,
        own: str,
        proxies: TrustedProxies,
        field: bytes = b"",
        countries: Countries | None = None,
    ) -> None:
        self._own = own or NOWHERE
        self._proxies = proxies
        self._field = field
        self._countries = countries

    def region(self, address: bytes, fields: Fields) -> str:
        """The region in lower case; a field counts only on a trusted proxy's connection."""
        return self._told(address, fields) or self._looked_up(address, fields) or self._own

    def _told(self, address: bytes, fields: Fields) -> str | None:
        if not self._field or not self._proxies.trusts(address):
            return None
        said = [value for name, value in fields if name == self._field]
        if len(said) != 1 or _REGION.fullmatch(said[0]) is None:
            return None
        return said[0].decode().lower()

    def _looked_up(self, address: bytes, fields: Fields) -> str | None:
        if self._countries is None:
            return None
        country = self._countries(self._proxies.client(address, fields).decode("latin-1"))
        return country.lower() if country else None


def whereabouts_of(settings: EdgeSettings, proxies: TrustedProxies) -> Whereabouts:
    """As the settings have it."""
    countries: Countries | None = None
    if settings.geoip:
        from iptocc import country_code as countries  # noqa: PLC0415 its table takes 2 MB
    field = settings.region_header.lower().encode()
    return Whereabouts(settings.region, proxies, field, countries)
