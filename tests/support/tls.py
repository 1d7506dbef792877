"""Certificates for tests, valid for a century: `openssl req -x509 -newkey ec ... -days 36500`."""

import ssl
from pathlib import Path

from edge.settings import CertificatePair

DIRECTORY = Path(__file__).parent / "certificates"


def pair(name: str) -> CertificatePair:
    return CertificatePair(str(DIRECTORY / f"{name}.pem"), str(DIRECTORY / f"{name}.key"))


EDGE = pair("edge.test")  # and localhost, 127.0.0.1
RENEWED = pair("renewed")  # for the same names
WILD = pair("wild.test")  # and *.wild.test
NAMELESS = pair("nameless")


def client_context(*alpn: str, trusted: CertificatePair = EDGE) -> ssl.SSLContext:
    """A context that trusts one pair's certificate."""
    context = ssl.create_default_context(cafile=trusted.certificate)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context
