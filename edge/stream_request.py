"""A request of HTTP/2, held to the same rules as one of HTTP/1.1."""

import zttp

from edge.heads import (
    METHODS,
    Context,
    body_length,
    is_target,
    joined_cookies,
    read_facts,
    read_fields,
)
from edge.refusals import RefusedHeadError
from edge.scope import Request


def read_request(event: zttp.Request, url_max_bytes: int) -> Request:
    """The request of a stream. Raises RefusedHeadError beside what the parser refuses."""
    method, target = event.method, event.target
    if method not in METHODS:
        raise RefusedHeadError("method")
    if len(target) > url_max_bytes:
        raise RefusedHeadError("url-too-long")
    if b"#" in target:
        raise RefusedHeadError("fragment")
    if not is_target(target) and (target != b"*" or method != b"OPTIONS"):
        raise RefusedHeadError("target")
    assert isinstance(event.headers, list)
    fields = joined_cookies(read_fields([b": ".join(line) for line in event.headers]))
    facts = read_facts(b"", fields, Context(method, b"1.1", b"https", b""))
    facts.version = b"2"
    length = 0 if event.end_stream else body_length(facts) or None
    return Request(target, facts, length)
