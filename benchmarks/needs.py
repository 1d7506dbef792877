"""The commands that a benchmark calls and does not bring, and the Debian packages that do."""

import shutil
from collections.abc import Iterable

PACKAGE_OF = {
    "gdnsd": "gdnsd",
    "h2load": "nghttp2-client",
    "knotd": "knot",
    "nginx": "nginx-light",
    "openssl": "openssl",
    "pdns_server": "pdns-backend-sqlite3",
    "sqlite3": "sqlite3",
    "taskset": "util-linux",
    "varnishd": "varnish",
    "varnishncsa": "varnish",
    "wrk": "wrk",
}


def missing_packages(commands: Iterable[str]) -> list[str]:
    """Return the Debian packages, sorted, of those commands that are not on PATH."""
    return sorted({PACKAGE_OF[name] for name in commands if shutil.which(name) is None})
