"""`/failover.json` and its like: what the members say and are told, for who has their token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

PATIENCE_S = 2.0  # with a member; the page says which of them did not answer
ORDER_S = 10.0  # with the member that carries an order out
ORDER_BYTES_MAX = 8 * 1024
ANSWER_BYTES_MAX = 4 * 1024 * 1024
HISTORY = "60"
EVERYTHING = "everything"  # what is typed for an order that names no service


@dataclass(frozen=True, slots=True)
class Said:
    """What one member answered, or why it did not."""

    name: str
    status: int = 0
    answer: Any = None
    why_not: str = ""


def answered(body: Any, status: int = 200) -> Response:
    """An answer that nobody keeps."""
    return JSONResponse(
        body, status, {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    )


class FailoverPage:
    """Passes the page's questions on. The token is each request's own: the console holds none."""

    def __init__(
        self, members: Mapping[str, str], transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """`members` are their base URLs by name."""
        self._members, self._transport = members, transport

    async def seen(self, request: Request) -> Response:
        """How all members see things, and what their audit logs have, newest last."""
        if not self._members:
            return answered({"error": "no members; amaro console serve --member NAME=URL"}, 404)
        statuses, logs = await asyncio.gather(
            self._all(request, "/status"), self._all(request, "/history", limit=HISTORY)
        )
        if all(each.status == 401 for each in statuses if not each.why_not) and any(
            each.status == 401 for each in statuses
        ):
            return answered({"error": "not the members' token"}, 401)
        there = [each.answer for each in statuses if each.status == 200]
        return answered(
            {
                "members": [
                    {"name": each.name, "why_not": _why_not(each), "status": _if_good(each)}
                    for each in statuses
                ],
                "led": next((each for each in there if each["leads"]), None),
                "entries": _in_time(
                    {"member": each.name, **entry}
                    for each in logs
                    if each.status == 200
                    for entry in each.answer["entries"]
                ),
            }
        )

    async def planned(self, request: Request) -> Response:
        """What is left to do, or would be done if a target failed."""
        asked = {name: request.query_params.get(name, "") for name in ("service", "target")}
        said = await self._all(request, "/plan", **{k: v for k, v in asked.items() if v})
        for each in said:
            if each.status == 200:
                return answered(each.answer)
        refused = next((each for each in said if each.status in {400, 401}), None)
        if refused is not None:
            return answered(refused.answer, refused.status)
        return answered({"error": "no member leads just now"}, 503)

    async def ordered(self, request: Request) -> Response:
        """Give an order to who leads, else to any member: it is refused unless its name is typed.

        What is typed is the service's name, or `everything` for an order that names none.
        """
        order = await _order(request)
        if order is None:
            return answered({"error": "want a JSON object of at most 8 KiB, each name once"}, 400)
        wanted = order.get("service") or EVERYTHING
        if order.pop("confirm", "") != wanted:
            return answered({"error": f"type {wanted} to confirm"}, 400)
        statuses = await self._all(request, "/status")
        there = sorted(
            (each for each in statuses if each.status == 200), key=lambda each: not _leads(each)
        )
        if not there:
            status = 401 if any(each.status == 401 for each in statuses) else 503
            return answered({"error": "no member takes the order"}, status)
        said = await self._one(there[0].name, "POST", "/orders", request, ORDER_S, json=order)
        if said.why_not:
            return answered({"error": f"{said.name}: {said.why_not}; see the timeline"}, 502)
        return answered(said.answer, said.status)

    async def _all(self, request: Request, path: str, **params: str) -> Sequence[Said]:
        return await asyncio.gather(
            *(
                self._one(name, "GET", path, request, PATIENCE_S, params=params)
                for name in self._members
            )
        )

    async def _one(
        self, name: str, method: str, path: str, request: Request, patience_s: float, **more: Any
    ) -> Said:
        fields = {b"authorization": dict(request.headers.raw).get(b"authorization", b"")}
        try:
            async with httpx.AsyncClient(
                transport=self._transport, timeout=patience_s, trust_env=False
            ) as http:
                url = self._members[name] + path
                answer = await http.request(method, url, headers=fields, **more)
            if len(answer.content) > ANSWER_BYTES_MAX:
                return Said(name, why_not="it says too much")
            return Said(name, answer.status_code, answer.json())
        except httpx.TimeoutException:
            return Said(name, why_not=f"no answer within {patience_s:g} s")
        except (httpx.HTTPError, ValueError) as error:
            return Said(name, why_not=str(error) or type(error).__name__)


async def _order(request: Request) -> dict[str, Any] | None:
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > ORDER_BYTES_MAX:
                return None
        order = json.loads(body, object_pairs_hook=_once)
    except (ClientDisconnect, ValueError):
        return None
    return order if isinstance(order, dict) else None


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Raise ValueError where a name is there twice: what is typed must be what is ordered."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError
    return dict(pairs)


def _leads(said: Said) -> bool:
    return bool(said.answer["leads"])


def _if_good(said: Said) -> Any:
    return said.answer if said.status == 200 else None


def _in_time(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return entries as they came about; an event that a second member told again, once."""
    found: dict[Any, dict[str, Any]] = {}
    in_time = sorted(entries, key=lambda entry: float(entry["at"]))
    for number, entry in enumerate(in_time):
        name = (entry["event"], entry["text"]) if "event" in entry else number
        found.setdefault(name, entry)
    return list(found.values())


def _why_not(said: Said) -> str:
    if said.why_not or said.status == 200:
        return said.why_not
    return "it knows another token" if said.status == 401 else f"status {said.status}"
