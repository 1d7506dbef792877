"""Which content coding to send (RFC 9110 §12.5.3), and how variants are made."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from typing import Final

import brotli

IDENTITY: Final = "identity"
MAKE: Final[dict[str, Callable[[bytes], bytes]]] = {  # in order of preference
    "br": lambda body: brotli.compress(body, quality=9, mode=brotli.MODE_TEXT),
    "gzip": lambda body: gzip.compress(body, compresslevel=9, mtime=0),
}
WORTHWHILE_BYTES: Final = 200  # a smaller body gains nothing that its own head does not cost


def is_compressible(content_type: str) -> bool:
    """Say whether a type is text of ours: playlists, WebVTT and JSON."""
    base = content_type.partition(";")[0].strip().lower()
    return base.startswith("text/") or base in {
        "application/json",
        "application/vnd.apple.mpegurl",
        "application/x-mpegurl",
    }


def variants(body: bytes, content_type: str) -> dict[str, bytes]:
    """Return {coding: body} of the codings that make the body smaller; empty when none does."""
    if len(body) < WORTHWHILE_BYTES or not is_compressible(content_type):
        return {}
    made = {coding: make(body) for coding, make in MAKE.items()}
    return {coding: small for coding, small in made.items() if len(small) < len(body)}


def choose(accept_encoding: str | None, available: Sequence[str]) -> str:
    """Return the coding to send: the client's highest q-value, ties in our order of preference."""
    if accept_encoding is None or not available:
        return IDENTITY
    weights = _weights(accept_encoding)
    star = weights.get("*", 0.0)
    best, best_q = IDENTITY, 0.0
    for coding in MAKE:
        q = weights.get(coding, star)
        if coding in available and q > best_q:
            best, best_q = coding, q
    # Uncompressed is always acceptable unless refused; it wins only when it is asked for more.
    return IDENTITY if weights.get(IDENTITY, 0.0) > best_q else best


def _weights(accept_encoding: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for item in accept_encoding.split(","):
        coding, *parameters = (part.strip().lower() for part in item.split(";"))
        q = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                q = _q_value(value.strip())
        if coding:
            weights["gzip" if coding == "x-gzip" else coding] = q
    return weights


def _q_value(text: str) -> float:
    """Return a weight of 0 to 1; what is no number is 0, so that nothing unclear is chosen."""
    whole, _, fraction = text.partition(".")
    if whole not in {"0", "1"} or not (fraction.isdigit() or fraction == "") or len(fraction) > 3:
        return 0.0
    return min(1.0, float(text))
