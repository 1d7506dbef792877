"""What many followers are told at once is what each would have been told by itself."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cache_policies.cache_status import CacheStatus, Forward
from cache_policies.freshness import fresh_until_mono
from edge.outcome import ORIGIN
from edge.sayings import say
from tests.support.responses import stored

STORED = replace(stored("Cache-Control: max-age=60 | Surrogate-Key: secret"), length=5)


def told(now_mono, known=STORED):
    left_s = fresh_until_mono(known) - now_mono
    says = CacheStatus(forward=Forward.URI_MISS, forward_status=200, ttl_s=int(left_s // 1))
    return say(known, says, ORIGIN, now_mono)


def test_the_head_has_everything_but_its_end():
    saying = told(STORED.response_mono)
    assert saying.head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert saying.head.endswith(b"\r\ncontent-length: 5\r\n")
    assert b"secret" not in saying.head
    assert saying.outcome.result == "miss"


def test_a_body_of_unknown_length_comes_in_chunks():
    saying = told(STORED.response_mono, replace(STORED, length=None))
    assert saying.head.endswith(b"\r\ntransfer-encoding: chunked\r\n")


@given(st.floats(0.0, 100.0), st.floats(0.0, 0.9999))
def test_it_says_the_same_until_it_ends(after_s, share):
    now_mono = STORED.response_mono + after_s
    saying = told(now_mono)
    until_mono = saying.until_mono
    assert now_mono - 1e-3 < until_mono < now_mono + 1.0
    if until_mono > now_mono:
        assert told(now_mono + share * (until_mono - now_mono)).head == saying.head


def test_it_ends_when_a_number_changes():
    saying = told(STORED.response_mono + 3.25)
    assert told(saying.until_mono + 2e-6).head != saying.head
