"""Addresses as configuration writes them: 192.0.2.53, 192.0.2.53:5300, [2001:db8::53]:5300."""

from __future__ import annotations


def host_and_port(text: str, port: int) -> tuple[str, int]:
    """Return what `text` says; `port` where it names none."""
    if text.startswith("[") or text.count(":") == 1:
        host, _, said = text.rpartition(":")
        return (host.strip("[]"), int(said)) if not text.endswith("]") else (text.strip("[]"), port)
    return text, port
