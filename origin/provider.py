"""A provider in front as one who is told of purges: after the edges, at the pace it allows."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Final

import httpx

from origin.distribution import NotToldError, Told
from origin.provider_calls import Answer, Kind, Verdict
from origin.provider_turn import EDGES_POLL_S, LATE_POLL_S, Turn, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from origin.provider_calls import Ability, Call, Item
    from origin.provider_file import ProviderSettings, TokenSource
    from origin.purge_log import Batch, Wanted

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 5.0  # of each step of a call
ANSWER_S: Final = 20.0  # for all of an answer's body
ANSWER_BYTES_MAX: Final = 65_536
TOKEN_CHARACTERS_MAX: Final = 4_096


class TokenError(Exception):
    """There is no token where one should be; the message says where."""


def read_token(source: TokenSource) -> str:
    """Return the token as it is now: a file may be written anew. Raises TokenError."""
    if source.file is not None:
        where = f"the file {source.file}"
        try:
            with Path(source.file).open(encoding="utf-8") as file:
                token = file.read(TOKEN_CHARACTERS_MAX).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise TokenError(f"{where} cannot be read: {type(error).__name__}") from None
    else:
        where = f"the environment variable {source.env}"
        token = os.environ.get(source.env or "", "").strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise TokenError(f"{where} holds no token")
    return token


def why_no_token(source: TokenSource) -> str | None:
    """Return what is wrong with where a token should be, None when it is there."""
    try:
        read_token(source)
    except TokenError as error:
        return str(error)
    return None


def abilities(providers: Iterable[ProviderSettings], wanted: Wanted) -> dict[str, Ability]:
    """Return what becomes of a purge at each provider, by its name."""
    kind = Kind(wanted.kind.value)
    return {each.name: each.adapter.ability(kind, soft=wanted.soft) for each in providers}


class Provider:
    """Tells one provider of all that is purged. Used by one thread at a time."""

    is_edge: Final = False

    def __init__(
        self,
        settings: ProviderSettings,
        *,
        edges_behind: Callable[[int], bool],
        answer_s: float = ANSWER_S,
    ) -> None:
        """`edges_behind` says whether an edge has not acknowledged everything up to a number."""
        self.address: Final = settings.name
        self._adapter = settings.adapter
        self._api = settings.api
        self._token = settings.token
        self._edges_behind = edges_behind
        self._answer_s = answer_s
        # What the environment says of proxies and .netrc is for others: that may name a login.
        self._http = httpx.Client(timeout=TIMEOUT_S, trust_env=False)
        self._turn = Turn(settings.adapter)
        self._log_name = ""
        self._busy = Lock()
        self._is_closing = Event()

    def tell(self, batch: Batch) -> Told:
        """Have all of this purged; a part that was confirmed is not asked for again.

        Raises NotToldError for what is to be tried again, and when.
        """
        with self._busy:
            self._tell(batch)
        return Told(batch.number)

    def close(self) -> None:
        """Ask nothing more, and give connections back; a call that is under way ends first."""
        self._is_closing.set()
        with self._busy:
            self._http.close()

    def _tell(self, batch: Batch) -> None:
        if batch.log != self._log_name:
            self._log_name, self._turn = batch.log, Turn(self._adapter)
        turn = self._turn
        while batch.number > turn.done:
            if turn.number is None:
                number = batch.number
                turn.begin(self._items(batch, turn.done), number, now_mono=time.monotonic())
            else:
                number = turn.number
            if self._is_closing.is_set():
                raise NotToldError("the origin is going down", retry_after_s=LATE_POLL_S)
            behind = self._edges_behind(number)
            step = turn.step(edges_behind=behind, now_mono=time.monotonic())
            if isinstance(step, Wait) and step.pause_s <= EDGES_POLL_S:
                self._is_closing.wait(step.pause_s)
            elif isinstance(step, Wait):
                raise NotToldError(step.reason, retry_after_s=step.pause_s)
            elif step is not None:
                self._take(step)

    def _items(self, batch: Batch, after: int) -> list[Item]:
        items: list[Item] = []
        for purge in batch.purges:
            kind, value, soft = Kind(purge.wanted.kind.value), purge.wanted.value, purge.wanted.soft
            ability = self._adapter.ability(kind, soft=soft)
            if purge.number > after and ability.can:
                items += self._adapter.items(purge.number, kind, value, soft=soft)
            elif purge.number > after:
                log.warning(
                    "provider %s: purge of %s %s: %s", self.address, kind, value, ability.note
                )
        return items

    def _take(self, call: Call) -> None:
        refusal = self._turn.fold(self._send(call), now_mono=time.monotonic())
        if refusal is not None:
            log.error(
                "provider %s refuses to purge %s: %s", self.address, refusal.what, refusal.detail
            )

    def _send(self, call: Call) -> Answer:
        try:
            token = read_token(self._token)
        except TokenError as error:
            return Answer(Verdict.DENIED, str(error))
        headers = [self._adapter.authorization(token), ("accept", "application/json"), *call.fields]
        url = self._api + call.path
        try:
            with self._http.stream("POST", url, json=call.body, headers=headers) as response:
                body, until_mono = b"", time.monotonic() + self._answer_s
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) >= ANSWER_BYTES_MAX:
                        break
                    if time.monotonic() >= until_mono:
                        raise httpx.ReadTimeout("the answer has no end")
        except httpx.InvalidURL as error:
            return Answer(Verdict.REFUSED, str(error))
        except httpx.HTTPError as error:
            return Answer(Verdict.LATER, type(error).__name__)
        fields = {name.lower(): value for name, value in response.headers.items()}
        answer = self._adapter.read(call, response.status_code, fields, body, now_wall=time.time())
        return replace(answer, detail=answer.detail.replace(token, "(token)"))
