"""The HTML documents, with the stack's addresses and the build's name filled in."""

from __future__ import annotations

import json
from html import escape
from string import Template

from console.assets import HERE, Asset, asset
from console.settings import ConsoleSettings

PAGES = ("feed", "watch", "upload", "popular", "failover", "not_found")


def public_config(settings: ConsoleSettings) -> dict[str, object]:
    """What `/config.json` says: the edges by region, the default first, and the origin."""
    edges = [{"name": edge.name, "url": edge.url} for edge in settings.edges]
    return {
        "edges": edges,
        "origin": settings.origin,
        "realtime": settings.realtime,
        "signed": settings.signed,
    }


def render_pages(settings: ConsoleSettings, build: str) -> dict[str, Asset]:
    """Every page by name."""
    layout = Template((HERE / "pages" / "layout.html").read_text())
    config = json.dumps(public_config(settings), separators=(",", ":"))
    shared = {
        "static": f"/static/{build}",
        "config": escape(config, quote=True),
        "preconnect": "\n".join(
            f'<link rel="preconnect" href="{escape(edge.url)}" crossorigin>'
            for edge in settings.edges
        ),
    }
    pages: dict[str, Asset] = {}
    for name in PAGES:
        head, main = (HERE / "pages" / f"{name}.html").read_text().split("<!-- main -->", 1)
        parts = {
            "head": Template(head).substitute(shared),
            "main": Template(main).substitute(shared),
        }
        body = layout.substitute(shared, page=name, **parts)
        pages[name] = asset(body.encode(), "text/html; charset=utf-8")
    return pages
