"""Sizes, addresses and servers as people write them."""

from collections.abc import Callable
from typing import Any

import pytest

from amaro.quantities import parse_address, parse_server, parse_size


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("512MiB", 512 * 1024**2),
        ("2GiB", 2 * 1024**3),
        ("1.5gib", 3 * 1024**3 // 2),
        ("64 KiB", 65_536),
        ("100B", 100),
    ],
)
def test_a_size(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8081", ("127.0.0.1", 8081)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:8081", ("::1", 8081)),
    ],
)
def test_an_address(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("https://origin.example/", "https://origin.example"),
    ],
)
def test_a_server(text: str, server: str) -> None:
    assert parse_server(text) == server


@pytest.mark.parametrize(
    ("parse", "text", "form"),
    [
        *((parse_size, text, "512MiB") for text in ("512", "512MB", "-1MiB", "", "MiB", "1e3KiB")),
        *(
            (parse_address, text, "127.0.0.1:8081")
            for text in ("8081", ":8081", "host", "::1:8081", "h:99999", "http://h:1")
        ),
        *(
            (parse_server, text, "http://HOST:PORT")
            for text in ("127.0.0.1:80", "http://", "http://h/p", "ftp://h", "http://h:x", "//h")
        ),
    ],
)
def test_a_refusal_shows_the_accepted_form(
    parse: Callable[[str], Any], text: str, form: str
) -> None:
    with pytest.raises(ValueError, match=form):
        parse(text)
