"""What an edge with a disk asks before it serves: which tags it has to forget."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

if TYPE_CHECKING:
    from starlette.requests import Request

    from origin.purge_log import PurgeLog

NUMBER_MAX = 2**62


class PurgesApi:
    """Answers `GET /purges?after=N`, to who has the token only: tags say what there is."""

    def __init__(self, *, log: PurgeLog, token: str | None) -> None:
        self._log = log
        self._expected = None if token is None else f"Bearer {token}".encode()

    async def read(self, request: Request) -> Response:
        """Return a page of the log."""
        given = request.headers.get("authorization", "").encode("latin-1")
        if self._expected is None or not hmac.compare_digest(given, self._expected):
            why = "want the admin token: Authorization: Bearer TOKEN"
            return _json({"error": why}, 401, **{"www-authenticate": "Bearer"})
        text = request.query_params.get("after", "0")
        if not text.isascii() or not text.isdigit() or int(text) > NUMBER_MAX:
            return _json({"error": f"after={text}: want the number of a purge"}, 400)
        page = await run_in_threadpool(self._log.page, int(text))
        return _json(page.to_mapping(), 200)


def _json(said: object, status: int, **fields: str) -> JSONResponse:
    return JSONResponse(said, status, headers={"cache-control": "no-store", **fields})
