"""The response headers of the pages: what a page may load, and for how long it may be kept."""

from __future__ import annotations

from console.settings import ConsoleSettings

IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"


def content_security_policy(settings: ConsoleSettings) -> str:
    """The policy of every page: own scripts and styles, media from the edges and the origin."""
    hosts = " ".join(settings.hosts())
    sockets = [f"ws{edge.url.removeprefix('http')}" for edge in settings.edges]
    connected = " ".join([hosts, *(sockets if settings.realtime else ())])
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src 'self' blob: {hosts}",
            f"media-src blob: {hosts}",
            f"connect-src 'self' {connected}",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def common_headers(settings: ConsoleSettings) -> dict[str, str]:
    """Headers that every response of the console carries."""
    return {
        "content-security-policy": content_security_policy(settings),
        "x-content-type-options": "nosniff",
        "referrer-policy": "strict-origin-when-cross-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
