"""The slow path as an ASGI app: read the request, have it answered, send the answer."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace

from cache_policies.access import Denial
from cache_policies.cache_status import CacheStatus, Forward
from cache_policies.message import Fields, RequestHead
from edge.accounts import Account, Accounts, Asking
from edge.asking import Asked
from edge.collapse import FillReader
from edge.cycle import Message, Scope
from edge.delivery import BODILESS, Answer, StoredBody, of_error
from edge.door import Door
from edge.entry import NOT_FOR_PLAYERS
from edge.errors import DeniedError, DownstreamError, EdgeError, RefusedError
from edge.exchange import Exchange
from edge.forwarding import HOP, cleaned
from edge.gates import Refusal
from edge.outcome import failed, refused
from edge.pacing import PacedBody
from edge.refusals import READABLE
from edge.server_timing import Trace, asks_for_trace, server_timing
from edge.settings import Limits
from edge.steering.desk import steering_answer
from edge.tags_told import tags_told
from edge.ticket import Ticket

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class BodyTooLargeError(DownstreamError):
    """A request body beyond the limit."""

    status = 413


@dataclass(frozen=True, slots=True)
class Debugging:
    """Who may ask for Server-Timing, and what it says of this worker."""

    token: str = field(repr=False)
    worker_no: int

    def trace(self, scope: Scope) -> Trace | None:
        """A trace for a request that carries the token; peers pass none on."""
        peer = scope["extensions"]["amaro.edge"]["peer"]
        return Trace() if not peer and asks_for_trace(scope["headers"], self.token) else None


class EdgeApp:
    """Answers what the protocol did not. `is_ready` says whether players should be sent here."""

    def __init__(
        self,
        exchange: Exchange,
        limits: Limits,
        is_ready: Callable[[], bool],
        accounts: Accounts,
        debugging: Debugging,
    ) -> None:
        self._exchange = exchange
        self._accounts = accounts
        self._debugging = debugging
        self._limits = limits
        self._is_ready = is_ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; an answer that breaks off cuts the connection."""
        account = Account(self._accounts)
        trace = self._debugging.trace(scope)
        admitted = scope["extensions"]["amaro.edge"]["admitted"]
        answer = self._own(scope) or (
            _refused(admitted)
            if isinstance(admitted, Refusal)
            else await self._answer(scope, receive, trace)
        )
        account.answered(answer.outcome)
        if trace is not None:
            took_s = account.first_byte_s or 0.0
            timing = server_timing(trace, answer.outcome, self._debugging.worker_no, took_s)
            answer.fields = (*answer.fields, (b"server-timing", timing))
        cut = True
        try:
            cut = not await self._send(scope, answer, send, account)
        finally:
            answer.body.close()
            account.close(self._asking(scope), answer.status, cut=cut)

    def _own(self, scope: Scope) -> Answer | None:
        """The answers that are this edge's own."""
        path = scope["path"]
        if path == "/.amaro/live":
            return text_answer(200, b"live\n")
        if path == "/.amaro/ready":
            return (
                text_answer(200, b"ready\n")
                if self._is_ready()
                else text_answer(503, b"draining\n")
            )
        tagger = self._exchange.tagger
        if path == "/.amaro/steer" and tagger is not None and tagger.steering.is_given:
            return steering_answer(tagger.steering, scope, random.random())
        return None

    async def _answer(self, scope: Scope, receive: Receive, trace: Trace | None) -> Answer:
        told = scope["extensions"]["amaro.edge"]
        fields: Fields = tuple(scope["headers"])
        request = RequestHead(
            scope["method"].encode(),
            scheme_of(scope, fields),
            told["host"],
            told["target"],
            cleaned(fields),
        )
        if self._exchange.door is not None:
            admitted = self._admitted(self._exchange.door, request, self._client(scope))
            if isinstance(admitted, Denial):
                if told["reader"] is not None:
                    told["reader"].close()
                return _denied(admitted)
            request = replace(request, target=admitted)
        length = told["body_length"]
        body = None if length == 0 else self._body(receive)
        asked = self._asked(scope)
        try:
            if length is not None and length > self._limits.body_max_bytes:
                raise BodyTooLargeError("request-body-too-large")
            if body is not None and request.method in (b"GET", b"HEAD"):
                async for _ in body:  # it has no meaning (RFC 9110 §9.3.1): read, not forwarded
                    pass
                body = None
        except EdgeError as error:
            answer = text_answer(error.status, error.detail.encode() + b"\n")
            answer.outcome = failed(error.detail)
            return answer
        asked = replace(asked, body=body, body_length=length, trace=trace, early=told["early"])
        return await self._tagged(request, asked, told["reader"])

    async def _tagged(
        self, request: RequestHead, asked: Asked, reader: FillReader | None
    ) -> Answer:
        """The answer, with the tag that has players ask for steering if it gets one."""
        exchange = self._exchange
        tag = None if exchange.tagger is None else exchange.tagger.tag_for(request)
        if tag is None or exchange.tagger is None:
            return await exchange.answer(request, asked, reader)
        places = iter((reader,))  # a second question has none

        def ask(whole: RequestHead) -> Awaitable[Answer]:
            return exchange.answer(whole, asked, next(places, None))

        return await exchange.tagger.answer(request, tag, ask)

    def _asked(self, scope: Scope) -> Asked:
        """Who asks for a fill: a player, or whom a peer's app has found it to be."""
        known: Asked | None = scope["extensions"]["amaro.edge"].get("asked")
        return Asked(client=self._client(scope)) if known is None else known

    def _key(self, scope: Scope, fields: Fields) -> bytes:
        """The cache key of what a peer asks for."""
        told = scope["extensions"]["amaro.edge"]
        key, _ = self._exchange.filler.in_force.policies.key(
            scheme_of(scope, fields), told["host"], told["target"]
        )
        return key

    def _admitted(self, door: Door, request: RequestHead, client: bytes) -> bytes | Denial:
        """What is asked for, without its token, or why it is not given."""
        exchange = self._exchange
        exchange.catch_up()  # other rules may be in force
        return door.admit(exchange.filler.in_force.policies, request, client)

    def _asking(self, scope: Scope) -> Asking:
        """What a line of the log says of the request."""
        told = scope["extensions"]["amaro.edge"]
        return Asking(
            client=self._client(scope),
            method=scope["method"].encode(),
            host=told["host"],
            target=told["target"],
            http=scope["http_version"].encode(),
            address=_address(scope),
            prefix=scope["scheme"].encode() + b"://" + told["host"],
            fields=tuple(scope["headers"]),
        )

    def _client(self, scope: Scope) -> bytes:
        return self._accounts.clients.proxies.client(_address(scope), tuple(scope["headers"]))

    async def _body(self, receive: Receive) -> AsyncIterator[bytes]:
        """The pieces of the request's body as they come, within its limits of size and pace."""
        limits = self._limits
        total_bytes, waited_s = 0, 0.0
        while True:
            began_mono = time.monotonic()
            try:
                async with asyncio.timeout(limits.idle_s):
                    message = await receive()
            except TimeoutError:
                raise DownstreamError("request-body-stalled") from None
            waited_s += time.monotonic() - began_mono
            if total_bytes < (waited_s - limits.idle_s) * limits.sender_min_bps:
                raise DownstreamError("request-body-too-slow")
            if message["type"] == "http.disconnect":
                raise DownstreamError("disconnected")
            total_bytes += len(message["body"])
            if total_bytes > self._limits.body_max_bytes:
                raise BodyTooLargeError("request-body-too-large")
            if message["body"]:
                yield message["body"]
            if not message["more_body"]:
                return

    async def _send(self, scope: Scope, answer: Answer, send: Send, account: Account) -> bool:
        """Send an answer; whether it was sent to its end."""
        told = scope["extensions"]["amaro.edge"]
        head_only = scope["method"] == "HEAD" or answer.status in BODILESS
        fields = list(answer.fields)
        if not told["peer"]:
            hidden = answer.stripped | NOT_FOR_PLAYERS | {HOP}
            fields = [line for line in fields if line[0] not in hidden]
        if told["provider"] is not None:
            fields += tags_told(told["provider"], answer)
        if answer.length is not None and answer.status not in BODILESS:
            fields.append((b"content-length", b"%d" % answer.length))
        await send({"type": "http.response.start", "status": answer.status, "headers": fields})
        body = answer.body
        if isinstance(told["admitted"], Ticket) and told["admitted"].paced:
            body = PacedBody(body, told["admitted"])
        try:
            while not head_only and (piece := await body.read()):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                account.sent_bytes += len(piece)
                del piece  # while this waits it must not hold what is out
        except EdgeError as error:
            account.outcome = failed(error.detail)
            told["cut"]()
            return False
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return True


def _address(scope: Scope) -> bytes:
    """Whose connection a request came by."""
    return scope["client"][0].encode() if scope["client"] else b"unknown"


def scheme_of(scope: Scope, fields: Fields) -> bytes:
    """The scheme that the player used; a peer passes on what it saw."""
    own: bytes = scope["scheme"].encode()
    if not scope["extensions"]["amaro.edge"]["peer"]:
        return own
    return dict(fields).get(b"x-forwarded-proto", own)


def _denied(denial: Denial) -> Answer:
    """The answer to who has no token for what it wants."""
    says = CacheStatus(forward=Forward.REQUEST, detail=denial.value)
    answer = of_error(DeniedError(denial.value), says)
    answer.outcome = refused(denial.value)
    return answer


def _refused(refusal: Refusal) -> Answer:
    """The answer to what limits refuse."""
    error = RefusedError(refusal.reason, retry_after_s=refusal.retry_after_s)
    answer = of_error(error, CacheStatus(forward=Forward.REQUEST, detail=refusal.reason))
    answer.status = refusal.status
    return answer


def text_answer(status: int, text: bytes) -> Answer:
    """An answer of this edge's own."""
    fields: Fields = (
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
        *READABLE,
    )
    if status == 503:
        fields = (*fields, (b"retry-after", b"1"))
    return Answer(status, fields, len(text), StoredBody([text]))
