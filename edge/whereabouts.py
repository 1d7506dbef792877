"""In which region a player is: what a trusted provider says, else where this edge stands."""

import re
from typing import Final

from cache_policies.message import Fields
from edge.clients import TrustedProxies

NOWHERE: Final = "here"  # of an edge that was given no region
_REGION: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9-]{0,31}")


class Whereabouts:
    """Tells regions from requests; `field` is the lower-cased name of a provider's header field."""

    def __init__(self, own: str, proxies: TrustedProxies, field: bytes = b"") -> None:
        self._own = own or NOWHERE
        self._proxies = proxies
        self._field = field

    def region(self, address: bytes, fields: Fields) -> str:
        """The region in lower case; a field counts only on a trusted proxy's connection."""
        if not self._field or not self._proxies.trusts(address):
            return self._own
        said = [value for name, value in fields if name == self._field]
        if len(said) != 1 or _REGION.fullmatch(said[0]) is None:
            return self._own
        return said[0].decode().lower()
