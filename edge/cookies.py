"""Stored responses that set a cookie: everybody will get it, and the operator should know."""

import logging

from cache_policies.stored import Stored
from edge.counters import Counters
from edge.log_lines import path_text

log = logging.getLogger("edge.filling")


def count_cookie(counters: Counters, key: bytes, stored: Stored) -> None:
    """Count a cookie in what has just been stored, and warn of the first (RFC 9111 §7.3)."""
    if any(name == b"set-cookie" for name, _ in stored.fields):
        if not counters.cookies:
            shown = path_text(key).decode()  # the key with no secrets of its query
            log.warning("stored a response that sets a cookie: %s", shown)
        counters.cookies += 1
