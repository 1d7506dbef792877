"""Somebody who watches: picks a story, follows a bitrate, seeks now and then, sends CMCD."""

from __future__ import annotations

import random
import time
import uuid

import gevent
from locust import between, task
from locust.contrib.fasthttp import FastHttpUser

from locustfiles import targets
from locustfiles.cmcd import cmcd_query
from locustfiles.playlists import (
    MediaPlaylist,
    Multivariant,
    PlaylistError,
    choose,
    parse_media,
    parse_multivariant,
)

BUFFER_MAX_S = 24.0
SEGMENTS_MAX = 12  # of one viewing: people leave
SEEK_SHARE = 0.12  # of segments after which somebody jumps
START_THROUGHPUT_BPS = 1_500_000.0
SMOOTHING = 0.4


class VodViewer(FastHttpUser):
    """One player. A buffer that runs dry is reported as a failure named `stall`."""

    weight = 12
    wait_time = between(0.5, 3.0)
    network_timeout = 20.0
    host = "http://unused"  # requests name their edge in full

    def on_start(self) -> None:
        """Choose an edge, as a region's people do."""
        aims = targets.from_environment()
        self.region, self.edge = random.choice(list(aims.edges.items()))
        self.throughput_bps = START_THROUGHPUT_BPS

    @task
    def watch(self) -> None:
        """Watch one story from somewhere near its beginning, or from the middle."""
        story = self.pick()
        if story is None:
            return
        self.session = {"cid": story, "sid": str(uuid.uuid4()), "sf": "h", "st": "v"}
        url = f"{self.edge}/v/{story}/main.m3u8"
        text = self.fetch(url, "playlist main", ot="m")
        if text is None:
            return
        try:
            multivariant = parse_multivariant(text.decode(), url)
            self.play(multivariant)
        except PlaylistError as error:
            self.complain("playlist", str(error))

    def pick(self) -> str | None:
        """A story of the region, or one that the load test uploaded; None while there is none."""
        stories: list[str] = []
        for region in (self.region, targets.REGION):
            url = f"{self.edge}/feed/{region}?limit=12"
            with self.client.get(url, name="feed", catch_response=True) as answer:
                if answer.status_code == 200:
                    stories += [story["asset_id"] for story in answer.json()["stories"]]
        return random.choice(stories) if stories else None

    def play(self, multivariant: Multivariant) -> None:
        """Fetch segments as fast as the buffer empties in real time."""
        media: dict[str, MediaPlaylist] = {}
        audio = self.load(media, multivariant.audio_url, "playlist audio")
        position, buffer_until, last_url = 0, 0.0, None
        for _ in range(SEGMENTS_MAX):
            variant = choose(multivariant, self.throughput_bps)
            video = self.load(media, variant.url, "playlist video")
            if video is None or position >= len(video.segments):
                return
            buffer_s = max(0.0, buffer_until - time.monotonic())
            if buffer_until and buffer_until < time.monotonic() - 0.05:
                self.complain("stall", f"dry for {time.monotonic() - buffer_until:.2f} s")
            said = {"bl": _hundreds(buffer_s * 1000), "br": variant.bandwidth_bps // 1000}
            if variant.url != last_url and video.init_url:
                self.fetch(video.init_url, "init", ot="i")
            last_url = variant.url
            segment = video.segments[position]
            is_fetched = self.segment(segment.url, segment.duration_s, "v", said)
            if audio and position < len(audio.segments):
                sound = audio.segments[position]
                is_fetched &= self.segment(sound.url, sound.duration_s, "a", said)
            if not is_fetched:
                return
            now = time.monotonic()
            buffer_until = max(buffer_until, now) + segment.duration_s
            gevent.sleep(max(0.0, buffer_until - now - BUFFER_MAX_S))
            position += 1
            if random.random() < SEEK_SHARE:
                position, buffer_until = random.randrange(len(video.segments)), 0.0

    def load(
        self, media: dict[str, MediaPlaylist], url: str | None, name: str
    ) -> MediaPlaylist | None:
        """A media playlist, fetched once a viewing."""
        if url is not None and url not in media:
            text = self.fetch(url, name, ot="m")
            if text is None:
                return None
            media[url] = parse_media(text.decode(), url)
        return None if url is None else media[url]

    def segment(self, url: str, duration_s: float, kind: str, said: dict[str, int]) -> bool:
        """Fetch one segment and learn from how long it took."""
        began = time.monotonic()
        facts = {
            **said,
            "d": round(duration_s * 1000),
            "mtp": _hundreds(self.throughput_bps / 1000),
        }
        body = self.fetch(url, f"segment {kind}", ot=kind, **facts)
        if body is None:
            return False
        took_s = max(time.monotonic() - began, 0.001)
        if kind == "v":
            measured = 8 * len(body) / took_s
            self.throughput_bps += SMOOTHING * (measured - self.throughput_bps)
        return True

    def fetch(self, url: str, name: str, **said: str | int) -> bytes | None:
        """GET through the edge; the answer must say what the edge did with it."""
        full = f"{url}?{cmcd_query({**self.session, **said})}"
        with self.client.get(full, name=name, catch_response=True) as answer:
            status = (answer.headers or {}).get("cache-status") or ""
            if answer.status_code != 200:
                answer.failure(f"status {answer.status_code}")
            elif "amaro-edge" not in status:
                answer.failure(f"no Cache-Status of an edge: {status!r}")
            elif not answer.content:
                answer.failure("an empty body")
            else:
                return bytes(answer.content)
        return None

    def complain(self, name: str, why: str) -> None:
        """Count something that went wrong apart from any one request."""
        self.environment.events.request.fire(
            request_type="PLAY",
            name=name,
            response_time=0,
            response_length=0,
            exception=RuntimeError(why),
            context={},
        )


def _hundreds(value: float) -> int:
    """CMCD rounds to the nearest hundred."""
    return round(value / 100) * 100
