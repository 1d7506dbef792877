"""What a member answers over HTTP: to other members, to operators, to the console."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from failover.audit_file import AuditFile
from failover.controlling import Controller
from failover.drilling import SPEED_MAX, Drill
from failover.member import Member
from failover.orders import Answer as OrderAnswer
from failover.orders import Kind, Order
from failover.peers import ABOVE, CONTROLLER, VERSION, PeerError
from failover.status import drill, planned, status
from failover.wire import (
    WireError,
    decision_of_text,
    decision_to_text,
    read_object,
    report_out,
)

BODY_BYTES_MAX: Final = 4 * 1024 * 1024
WORDS_MAX: Final = 400  # characters of who and why
HISTORY_MAX: Final = 1_000
WAIT_MAX_S: Final = 5.0  # for something urgent

Answer = Callable[[Request], Awaitable[Response]]

_ORDER_KEYS: Final = {"order", "who", "why", "service", "region", "target", "force", "passed_on"}


class Api:
    """One member's answers."""

    def __init__(self, member: Member, audit: AuditFile, token: str) -> None:
        """`token` is that of all members and their operators."""
        self._member, self._audit = member, audit
        self._expected = f"Bearer {token}".encode()

    def app(self) -> Starlette:
        """Return the application."""
        guarded: tuple[tuple[str, Answer, str], ...] = (
            ("/report", self._report, "GET"),
            ("/decision", self._decided, "GET"),
            ("/decision", self._decision, "PUT"),
            ("/status", self._status, "GET"),
            ("/plan", self._plan, "GET"),
            ("/history", self._history, "GET"),
            ("/verify", self._verify, "GET"),
            ("/orders", self._order, "POST"),
            ("/drill", self._drill, "GET"),
            ("/drill", self._begin_drill, "POST"),
            ("/drill", self._end_drill, "DELETE"),
        )
        return Starlette(
            routes=[
                Route("/.amaro/live", self._live),
                Route("/.amaro/ready", self._live),
                *(
                    Route(path, self._guarded(answer), methods=[method])
                    for path, answer, method in guarded
                ),
            ]
        )

    def _guarded(self, answer: Answer) -> Answer:
        async def guarded(request: Request) -> Response:
            given = request.headers.get("authorization", "").encode()
            if not hmac.compare_digest(given, self._expected):
                headers = {"WWW-Authenticate": "Bearer"}
                return JSONResponse({"error": "want the members' token"}, 401, headers)
            try:
                return await answer(request)
            except WireError as error:
                return JSONResponse({"error": str(error)}, 400)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it

        return guarded

    async def _live(self, request: Request) -> Response:
        del request
        return JSONResponse({"live": True})

    async def _report(self, request: Request) -> Response:
        asked = request.query_params
        try:
            after = int(asked.get("after", "0"))
            epoch = int(request.headers.get(CONTROLLER, "0"))
            wait_s = float(asked.get("wait", "0"))
        except ValueError:
            raise WireError("want numbers") from None
        if not 0.0 <= wait_s <= WAIT_MAX_S:
            raise WireError(f"wait: want 0 to {WAIT_MAX_S:g} s")
        if epoch:
            self._member.hear(epoch)
        boot = asked.get("boot", "")
        await self._member.urgency(after, boot, wait_s)
        report = self._member.part_of_report(after, boot)
        version = "{},{},{}".format(*self._member.version, self._member.in_force.mark)
        headers = {VERSION: version, "Content-Type": "application/json"}
        return Response(report_out(report), headers=headers | self._above())

    def _above(self) -> dict[str, str]:
        return {ABOVE: "{},{}".format(*self._member.above)}

    async def _decided(self, request: Request) -> Response:
        del request
        decision, ordered = self._member.decision, self._member.ordered
        if decision is None:
            return JSONResponse({"error": "nothing is decided"}, 404, self._above())
        headers = {"Content-Type": "application/json"} | self._above()
        return Response(decision_to_text(decision, ordered), headers=headers)

    async def _decision(self, request: Request) -> Response:
        is_taken = self._member.take(*decision_of_text(await _body(request)))
        # who is told that it is taken may count on it; a full disk is said in the log
        await self._member.in_force.keep()
        answer: dict[str, Any] = {"version": list(self._member.version)}
        if not is_taken:
            answer["error"] = "a newer decision, or another one of that version, is in force"
        return JSONResponse(answer, 200 if is_taken else 409)

    async def _status(self, request: Request) -> Response:
        del request
        return JSONResponse(status(self._member))

    async def _plan(self, request: Request) -> Response:
        controller = self._member.controller
        if controller is None or controller.memory is None or not controller.epoch():
            return JSONResponse({"error": _where(self._member)}, 503)
        service, target = (request.query_params.get(key, "") for key in ("service", "target"))
        failed = (service, target) if service or target else None
        if failed is not None and (why := self._member.model.why_unknown(*failed)):
            raise WireError(why)
        return JSONResponse(planned(controller, controller.memory, failed))

    async def _history(self, request: Request) -> Response:
        try:
            limit = min(HISTORY_MAX, int(request.query_params.get("limit", "50")))
        except ValueError:
            raise WireError("limit: want a number") from None
        entries = await asyncio.to_thread(self._audit.last, max(1, limit))
        return JSONResponse({"member": self._member.vantage.name, "entries": entries})

    async def _verify(self, request: Request) -> Response:
        del request
        end, broken = await asyncio.to_thread(self._audit.verify)
        answer: dict[str, Any] = {"member": self._member.vantage.name, "entries": end.number}
        answer["digest"] = end.digest
        answer["broken"] = None if broken is None else {"line": broken.line, "why": broken.why}
        return JSONResponse(answer)

    async def _drill(self, request: Request) -> Response:
        del request
        controller = self._member.controller
        if controller is None or not controller.epoch():
            return JSONResponse({"error": _where(self._member)}, 503)
        return JSONResponse(drill(controller))

    async def _begin_drill(self, request: Request) -> Response:
        said = read_object(await _body(request))
        speed = said.get("speed", 1.0)
        if type(speed) not in {int, float} or not 1.0 <= speed <= SPEED_MAX:
            raise WireError(f"speed: want a number of 1 to {SPEED_MAX:g}")
        words = _words(said, ("who", "why", "service", "target"))
        if not all(words.values()):
            raise WireError("want who drills, why, the service and the target")
        begun = Drill(
            service=words["service"],
            target=words["target"],
            who=words["who"],
            why=words["why"],
            speed=float(speed),
            began_mono=time.monotonic(),
        )
        return self._drilled(lambda controller: controller.begin_drill(begun))

    async def _end_drill(self, request: Request) -> Response:
        who = _words(request.query_params, ("who",))["who"] or "an operator"
        return self._drilled(lambda controller: controller.end_drill(who))

    def _drilled(self, do: Callable[[Controller], OrderAnswer]) -> Response:
        controller = self._member.controller
        if controller is None or not controller.epoch():
            return JSONResponse({"error": _where(self._member)}, 503)
        answered = do(controller)
        told = {"carried_out": answered.is_carried_out, "text": answered.text}
        told["member"] = self._member.vantage.name
        return JSONResponse(told, 200 if answered.is_carried_out else 409)

    async def _order(self, request: Request) -> Response:
        said = read_object(await _body(request))
        order = parse_order(said)
        member, controller = self._member, self._member.controller
        assert controller is not None
        holder = controller.held.holder if controller.held else ""
        if not controller.epoch() and holder in member.peers and not said.get("passed_on"):
            try:
                answer = await member.peers[holder].order({**said, "passed_on": True})
                return JSONResponse(answer, 200 if answer.get("carried_out") else 409)
            except PeerError as error:
                holder = f"{holder}, which does not answer: {error}"
        if not controller.epoch():
            said_of = "is ordered without a controller" if order.force else "waits for a controller"
            self._audit.record(_noted(order, said_of))
        answered = await member.order(order, holder)
        if not controller.epoch():
            self._audit.record(_noted(order, answered.text))
        told = {"carried_out": answered.is_carried_out, "text": answered.text}
        told["member"] = member.vantage.name
        return JSONResponse(told, 200 if answered.is_carried_out else 409)


def parse_order(said: Mapping[str, Any]) -> Order:
    """Return what is ordered; raises WireError with what is wanted."""
    if unknown := sorted(said.keys() - _ORDER_KEYS):
        raise WireError(f"unknown key {unknown[0]!r}; known are {', '.join(sorted(_ORDER_KEYS))}")
    kinds = {kind.value: kind for kind in Kind}
    kind = kinds.get(said.get("order", ""))
    if kind is None:
        raise WireError(f"order: want {', '.join(kinds)}")
    words = _words(said, ("who", "why", "service", "region", "target"))
    if not words["who"] or not words["why"]:
        raise WireError("want who orders it, and why: it is kept in the audit log")
    if kind is Kind.SWITCH and not (words["service"] and words["target"]):
        raise WireError("a switch names service and target")
    return Order(kind=kind, force=said.get("force") is True, **words)


def _words(said: Mapping[str, Any], keys: Sequence[str]) -> dict[str, str]:
    words = {}
    for key in keys:
        word = said.get(key, "")
        if not isinstance(word, str) or len(word) > WORDS_MAX:
            raise WireError(f"{key}: want text of at most {WORDS_MAX} characters")
        words[key] = word.strip()
    return words


def _noted(order: Order, text: str) -> dict[str, Any]:
    what = " ".join(filter(None, (order.kind.value, order.service, order.target)))
    return {
        "happening": "ordered",
        "text": f"{what}: {text} (because: {order.why})",
        "service": order.service,
        "target": order.target,
        "regions": [order.region] if order.region else [],
        "who": order.who,
    }


def _where(member: Member) -> str:
    held = member.controller.held if member.controller else None
    return f"this member does not lead; {held.holder if held else 'nobody'} does"


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise WireError(f"more than {BODY_BYTES_MAX} bytes")
    return bytes(body)
