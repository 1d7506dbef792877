"""Answers players that ask for steering: `/.amaro/steer`."""

from typing import Final

from edge.cycle import Scope
from edge.delivery import Answer, StoredBody
from edge.steering.in_force import Steering, UnknownServiceError
from edge.steering.manifest import QueryError

_FIELDS: Final = ((b"cache-control", b"no-store"), (b"access-control-allow-origin", b"*"))
_METHODS: Final = frozenset({"GET", "HEAD"})


def steering_answer(steering: Steering, scope: Scope, draw: float) -> Answer:
    """The manifest, or what is wrong with the question; `draw` is for a player that has none."""
    if scope["method"] not in _METHODS:
        answer = _text(405, "want GET or HEAD")
        answer.fields = (*answer.fields, (b"allow", b"GET, HEAD"))
        return answer
    target: bytes = scope["extensions"]["amaro.edge"]["target"]
    try:
        body = steering.manifest(target.partition(b"?")[2], draw)
    except UnknownServiceError as error:
        return _text(404, str(error))
    except QueryError as error:
        return _text(400, str(error))
    fields = ((b"content-type", b"application/json"), *_FIELDS)
    return Answer(200, fields, len(body), StoredBody([body]))


def _text(status: int, why: str) -> Answer:
    text = why.encode() + b"\n"
    fields = ((b"content-type", b"text/plain; charset=utf-8"), *_FIELDS)
    return Answer(status, fields, len(text), StoredBody([text]))
