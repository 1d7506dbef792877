"""Certificates of a listener: one context a pair, chosen by SNI, exchanged while it serves."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from edge.certificate_names import best_for, names_in
from edge.settings import CertificatePair

ALPN: Final = ("h2", "http/1.1")
CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2; those of 1.3 are all good
PEM_BYTES_MAX: Final = 96 * 1024  # of all pairs: workers get them in one message


class CertificateError(Exception):
    """A pair that cannot be used; the message names its files and what is wrong with them."""


class Pem(NamedTuple):
    """What a pair of files held, and how messages call it. Workers get this, never the files."""

    name: str
    certificate: str
    key: str


def read_pairs(pairs: Sequence[CertificatePair]) -> tuple[Pem, ...]:
    """What is in the files. Raises CertificateError unless all of it can be used."""
    pems = tuple(_read(pair) for pair in pairs)
    if sum(len(pem.certificate) + len(pem.key) for pem in pems) > PEM_BYTES_MAX:
        raise CertificateError(f"--tls-cert: more than {PEM_BYTES_MAX // 1024} KiB in all")
    if pems:
        Certificates(pems)
    return pems


def stamps(pairs: Sequence[CertificatePair]) -> tuple[tuple[int, int, int], ...]:
    """What changes when any of the files does; (0, 0, 0) for one that is not there."""
    return tuple(_stamp(Path(name)) for pair in pairs for name in pair)


class Certificates:
    """What a listener's handshakes use. `context` stays the same for as long as it listens."""

    def __init__(self, pems: Sequence[Pem], alpn: Sequence[str] = ALPN) -> None:
        """Raises CertificateError."""
        self._alpn = alpn
        self._by_name, self._default = _contexts(pems, alpn)
        self.context = _context(pems[0], alpn)
        self.context.sni_callback = self._choose

    def renew(self, pems: Sequence[Pem]) -> None:
        """Use these for handshakes to come. Raises CertificateError, and nothing has changed."""
        self._by_name, self._default = _contexts(pems, self._alpn)

    @property
    def names(self) -> tuple[str, ...]:
        """The host names that have a certificate, sorted."""
        return tuple(sorted(self._by_name))

    def _choose(self, handshake: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        handshake.context = best_for(name, self._by_name, self._default)


def _contexts(
    pems: Sequence[Pem], alpn: Sequence[str]
) -> tuple[dict[str, ssl.SSLContext], ssl.SSLContext]:
    """The contexts by host name, and that of the first pair for all other names."""
    by_name: dict[str, ssl.SSLContext] = {}
    contexts = [_context(pem, alpn) for pem in pems]
    for pem, context in zip(pems, contexts, strict=True):
        for name in _names(pem):
            by_name.setdefault(name, context)
    return by_name, contexts[0]


def _context(pem: Pem, alpn: Sequence[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    # the player's choice: a phone without AES in its processor is faster with ChaCha20
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(list(alpn))
    context.num_tickets = 1  # players use one, and each takes time in the handshake
    try:
        with _as_file(pem.certificate + "\n" + pem.key) as path:
            context.load_cert_chain(path, password=_no_password)
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        why = "the key is not this certificate's" if mismatch else "not a pair in PEM, unencrypted"
        raise CertificateError(f"{pem.name}: {why}") from None
    return context


def _no_password() -> bytes:
    """What OpenSSL gets instead of asking on the terminal."""
    return b""


def _names(pem: Pem) -> tuple[str, ...]:
    text = pem.certificate
    first = text[text.index(ssl.PEM_HEADER) : text.index(ssl.PEM_FOOTER)] + ssl.PEM_FOOTER
    try:
        return names_in(ssl.PEM_cert_to_DER_cert(first))
    except ValueError as error:
        raise CertificateError(f"{pem.name}: {error}") from None


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """A path under which OpenSSL finds `text`, which lies on no disk."""
    fd = os.memfd_create("pem")
    try:
        os.write(fd, text.encode("ascii"))
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def _read(pair: CertificatePair) -> Pem:
    certificate = _text("--tls-cert", pair.certificate)
    key = _text("--tls-key", pair.key)
    if ssl.PEM_HEADER not in certificate or ssl.PEM_FOOTER not in certificate:
        raise CertificateError(f"--tls-cert {pair.certificate}: no certificate in PEM")
    return Pem(f"--tls-cert {pair.certificate} --tls-key {pair.key}", certificate, key)


def _text(option: str, name: str) -> str:
    try:
        return Path(name).read_text("ascii")
    except OSError as error:
        raise CertificateError(f"{option} {name}: {error.strerror}") from None
    except UnicodeDecodeError:
        form = "write it as PEM (openssl x509 -inform der, openssl pkey -inform der)"
        raise CertificateError(f"{option} {name}: not PEM; {form}") from None


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino
