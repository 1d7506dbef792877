"""Limits in policy files: what they mean, and what is wrong with them."""

import pytest

from cache_policies.complaints import PolicyFileError
from cache_policies.load import PolicyFile, load_policies
from cache_policies.policies import compile_policies

TEXT = b"""
limits:
  - name: everyone
    rate: 100/s
    concurrency: 8
  - name: uploads
    per: prefix
    match: {host: [up.example], path: /uploads*, method: [POST, PATCH]}
    hits: false
    rate: 10/m
    burst: 5
    bandwidth: 40Mbit/s
rules:
  - name: feed
    match: {path: /feed/*}
    set: {priority: feed}
"""


def test_a_file_becomes_limits() -> None:
    file = PolicyFile.from_mapping(load_policies(TEXT, "f").to_mapping())
    everyone, uploads = compile_policies(file).limits
    assert (everyone.name, everyone.line, everyone.per_client) == ("everyone", 3, True)
    assert (everyone.per_s, everyone.burst, everyone.concurrency) == (100.0, 200, 8)
    assert everyone.counts_hits
    assert everyone.is_everywhere
    assert (uploads.per_client, uploads.counts_hits, uploads.is_everywhere) == (False, False, False)
    assert (uploads.burst, uploads.bps, uploads.concurrency) == (5, 5e6, None)


@pytest.mark.parametrize(
    ("method", "host", "target", "holds"),
    [
        (b"POST", b"up.example", b"/uploads/1", True),
        (b"POST", b"UP.example:8080", b"/uploads?x", True),
        (b"GET", b"up.example", b"/uploads/1", False),
        (b"POST", b"other.example", b"/uploads/1", False),
        (b"POST", b"up.example", b"/x", False),
        (b"POST", b"up.example", b"//uploads", True),
        (b"POST", b"up.example", b"/x/..%2fuploads", True),  # to who decodes it first
        (b"POST", b"up.example", b"/uploads%2f..%2fx", True),  # to who does not
    ],
)
def test_a_limit_is_about_every_spelling_of_a_path(
    method: bytes, host: bytes, target: bytes, holds: bool
) -> None:
    limit = compile_policies(load_policies(TEXT, "f")).limits[1]
    assert limit.holds_of(method, host, target) is holds


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rate: 5", "f:3:3: `rate`: a rate is a number in a time: 100/s, 600/m or 50/h, not 5"),
        ("bandwidth: 5Mb/s", "f:3:3: `bandwidth`: a bandwidth has a unit: 40Mbit/s"),
        ("concurrency: 0", "`concurrency`: input should be greater than or equal to 1, not 0"),
        ("burst: 4", "f:3:3: `burst` is a rate's; name `rate`"),
        ("per: client", "f:2:3: limits nothing; name rate, concurrency or bandwidth"),
        ("per: title", "f:3:3: `per`: want 'client' or 'prefix', not \"title\""),
        ("rat: 5/s", "f:3:3: unknown key `rat`; did you mean `rate`?"),
        ("host: a", "f:3:3: `host` belongs under `match`"),
        ("match: {status: 200}", "f:3:11: unknown key `status`; known are host, path, method"),
        ("rate: 5/s\n- name: a\n  rate: 1/s", "f:4:3: a second limit `a`; the first is in line 2"),
    ],
)
def test_a_complaint_names_place_key_and_remedy(line: str, said: str) -> None:
    with pytest.raises(PolicyFileError) as error:
        load_policies(f"limits:\n- name: a\n  {line}\n".encode(), "f")
    assert any(said in each for each in error.value.lines()), error.value.lines()


@pytest.mark.parametrize("line", ["match: {status: 200}\n  set: {priority: feed}"])
def test_a_priority_is_known_before_the_response(line: str) -> None:
    with pytest.raises(PolicyFileError) as error:
        load_policies(f"rules:\n- name: a\n  {line}\n".encode(), "f")
    assert "`priority` is decided before there is a response" in error.value.lines()[0]
