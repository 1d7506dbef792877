"""What a person writes for a size, an address or a server, read once and strictly."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

MIB: Final = 1024**2
GIB: Final = 1024**3

UNITS: Final = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}
SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(" + "|".join(UNITS) + ")", re.IGNORECASE)
ADDRESS: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/\[\]]+)):(\d{1,5})")

_FACTORS: Final = {unit.lower(): factor for unit, factor in UNITS.items()}


def parse_size(text: str) -> int:
    """Return the bytes that `512MiB` means; raises ValueError with the accepted form."""
    match = SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size; write a number with a unit, as 512MiB or 2GiB")
    return int(float(match[1]) * _FACTORS[match[2].lower()])


def shown_size(size_bytes: int) -> str:
    """Return `1.5 GiB` for a number of bytes."""
    unit = max((unit for unit in UNITS if UNITS[unit] <= max(1, size_bytes)), key=UNITS.__getitem__)
    return f"{size_bytes / UNITS[unit]:.4g} {unit}"


def parse_address(text: str) -> tuple[str, int]:
    """Return the host and port of `127.0.0.1:8081` or `[::1]:8081`; raises ValueError."""
    match = ADDRESS.fullmatch(text.strip())
    if match is None or int(match[3]) > 65_535:
        raise ValueError(f"{text!r} is not HOST:PORT, as 127.0.0.1:8081 or [::]:8081")
    return match[1] or match[2], int(match[3])


def parse_server(text: str) -> str:
    """Return `http://host[:port]` without a trailing slash; raises ValueError."""
    shown = re.sub("//[^/]*@", "//-@", text)  # what stands there may be a password
    form = f"{shown!r} is not a server's URL; write http://HOST:PORT, without user or path"
    try:
        parts = urlsplit(text.strip())
        parts.port  # noqa: B018 raises for a port that is none
    except ValueError:
        raise ValueError(form) from None
    extra = parts.path.rstrip("/") or parts.query or parts.fragment or parts.username
    if parts.scheme not in ("http", "https") or not parts.hostname or extra:
        raise ValueError(form)
    return f"{parts.scheme}://{parts.netloc}"
