"""Unmodified tus clients upload while the origin, or they themselves, are killed."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from origin.names import asset_id_of, source_key
from tests.support.edge_node import NO_TLS
from tests.support.origin import DEADLINE_S, TUS, OriginProcess, origin_process

SIZE = 24 << 20
SCRIPT = Path(__file__).parent / "clients" / "upload.js"
TUSPY = """
import sys
from tusclient.client import TusClient
from tusclient.storage.filestorage import FileStorage
endpoint, file, state, chunk = sys.argv[1:]
uploader = TusClient(endpoint).uploader(
    file, chunk_size=int(chunk), retries=600, retry_delay=0.2,
    store_url=True, url_storage=FileStorage(state),
)
while uploader.offset < uploader.get_file_size():
    uploader.upload_chunk()
    print('{"accepted": %d}' % uploader.offset, flush=True)
print('{"done": "%s"}' % uploader.url, flush=True)
"""


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.write_bytes(random.Random(20).randbytes(SIZE))
    return path


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[OriginProcess]:
    jobs = f"sqlite:///{tmp_path}/jobs.sqlite"
    options = ("--jobs", jobs, "--disk-free-mib", "0")
    with origin_process(tmp_path / "origin", *options) as process:
        yield process


class Client:
    """A client process whose progress lines can be followed."""

    def __init__(self, argv: list[str]) -> None:
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        self._changed = threading.Condition()
        self._events: list[dict[str, object]] = []
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                with self._changed:
                    self._events.append(json.loads(line))
                    self._changed.notify_all()

    def reaches(self, size: int) -> None:
        """Wait until so many bytes were sent or accepted."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._furthest() >= size, DEADLINE_S), "too slow"

    def _furthest(self) -> int:
        numbers = [event.get("accepted", event.get("sent", 0)) for event in self._events]
        return max((n for n in numbers if isinstance(n, int)), default=0)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self.end()

    def end(self) -> list[dict[str, object]]:
        """Wait until it has ended; return what it said."""
        self._process.wait(200)
        self._thread.join()
        return self._events

    def url(self) -> str:
        """Return the finished upload's URL."""
        return str(self.end()[-1]["done"])


def start(kind: str, origin: OriginProcess, video: Path, chunk: int) -> Client:
    beside = Path(sys.executable).parent  # where it came with npm's wheel
    node = shutil.which("node") or shutil.which("node", path=str(beside))
    assert node is not None
    state = video.parent / "state.json"
    if kind == "tuspy":
        command = [sys.executable, "-c", TUSPY]
    else:
        command = [node, str(SCRIPT)]
        if not state.exists():
            state.write_text("{}")
    return Client([*command, f"{origin.url}/uploads/", str(video), str(state), str(chunk)])


def wait_for_source(tmp_path: Path, url: str) -> bytes:
    """Return the accepted bytes, as the segmenter will find them."""
    path = tmp_path / "origin" / "objects" / source_key(asset_id_of(url.rsplit("/", 1)[1]))
    deadline = time.monotonic() + DEADLINE_S
    while not path.exists():
        assert time.monotonic() < deadline, "the upload was not handed over"
        time.sleep(0.01)
    return path.read_bytes()


def assert_whole(tmp_path: Path, url: str, video: Path) -> None:
    stored = hashlib.sha256(wait_for_source(tmp_path, url)).hexdigest()
    assert stored == hashlib.sha256(video.read_bytes()).hexdigest()
    asset = asset_id_of(url.rsplit("/", 1)[1])
    base = url.partition("/uploads/")[0]
    shown = httpx.get(
        f"{base}/api/assets/{asset}", trust_env=False, timeout=DEADLINE_S, verify=NO_TLS
    ).json()
    assert shown["state"] == "queued"


@pytest.mark.parametrize("kind", ["tuspy", "tus-js-client"])
def test_the_origin_is_killed_in_mid_upload(
    kind: str, origin: OriginProcess, video: Path, tmp_path: Path
) -> None:
    client = start(kind, origin, video, 1 << 20)
    client.reaches(6 << 20)
    origin.kill()
    origin.start()
    url = client.url()
    assert_whole(tmp_path, url, video)


@pytest.mark.parametrize("kind", ["tuspy", "tus-js-client"])
def test_the_client_is_killed_in_mid_upload(
    kind: str, origin: OriginProcess, video: Path, tmp_path: Path
) -> None:
    client = start(kind, origin, video, 1 << 20)
    client.reaches(6 << 20)
    client.kill()
    again = start(kind, origin, video, 4 << 20)
    events = again.end()
    if kind == "tus-js-client":
        assert events[0] == {"resuming": True}
        first = next(event["sent"] for event in events if "sent" in event)
        assert isinstance(first, int)
        assert first >= 6 << 20  # nothing acknowledged is sent again
    assert_whole(tmp_path, str(events[-1]["done"]), video)


def test_one_endless_request_survives_the_origin(
    origin: OriginProcess, video: Path, tmp_path: Path
) -> None:
    """A PATCH without an answer yet: what the dead process had written is not lost."""
    made = httpx.post(
        f"{origin.url}/uploads/",
        headers={**TUS, "Upload-Length": str(SIZE)},
        trust_env=False,
        timeout=DEADLINE_S,
        verify=NO_TLS,
    )
    location = made.headers["location"]
    file = tmp_path / "origin" / "uploads" / asset_id_of(location.rsplit("/", 1)[1])
    content = video.read_bytes()

    def body() -> Iterator[bytes]:
        yield content[: 10 << 20]
        deadline = time.monotonic() + DEADLINE_S
        while file.stat().st_size < 9 << 20:
            assert time.monotonic() < deadline
        origin.kill()
        yield content[10 << 20 :]

    headers = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    headers["Content-Length"] = str(SIZE)
    with pytest.raises(httpx.TransportError):
        httpx.patch(
            f"{origin.url}{location}",
            headers=headers,
            content=body(),
            trust_env=False,
            timeout=DEADLINE_S,
        )
    origin.start()
    answer = httpx.head(
        f"{origin.url}{location}", headers=TUS, trust_env=False, timeout=DEADLINE_S, verify=NO_TLS
    )
    kept = int(answer.headers["upload-offset"])
    assert kept >= 9 << 20
    headers |= {"Upload-Offset": str(kept), "Content-Length": str(SIZE - kept)}
    rest = httpx.patch(
        f"{origin.url}{location}",
        headers=headers,
        content=content[kept:],
        trust_env=False,
        timeout=DEADLINE_S,
        verify=NO_TLS,
    )
    assert rest.status_code == 204
    assert_whole(tmp_path, origin.url + location, video)
