"""Who may come to the hub: by path, by the page's origin, and for whom a proxy speaks."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from websockets.http11 import Request

from edge.clients import TrustedProxies
from edge.realtime.passage import PATH

ANY: Final = "*"


class Plain(NamedTuple):
    """An answer that opens no WebSocket."""

    status: HTTPStatus
    text: str


class Visitors:
    """Pages of the allowed origins, pages of this very host, and programs, which send no Origin.

    A page elsewhere could not use its reader's rights here, for these are in a token and not in a
    cookie; what it could do is have its readers' browsers open connections.
    """

    def __init__(self, origins: Iterable[str], proxies: TrustedProxies) -> None:
        self._origins = frozenset(origins)
        self._proxies = proxies

    def look_at(self, request: Request, *, is_ready: bool) -> Plain | None:
        """The answer to what is no visit of a page that may come; None for one."""
        path = request.path.partition("?")[0]
        if path == "/.amaro/live":
            return Plain(HTTPStatus.OK, "live\n")
        if path == "/.amaro/ready":
            status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
            return Plain(status, "ready\n" if is_ready else "draining\n")
        if path != PATH:
            return Plain(HTTPStatus.NOT_FOUND, "not here\n")
        if not self._may_come(request):
            return Plain(HTTPStatus.FORBIDDEN, "origin\n")
        return None

    def client(self, address: bytes, request: Request) -> tuple[bytes, bool]:
        """Whose connection this is, by address, and whether its proxy is unclear about that."""
        said = request.headers.raw_items()
        fields = tuple(
            (name.lower().encode(), value.encode("latin-1", "replace")) for name, value in said
        )
        return self._proxies.client(address, fields), self._proxies.is_unclear(address, fields)

    def _may_come(self, request: Request) -> bool:
        said = request.headers.get_all("Origin")
        if not said or ANY in self._origins:
            return True
        if len(said) > 1:
            return False
        return said[0] in self._origins or [_authority(said[0])] == request.headers.get_all("Host")


def _authority(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
