"""Who belongs to a region: as configured, or as edges announce themselves on a common board.

A member owns keys from an instant of the board's clock on, which it says itself: until then all
have read of it, so that all begin to ask it at once. How far off that is, and whether what it says
is kept up, each reader judges by its own monotonic clock: nobody's wall clock has to be right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

MEMBERS_MAX: Final = 4_096
URL_MAX: Final = 256  # characters
GONE_AFTER_S: Final = 5.0  # without a new word of it
LISTENED_MAX_S: Final = 2.0  # from one look to the next; for longer nobody has listened
LEAVING: Final = 0.0  # of an announcement: the time of one that is taken back is below this
JOINING_S: Final = 2.0  # from a member's first word until it owns keys

_HOST: Final = re.compile(r"(?!.*\.\.)[a-z0-9_][a-z0-9._-]*|[0-9a-f:.]*:[0-9a-f:.]*")
_LABEL_MAX: Final = 63  # characters (RFC 1035 §2.3.4)

Members: TypeAlias = dict[str, float]
"""URL of the peer listener: the monotonic time from which it owns keys; 0.0 if it always has."""


class MembersError(ValueError):
    """A list of members means nothing; the message says why."""


def member_url(text: str) -> str:
    """A member's URL in its one form: lists are compared by it. Raises MembersError."""
    text = text.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        port, parts = None, urlsplit("")
    name = parts.hostname or ""
    plain = not (parts.path or parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme not in ("http", "https") or not _is_host(name) or not plain:
        raise MembersError(f"{text!r} is no edge of a region; write http://HOST:PORT")
    if len(text) > URL_MAX or not text.isascii() or not text.isprintable():
        raise MembersError(f"at most {URL_MAX} plain characters an edge")
    host = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{host}:{port or (443 if parts.scheme == 'https' else 80)}"


def _is_host(text: str) -> bool:
    """Whether a name can be looked up, and be a label of metrics."""
    labels = text.split(".")
    return _HOST.fullmatch(text) is not None and max(map(len, labels)) <= _LABEL_MAX


def configured(texts: list[str]) -> Members:
    """The members that somebody lists; all of them own keys at once. Raises MembersError."""
    if len(texts) > MEMBERS_MAX:
        raise MembersError(f"at most {MEMBERS_MAX} members")
    return {member_url(text): 0.0 for text in texts}


def read_order(body: bytes) -> Members:
    """The members of `{"members": [URL, …]}`. Raises MembersError."""
    try:
        said: Any = json.loads(body)
    except ValueError as error:
        raise MembersError(f"not JSON: {error}") from None
    urls = said.get("members") if isinstance(said, dict) else None
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
        raise MembersError('want {"members": ["http://HOST:PORT", …]}')
    return configured(urls)


def owners(members: Mapping[str, float], now_mono: float) -> frozenset[str]:
    """The members that own keys now."""
    return frozenset(url for url, from_mono in members.items() if from_mono <= now_mono)


def announcement(url: str, from_s: float) -> str:
    """What an edge writes on the board; `from_s` is an instant of its clock.

    Each start of the edge writes another.
    """
    return f"{url} {from_s:.3f}"


@dataclass(slots=True)
class _Seen:
    score: float
    changed_mono: float
    url: str | None  # None of what nobody of ours wrote
    from_mono: float  # it owns keys


class Board:
    """What an edge makes of what it reads on the board, time after time.

    As long as nothing can be read, all stay that were there, and when it can be again they have
    the time that they had left to say so: losing the board changes nothing, nor does its return.
    """

    def __init__(self, gone_after_s: float = GONE_AFTER_S) -> None:
        self._gone_after_s = gone_after_s
        self._seen: dict[str, _Seen] = {}
        self._read_mono: float | None = None  # the last time

    def read(self, scores: Mapping[str, float], board_s: float, now_mono: float) -> Members:
        """The members after one more successful look: announcements, and when they were renewed.

        `board_s` is what the board's clock showed at `now_mono`; it is believed for JOINING_S only.
        One that dies is silent for a while; one that leaves says so by a time below `LEAVING`. What
        is gone from the board counts as silent: somebody may have flushed it.
        """
        self._pass_over_silence(now_mono)
        for said, score in islice(scores.items(), MEMBERS_MAX):
            seen = self._seen.get(said)
            if seen is None:
                self._seen[said] = _seen(said, score, board_s, now_mono)
            elif seen.score != score:
                seen.score, seen.changed_mono = score, now_mono
        limit_mono = now_mono - self._gone_after_s
        for said, seen in list(self._seen.items()):
            if seen.changed_mono <= limit_mono and said not in scores:
                del self._seen[said]
        members: Members = {}
        for seen in self._seen.values():
            url = seen.url
            if url is not None and seen.changed_mono > limit_mono and seen.score >= LEAVING:
                members[url] = max(seen.from_mono, members.get(url, 0.0))
        return members

    def _pass_over_silence(self, now_mono: float) -> None:
        """Hold it against nobody that nothing was heard while the board could not be read."""
        if self._read_mono is not None:
            unheard_s = now_mono - self._read_mono - LISTENED_MAX_S
            for seen in self._seen.values() if unheard_s > 0.0 else ():
                seen.changed_mono += unheard_s
        self._read_mono = now_mono


def _seen(said: str, score: float, board_s: float, now_mono: float) -> _Seen:
    """What a new announcement says; when it was seen first decides from when on its edge owns."""
    text, _, instant = said.partition(" ")
    url, left_s = None, 0.0
    try:
        left_s = float(instant) - board_s
        url = member_url(text) if isfinite(left_s) else None
    except ValueError:
        pass
    from_mono = now_mono + min(left_s, JOINING_S) if left_s > 0.0 else 0.0
    return _Seen(score, now_mono, url, from_mono)
