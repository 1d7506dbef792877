"""What the options of `amaro edge serve` mean; each raises ValueError for what says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from amaro.quantities import parse_server

if TYPE_CHECKING:
    from cache_policies.contest import Objective


def read_objective(text: str) -> Objective:
    """What eviction saves."""
    from cache_policies.contest import Objective  # noqa: PLC0415

    try:
        return Objective(text)
    except ValueError:
        choices = " or ".join(Objective)
        raise ValueError(f"{text!r} is nothing to save; write {choices}") from None


def read_page_origins(texts: list[str]) -> tuple[str, ...]:
    """Origins (RFC 6454) of pages, or *."""
    for text in texts:
        parts = urlsplit(text)
        if text not in ("*", f"{parts.scheme}://{parts.netloc}"):
            raise ValueError(f"{text!r} is no origin; write one as https://pages.example, or *")
    return tuple(texts)


def read_networks(texts: list[str]) -> tuple[str, ...]:
    """CIDR networks."""
    from edge.clients import TrustedProxies  # noqa: PLC0415

    TrustedProxies(texts)
    return tuple(texts)


def read_origins(said: list[str]) -> list[str]:
    """The default group's servers, then `NAME=servers` of each other group; raises ValueError."""
    from edge.origins import DEFAULT, parse_groups  # noqa: PLC0415

    groups = {
        name: ",".join(map(parse_server, urls)) for name, urls in parse_groups(tuple(said)).items()
    }
    own = groups.pop(DEFAULT)
    return [own, *(f"{name}={urls}" for name, urls in groups.items())]


def read_field_name(text: str) -> str:
    """A header field's name, or nothing."""
    if not text or (text.isascii() and text.replace("-", "").replace("_", "").isalnum()):
        return text
    raise ValueError(f"{text!r} is not a header field's name, as CF-IPCountry")


def read_path(text: str) -> str:
    """A path, percent-encoded."""
    if not text.startswith("/") or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"{text!r} is not a path; write /PATH, percent-encoded")
    return text


def read_url(text: str) -> str:
    """An http or https URL."""
    if urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).netloc:
        raise ValueError(f"{text!r} is not a URL, as http://127.0.0.1:8084/purges")
    return text


def read_admins(texts: list[str]) -> tuple[str, ...]:
    """URLs of admin listeners, each text with commas between them."""
    urls = [url for text in texts for url in text.split(",")]
    return tuple(read_url(url).rstrip("/") for url in urls)
