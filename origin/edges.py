"""The admin listener of an edge, as the origin tells it what to forget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx

from origin.distribution import NotToldError, Told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from origin.purge_log import Batch

CONNECT_S: Final = 1.0
ANSWER_S: Final = 6.0  # an edge waits 5 s for its own workers, and says which did not follow
KEEP_ALIVE_S: Final = 4.0  # an edge closes what is idle after 5 s


class EdgeListener:
    """Tells one edge. Thread-safe, though one at a time is enough."""

    is_edge: Final = True

    def __init__(self, admin_url: str, http: httpx.Client) -> None:
        self.address: Final = admin_url.rstrip("/")
        self._http = http

    def tell(self, batch: Batch) -> Told:
        """Have a batch carried out. Raises NotToldError."""
        try:
            answer = self._post(batch)
        except httpx.HTTPError as error:
            raise NotToldError(_reason(error)) from None
        said = _said(answer)
        if answer.status_code != httpx.codes.OK:
            why = said.get("error")
            raise NotToldError(str(why) if why else f"status {answer.status_code}")
        number, workers = said.get("number", batch.number), said.get("workers")
        return Told(
            number=number if isinstance(number, int) else batch.number,
            name=_text(said.get("edge")),
            region=_text(said.get("region")),
            workers=workers if isinstance(workers, int) else None,
            edge_id=_text(said.get("id")),
        )

    def close(self) -> None:
        """Give connections back."""
        self._http.close()

    def _post(self, batch: Batch) -> httpx.Response:
        url, said = f"{self.address}/purge", batch.to_mapping()
        try:
            return self._http.post(url, json=said)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            return self._http.post(url, json=said)  # a kept connection may end as it is used


def edge_listeners(admin_urls: Sequence[str], token: str | None) -> list[EdgeListener]:
    """Return the admin listeners of every edge that serves this origin."""
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return [
        EdgeListener(
            url,
            httpx.Client(
                headers=headers,
                timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
                limits=httpx.Limits(max_connections=1, keepalive_expiry=KEEP_ALIVE_S),
                trust_env=False,  # edges are neighbours: no proxy stands between us
            ),
        )
        for url in dict.fromkeys(admin_urls)
    ]


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return str(error) or type(error).__name__


def _said(answer: httpx.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _text(said: object) -> str | None:
    return said if isinstance(said, str) and said else None
