"""Who may come: pages of allowed origins and of this host, programs, and nobody else."""

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request

from edge.clients import TrustedProxies
from edge.realtime.visitors import Visitors

ALLOWED = ("https://pages.example",)


def asks(path: str = "/.amaro/ws", *fields: tuple[str, str]) -> Request:
    return Request(path, Headers([("Host", "edge.example:8081"), *fields]))


def visitors(*origins: str) -> Visitors:
    return Visitors(origins, TrustedProxies(["10.0.0.0/8"]))


@pytest.mark.parametrize(
    ("origins", "fields", "may"),
    [
        (ALLOWED, [], True),
        (ALLOWED, [("Origin", "https://pages.example")], True),
        (ALLOWED, [("Origin", "http://edge.example:8081")], True),
        (ALLOWED, [("Origin", "http://edge.example")], False),
        (ALLOWED, [("Origin", "https://pages.example.evil")], False),
        (ALLOWED, [("Origin", "https://pages.example"), ("Origin", "https://evil")], False),
        (ALLOWED, [("Origin", "null")], False),
        (ALLOWED, [("Origin", "")], False),
        (ALLOWED, [("Origin", "http://[")], False),
        (ALLOWED, [("Origin", "http://other"), ("Host", "other")], False),
        (("*",), [("Origin", "https://anywhere")], True),
    ],
)
def test_origins(origins: tuple[str, ...], fields: list[tuple[str, str]], may: bool) -> None:
    found = visitors(*origins).look_at(asks("/.amaro/ws?x=1", *fields), is_ready=True)
    assert (found is None) is may
    assert may or found.status == 403


@pytest.mark.parametrize(
    ("path", "is_ready", "status"),
    [
        ("/.amaro/live", False, 200),
        ("/.amaro/ready", True, 200),
        ("/.amaro/ready", False, 503),
        ("/.amaro/wss", True, 404),
        ("/", True, 404),
    ],
)
def test_other_paths(path: str, is_ready: bool, status: int) -> None:
    found = visitors().look_at(asks(path), is_ready=is_ready)
    assert found is not None
    assert found.status == status


def test_a_trusted_proxy_says_whose_connection_it_is() -> None:
    request = asks("/.amaro/ws", ("X-Forwarded-For", "192.0.2.7"))
    assert visitors().client(b"10.1.2.3", request) == (b"192.0.2.7", False)
    assert visitors().client(b"192.0.2.1", request) == (b"192.0.2.1", False)
    unclear = asks("/.amaro/ws", ("X-Forwarded-For", "192.0.2.7"), ("Forwarded", "for=6.6.6.6"))
    assert visitors().client(b"10.1.2.3", unclear) == (b"10.1.2.3", True)
    assert visitors().client(b"192.0.2.1", unclear) == (b"192.0.2.1", False)
    assert visitors().client(b"10.1.2.3", asks()) == (b"10.1.2.3", False)
