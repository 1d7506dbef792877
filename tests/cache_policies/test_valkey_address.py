"""What --redis means, and what is refused without showing a password."""

import pytest

from cache_policies.valkey_address import Kind, Server, parse_address
from tests.support.table import table


@pytest.mark.parametrize(
    "case",
    table("""
        url                                     kind      servers           user  password  more
        redis://h                               server    h:6379            -     -         -
        redis://h:7000/3                        server    h:7000            -     -         db=3
        redis://:p%40ss@h:7000                  server    h:7000            -     p@ss      -
        redis://u:p@[::1]:7000                  server    [::1]:7000        u     p         -
        rediss://h                              server    h:6379            -     -         tls
        unix:///run/valkey.sock?password=p%20w  server    /run/valkey.sock  -     p w       -
        unix:///run/a%20b.sock?db=2             server    /run/a b.sock     -     -         db=2
        redis+sentinel://a,b:1/main             sentinel  a:26379,b:1       -     -         main
        rediss+sentinel://u:p@a/main            sentinel  a:26379           u     p         tls main
        redis+cluster://a:1,b:2,[::1]:3         cluster   a:1,b:2,[::1]:3   -     -         -
        rediss+cluster://:p@a                   cluster   a:6379            -     p         tls
    """),
    ids=str,
)
def test_an_address(case: dict[str, str]) -> None:
    address = parse_address(case["url"])
    assert address.kind is Kind(case["kind"])
    assert str(address) == case["servers"]
    assert (address.username or "", address.password or "") == (case["user"], case["password"])
    more = case["more"].split()
    assert address.tls is ("tls" in more)
    assert address.service == ("main" if "main" in more else "")
    assert address.database == next((int(m[3:]) for m in more if m.startswith("db=")), 0)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("", "scheme"),
        ("h:6379", "scheme"),
        ("http://u:secret@h", "scheme"),
        ("redis://", "HOST:PORT"),
        ("redis://u:secret@h:x", "HOST:PORT"),
        ("redis://:secret@h:99999", "HOST:PORT"),
        ("redis://a,b", "cluster"),
        ("redis://h/x", "database"),
        ("redis://h?ssl=1", "ssl"),
        ("redis://h?ca=x", "TLS"),
        ("redis+cluster://h?db=1", "database"),
        ("redis+sentinel://h", "SERVICE"),
        ("unix://h/run/x", "absolute"),
        ("unix:", "absolute"),
        ("redis://:secret/@h:1", "%2F"),
        ("redis://:secret#x@h:1", "%23"),
        ("redis://u:12/secret@h", "%2F"),
        ("redis://:secret?@h", "%3F"),
        ("redis://:secret\N{ACCOUNT OF}@h", "URL"),
    ],
)
def test_what_is_refused(url: str, word: str) -> None:
    with pytest.raises(ValueError, match=word) as raised:
        parse_address(url)
    assert "secret" not in str(raised.value)


def test_certificates_may_be_signed_by_others() -> None:
    assert parse_address("rediss://h?ca=/etc/own%20ca.pem").ca_file == "/etc/own ca.pem"
    assert parse_address("rediss://h").ca_file is None


def test_nothing_shows_a_password() -> None:
    assert "secret" not in repr(parse_address("redis://u:secret@h"))


def test_a_socket_has_no_port() -> None:
    assert parse_address("unix:///s").servers == (Server("/s", 0),)
