"""Steering orders as a controller gives them, and a multivariant playlist."""

from __future__ import annotations

import json
from typing import Any

MULTIVARIANT = b"""#EXTM3U
#EXT-X-VERSION:7
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="sound",DEFAULT=YES,URI="audio.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS="avc1.4d401e,mp4a.40.2",AUDIO="sound"
360p.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1700000,CODECS="avc1.4d401f,mp4a.40.2",AUDIO="sound"
540p.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,URI="frames.m3u8"
"""


def steered(**others: Any) -> dict[str, Any]:
    """A service with two providers, the first of which is the better one."""
    return {
        "service": "media",
        "playlists": ["/v/*/main.m3u8"],
        "server_uri": "https://steer.example/.amaro/steer",
        "ttl_s": 60,
        "pathways": [{"id": "one", "host": "one.example"}, {"id": "two", "host": "two.example"}],
        "shares": [["one", 1.0]],
        "order": ["one", "two"],
    } | others


def order(*services: dict[str, Any], number: int = 1, epoch: int = 1) -> dict[str, Any]:
    """A whole order."""
    return {"version": [epoch, number], "services": list(services)}


def text(*services: dict[str, Any], number: int = 1) -> str:
    """The same as the supervisor gives it to a worker."""
    return json.dumps(order(*services, number=number))
