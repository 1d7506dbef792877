"""A real origin on a free port, in the test's own event loop or as a process."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from origin.names import asset_id_of, upload_id
from origin.service import open_app
from origin.serving import Server, bind, configure
from origin.settings import OriginSettings
from origin.uploads import BODY_TYPE, Creation
from segmenter.publication import Publication, PublishedRendition, Resource
from tests.support.edge_node import NO_TLS
from tests.support.ports import own_port

TUS = {"Tus-Resumable": "1.0.0"}
DEADLINE_S = 180.0


@dataclass
class Submissions:
    """A job queue that only remembers."""

    asset_ids: list[str] = field(default_factory=list)

    def submit(self, asset_id: str) -> None:
        self.asset_ids.append(asset_id)


@contextlib.asynccontextmanager
async def running_origin(
    settings: OriginSettings, jobs: Submissions | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve on a free port; yield a client whose base URL is the origin's."""
    with bind("127.0.0.1", 0) as listener:
        async with open_app(settings, jobs) as app:
            server = Server(configure(settings, app), app.drain)
            server.install_signal_handlers = lambda: None
            serving = asyncio.create_task(server._serve([listener]))
            base = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with httpx.AsyncClient(
                base_url=base, timeout=DEADLINE_S, trust_env=False, verify=NO_TLS
            ) as c:
                try:
                    yield c
                finally:
                    server.should_exit = True
                    await serving


def create_headers(length: int, **more: str) -> dict[str, str]:
    """Return what a tus creation needs."""
    return {**TUS, "Upload-Length": str(length), **more}


def patch_headers(offset: int, **more: str) -> dict[str, str]:
    """Return what a tus PATCH needs."""
    return {**TUS, "Upload-Offset": str(offset), "Content-Type": BODY_TYPE, **more}


async def uploaded(client: httpx.AsyncClient, title: str = "A dance") -> str:
    """Upload ten bytes; return the asset_id."""
    metadata = f"title {base64.b64encode(title.encode()).decode()}"
    made = await client.post(
        "/uploads/", headers=create_headers(10, **{"Upload-Metadata": metadata})
    )
    assert made.status_code == 201
    sent = await client.patch(
        made.headers["location"], headers=patch_headers(0), content=b"0123456789"
    )
    assert sent.status_code == 204
    asset_id = sent.headers["amaro-asset-id"]
    assert asset_id == asset_id_of(made.headers["location"].rsplit("/", 1)[1])
    return asset_id


def creation(*, length: int = 10, title: str = "A dance", region: str = "north") -> Creation:
    """Return an upload that may begin."""
    return Creation(length=length, title=title, region=region, metadata="")


def new_upload_id(number: int) -> str:
    """Return a well-formed upload id, the same for the same number."""
    return upload_id(hashlib.sha1(str(number).encode()).digest())


def playlist(*names: str, duration_s: float = 4.0) -> bytes:
    """Return a media playlist long enough to be worth compressing."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:4", "#EXT-X-MEDIA-SEQUENCE:0"]
    for name in names:
        lines += [f"#EXTINF:{duration_s:.6f},", name]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode()


def content_name(body: bytes, extension: str = "m4s") -> str:
    """Return the content-addressed name of a body."""
    return f"{hashlib.sha256(body).hexdigest()[:32]}.{extension}"


def publication(
    *resources: Resource, complete: bool = False, poster: str | None = None
) -> Publication:
    """Return a publication of one 720p rendition."""
    rendition = PublishedRendition(
        name="720p",
        width=1280,
        height=720,
        bandwidth=2_000_000,
        average_bandwidth=1_500_000,
        codecs="avc1.64001f",
    )
    return Publication(
        resources=resources,
        renditions=(rendition,),
        duration_s=12.5,
        width=1280,
        height=720,
        poster=poster,
        complete=complete,
    )


def main_playlist(body: bytes, *, may_grow: bool = True) -> Resource:
    """Return `main.m3u8` with the given bytes."""
    return Resource(
        name="main.m3u8",
        body=body,
        content_type="application/vnd.apple.mpegurl",
        may_grow=may_grow,
    )


async def eventually(holds: Callable[[], bool], what: str) -> None:
    """Return as soon as `holds()`; fail with `what` after the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)


class OriginProcess:
    """`amaro origin serve` as its own process, to be killed and started again on one data dir."""

    def __init__(self, data: Path, *options: str) -> None:
        self._data = data
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self.port = own_port()  # the same after each death

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it is ready."""
        argv = [sys.executable, "-m", "amaro", "origin", "serve", "--data", str(self._data)]
        argv += ["--listen", f"127.0.0.1:{self.port}", *self._options]
        with (self._data.parent / f"{self._data.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                argv,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "AMARO_ADMIN_TOKEN": "secret"},
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert "listens on" in line, line
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                httpx.get(
                    f"{self.url}/.amaro/ready",
                    trust_env=False,
                    timeout=DEADLINE_S,
                    verify=NO_TLS,
                ).raise_for_status()
                return
            except httpx.HTTPError:
                assert time.monotonic() < deadline, "the origin does not become ready"

    def kill(self) -> None:
        """End it as the kernel's out-of-memory killer would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as an operator would."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(DEADLINE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None


@contextlib.contextmanager
def origin_process(data: Path, *options: str) -> Iterator[OriginProcess]:
    """Yield a running origin; whatever still runs at the end is stopped."""
    process = OriginProcess(data, *options)
    process.start()
    try:
        yield process
    finally:
        process.stop()
