"""`/purges`: the log that edges follow, and where an operator's order begins its way to them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from origin.authorisation import is_authorised
from origin.purge_log import PAGE_MAX
from origin.purge_ordering import BusyError, OtherOrderError
from origin.purge_orders import BODY_MAX_BYTES, OrderError, parse_order

if TYPE_CHECKING:
    from starlette.requests import Request

    from origin.purge_log import PurgeLog
    from origin.purge_ordering import Ordering

NUMBER_MAX = 2**62


class PurgesApi:
    """Answers who has the admin token only: tags say what there is."""

    def __init__(self, *, log: PurgeLog, ordering: Ordering, token: str | None) -> None:
        self._log = log
        self._ordering = ordering
        self._token = token

    async def read(self, request: Request) -> Response:
        """Answer `GET /purges?after=N&limit=M` with a page of the log.

        With `log`, the log that the number is of: one that was set back before it is renewed.
        """
        if not self._is_authorised(request):
            return _refused()
        after = _number(request.query_params.get("after", "0"), NUMBER_MAX)
        limit = _number(request.query_params.get("limit", str(PAGE_MAX)), PAGE_MAX)
        if after is None:
            return _json({"error": "after: want the number of a purge"}, 400)
        if not limit:
            return _json({"error": f"limit: want 1 to {PAGE_MAX}"}, 400)
        page = await run_in_threadpool(self._log.page, after, limit=limit)
        if after > page.last and request.query_params.get("log") == page.log:
            await run_in_threadpool(self._log.renew, page.log)
            page = await run_in_threadpool(self._log.page, after, limit=limit)
        return _json(page.to_mapping(), 200)

    async def order(self, request: Request) -> Response:
        """Answer `POST /purges` with the receipt, once it is in the log and was carried out."""
        if not self._is_authorised(request):
            return _refused()
        body = await _body(request)
        if body is None:
            return _json({"error": f"at most {BODY_MAX_BYTES} bytes an order"}, 413)
        try:
            receipt = await asyncio.wrap_future(self._ordering.take(parse_order(body)))
        except OrderError as error:
            return _json({"error": str(error)}, 400)
        except OtherOrderError:
            return _json({"error": "this id was given to another order; choose a new one"}, 409)
        except BusyError:
            return _json({"error": "too many orders wait"}, 503, **{"retry-after": "2"})
        except SQLAlchemyError as error:
            why = f"not purged, the log cannot be written: {type(error).__name__}"
            return _json({"error": why}, 503, **{"retry-after": "2"})
        return _json(receipt.to_mapping(), 200)

    def _is_authorised(self, request: Request) -> bool:
        return is_authorised(request.headers.get("authorization"), self._token)


def _number(text: str, most: int) -> int | None:
    if not text.isascii() or not text.isdigit() or len(text) > len(str(NUMBER_MAX)):
        return None
    return int(text) if int(text) <= most else None


async def _body(request: Request) -> bytes | None:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_MAX_BYTES:
            return None
    return body


def _refused() -> JSONResponse:
    why = "want the admin token: Authorization: Bearer TOKEN"
    return _json({"error": why}, 401, **{"www-authenticate": "Bearer"})


def _json(said: object, status: int, **fields: str) -> JSONResponse:
    return JSONResponse(said, status, headers={"cache-control": "no-store", **fields})
