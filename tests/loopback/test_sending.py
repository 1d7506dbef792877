"""Uploads over a real socket to a tus origin that breaks off, refuses and forgets on request."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from amaro.destination import Destination
from amaro.remembered import (
    FORGET_AFTER_S,
    Remembered,
    forget_old,
    remembered,
    state_dir,
)
from amaro.sending import PIECE_BYTES, Persistence, SendingError, send

QUICK = Persistence(tries_max=3, pause_s=0.0)
CONTENT = bytes(range(256)) * (PIECE_BYTES // 256 * 2) + b"the rest"


@dataclass
class TusOrigin:
    """Just enough tus to misbehave: one upload at a time, kept in memory."""

    url: str = ""
    uploads: dict[str, bytearray] = field(default_factory=dict)
    metadata: list[str] = field(default_factory=list)
    refuse_creation: tuple[int, str] | None = None
    breaks: list[int] = field(default_factory=list)  # byte counts at which a PATCH breaks off
    patches: int = 0


def handler_of(origin: TusOrigin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.close_connection = True
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            if origin.refuse_creation:
                status, sentence = origin.refuse_creation
                return self.answer(status, json.dumps({"error": sentence}).encode())
            origin.metadata.append(self.headers["Upload-Metadata"])
            name = f"/uploads/{len(origin.metadata)}"
            origin.uploads[name] = bytearray()
            return self.answer(201, Location=name)

        def do_HEAD(self) -> None:
            if self.path not in origin.uploads:
                return self.answer(404)
            offset = str(len(origin.uploads[self.path]))
            return self.answer(200, Upload_Offset=offset, Amaro_Asset_Id=f"asset{self.path[-1]}")

        def do_PATCH(self) -> None:
            origin.patches += 1
            body = origin.uploads[self.path]
            assert int(self.headers["Upload-Offset"]) == len(body)
            length = int(self.headers["Content-Length"])
            if origin.breaks:
                body += self.rfile.read(min(origin.breaks.pop(), length))
                self.close_connection = True
                return None
            body += self.rfile.read(length)
            return self.answer(204, Upload_Offset=str(len(body)))

        def log_message(self, *_: object) -> None:
            return None

    return Handler


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TusOrigin]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    origin = TusOrigin()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(origin)) as server:
        origin.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield origin
        server.shutdown()
        thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(CONTENT)
    return path


def destination(origin: TusOrigin) -> Destination:
    return Destination(region="north", origin=origin.url, edge="http://e", console=None)


def run(file: Path, origin: TusOrigin) -> tuple[str, list[int]]:
    offsets: list[int] = []
    asset_id = send(
        file,
        destination=destination(origin),
        title="Clip",
        on_offset=offsets.append,
        persistence=QUICK,
    )
    return asset_id, offsets


def test_a_file_arrives_in_pieces(file: Path, origin: TusOrigin) -> None:
    assert run(file, origin) == (
        "asset1",
        [0, PIECE_BYTES, 2 * PIECE_BYTES, len(CONTENT)],
    )
    assert origin.uploads["/uploads/1"] == CONTENT
    assert list(state_dir().iterdir()) == []
    names = {pair.split(" ")[0] for pair in origin.metadata[0].split(",")}
    assert names == {"filename", "filetype", "title", "region"}


def test_a_broken_line_is_resumed(file: Path, origin: TusOrigin) -> None:
    origin.breaks = [PIECE_BYTES // 2, 1000]
    run(file, origin)
    assert origin.uploads["/uploads/1"] == CONTENT
    assert len(origin.metadata) == 1


def test_the_next_run_goes_on(file: Path, origin: TusOrigin) -> None:
    origin.breaks = [0, 0, PIECE_BYTES]
    with pytest.raises(SendingError, match="does not answer"):
        run(file, origin)
    asset_id, offsets = run(file, origin)
    assert asset_id == "asset1"
    assert offsets[0] == PIECE_BYTES
    assert origin.uploads["/uploads/1"] == CONTENT


def test_a_forgotten_upload_starts_anew(file: Path, origin: TusOrigin) -> None:
    origin.breaks = [0, 0, PIECE_BYTES]
    with pytest.raises(SendingError):
        run(file, origin)
    origin.uploads.clear()
    assert run(file, origin)[0] == "asset2"
    assert origin.uploads["/uploads/2"] == CONTENT


def test_changed_content_is_another_upload(file: Path, origin: TusOrigin) -> None:
    where = {"origin": origin.url, "region": "north", "title": "Clip"}
    before = remembered(file, **where)
    file.write_bytes(CONTENT + b"!")
    assert remembered(file, **where) != before
    assert remembered(file, **where | {"region": "south"}) != remembered(file, **where)


def test_what_another_run_forgets_meanwhile_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    state_dir().mkdir(parents=True)
    gone, old = state_dir() / "gone", state_dir() / "old"
    gone.symlink_to("nowhere")  # a name and no file
    old.write_text("http://origin/uploads/1")
    assert Remembered(path=gone).url() is None
    forget_old(time.time() + FORGET_AFTER_S + 60)
    assert not old.exists()


def test_a_refusal_is_quoted_and_not_repeated(file: Path, origin: TusOrigin) -> None:
    origin.refuse_creation = (413, "The file is too long; an upload may have 10 bytes at most.")
    with pytest.raises(SendingError, match="may have 10 bytes at most"):
        run(file, origin)
    assert origin.patches == 0


def test_an_empty_file_is_an_upload_too(file: Path, origin: TusOrigin) -> None:
    file.write_bytes(b"")
    assert run(file, origin) == ("asset1", [0])


def test_no_origin_is_said(file: Path, origin: TusOrigin) -> None:
    nowhere = Destination(region="north", origin="http://127.0.0.1:1", edge="http://e", console="c")
    with pytest.raises(SendingError, match="does not answer"):
        send(file, destination=nowhere, title="t", on_offset=print, persistence=QUICK)
