"""Requests and responses from the text of table cells, at one fixed instant."""

from email.utils import formatdate

from cache_policies.message import Fields, RequestHead, ResponseHead
from cache_policies.policy import CachePolicy
from cache_policies.stored import Stored, Times, stored_response
from tests.support.table import fields

NOW_WALL = 1_700_000_000.0
NOW_MONO = 1_000.0
POLICY = CachePolicy()
TIMES = Times(response_wall=NOW_WALL, response_mono=NOW_MONO)


def http_date(offset_s: float) -> str:
    """Return the HTTP date `offset_s` seconds from NOW_WALL."""
    return formatdate(NOW_WALL + offset_s, usegmt=True)


def dated_fields(text: str) -> Fields:
    """Return fields as `table.fields` does; `@-60` in a value is the date 60 s before NOW_WALL."""
    return tuple(
        (name, http_date(float(value[1:])).encode() if value.startswith(b"@") else value)
        for name, value in fields(text)
    )


def request(text: str = "", *, method: str = "GET", target: str = "/a") -> RequestHead:
    """Return a request for http://h with the fields in `text`."""
    return RequestHead(method.encode(), b"http", b"h", target.encode(), dated_fields(text))


def response(text: str = "", *, status: int = 200) -> ResponseHead:
    """Return a response with the fields in `text`."""
    return ResponseHead(status, dated_fields(text))


def stored(text: str = "", *, status: int = 200, asked: str = "", times: Times = TIMES) -> Stored:
    """Return the stored form of such a response to a request with the fields in `asked`."""
    return stored_response(request(asked), response(text, status=status), times, POLICY)
