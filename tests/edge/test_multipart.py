"""A multipart body is as long as it says, and any MIME parser finds the parts in it."""

from email import message_from_bytes

from hypothesis import given
from hypothesis import strategies as st

from edge.multipart import multipart

BODY = bytes(range(256)) * 40
span = st.tuples(st.integers(0, len(BODY) - 1), st.integers(0, len(BODY) - 1)).map(
    lambda ends: (min(ends), max(ends))
)


@given(
    spans=st.lists(span, min_size=2, max_size=16).map(tuple),
    kind=st.sampled_from([b"video/mp4", b'text/plain; charset="utf-8"', None]),
)
def test_parts_are_found_again(spans, kind):
    stored = ((b"etag", b'"a"'), *(((b"content-type", kind),) if kind else ()))
    around = multipart(spans, len(BODY), stored)
    body = b"".join(around.pieces(lambda first, last: [BODY[first : last + 1]]))
    assert len(body) == around.length
    assert body.count(b"--" + around.boundary) == len(spans) + 1
    said = dict(around.fields(stored))[b"content-type"]
    assert said == b"multipart/byteranges; boundary=" + around.boundary
    parts = message_from_bytes(b"Content-Type: " + said + b"\r\n\r\n" + body).get_payload()
    assert len(parts) == len(spans)
    for part, (first, last) in zip(parts, spans, strict=True):
        assert part["Content-Range"] == f"bytes {first}-{last}/{len(BODY)}"
        assert part["Content-Type"] == (kind.decode() if kind else None)


def test_no_two_boundaries_are_alike():
    boundaries = {multipart(((0, 1), (4, 5)), 10, ()).boundary for _ in range(100)}
    assert len(boundaries) == 100
