"""The host names in a certificate: its subjectAltName (RFC 5280 §4.2.1.6), read from DER."""

from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

_SEQUENCE: Final = 0x30
_EXTENSIONS: Final = 0xA3  # [3] of TBSCertificate
_OCTETS: Final = 0x04
_DNS_NAME: Final = 0x82  # [2] of GeneralName
_SUBJECT_ALT_NAME: Final = b"\x06\x03\x55\x1d\x11"

Kept = TypeVar("Kept")


def names_in(certificate: bytes) -> tuple[str, ...]:
    """The DNS names of a DER certificate, lower-cased; raises ValueError where it is no such."""
    (_, outer), *_ = _elements(certificate)
    (_, signed), *_ = _elements(outer)
    blocks = [body for tag, body in _elements(signed) if tag == _EXTENSIONS]
    for _, extensions in _elements(b"".join(blocks)):
        for _, extension in _elements(extensions):
            if extension.startswith(_SUBJECT_ALT_NAME):
                values = [body for tag, body in _elements(extension) if tag == _OCTETS]
                return tuple(_dns_names(values[-1]))
    return ()


def best_for(name: str | None, kept: Mapping[str, Kept], default: Kept) -> Kept:
    """What is kept under a host name or the wildcard for it (RFC 9525 §6.3), else the default."""
    if name is None:
        return default
    name = name.lower().rstrip(".")
    exact = kept.get(name)
    if exact is not None:
        return exact
    _, dot, parent = name.partition(".")
    return kept.get("*." + parent, default) if dot else default


def _dns_names(value: bytes) -> Iterator[str]:
    for _, names in _elements(value):
        for tag, name in _elements(names):
            if tag == _DNS_NAME:
                yield name.decode("ascii").lower()


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The tag and content of each element, one level deep."""
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise ValueError("a certificate that ends too early")
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if at + length > len(data):
            raise ValueError("a certificate that ends too early")
        yield tag, data[at : at + length]
        at += length
