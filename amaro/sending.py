"""Send a file to an origin over tus, resuming what an earlier run or a broken line left."""

from __future__ import annotations

import json
import mimetypes
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

import httpx
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from amaro.remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tusclient.uploader.uploader import Uploader

    from amaro.destination import Destination

PIECE_BYTES: Final = 4 * 1024 * 1024  # one PATCH request; also how much a broken line costs
WORTH_RETRYING: Final = {408, 409, 423, 429, 500, 502, 503, 504}


class SendingError(Exception):
    """The upload cannot go on; the message is a sentence for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistence:
    """How long a sender keeps trying when the origin does not answer."""

    tries_max: int = 30
    pause_s: float = 1.0


def send(
    file: Path,
    *,
    destination: Destination,
    title: str,
    on_offset: Callable[[int], None],
    persistence: Persistence,
) -> str:
    """Upload the file and return its asset id; `on_offset` hears how many bytes are accepted.

    Interrupted at any point, the next call for the same file goes on where this one ended.
    """
    memory = remembered(file, origin=destination.origin, region=destination.region, title=title)
    metadata = metadata_of(file, title=title, region=destination.region)
    client = TusClient(f"{destination.origin}/uploads/")
    with file.open("rb") as body:
        url = memory.url()
        uploader = _resume(client, body, url) if url else None
        if url is None or uploader is None:
            uploader = client.uploader(file_stream=body, chunk_size=PIECE_BYTES, metadata=metadata)
            url = _begin(uploader)
            memory.keep(url)
        on_offset(uploader.offset)
        _send_rest(uploader, on_offset, persistence)
    asset_id = _asset_id(url, persistence)
    memory.forget()
    return asset_id


def metadata_of(file: Path, *, title: str, region: str) -> dict[str, str]:
    """Return what the origin is told of a file; bytes of its name that are no text become `?`."""
    said = {
        "filename": file.name,
        "filetype": mimetypes.guess_type(file.name)[0] or "application/octet-stream",
        "title": title,
        "region": region,
    }
    return {key: value.encode(errors="replace").decode() for key, value in said.items()}


def _resume(client: TusClient, body: BinaryIO, url: str) -> Uploader | None:
    """Return an uploader at the origin's offset; None when the origin has forgotten the upload."""
    try:
        return client.uploader(file_stream=body, chunk_size=PIECE_BYTES, url=url)
    except TusCommunicationError as error:
        if error.status_code in {403, 404, 410}:
            return None
        raise SendingError(_sentence(error)) from error


def _begin(uploader: Uploader) -> str:
    try:
        url = str(uploader.create_url())
    except TusCommunicationError as error:
        raise SendingError(_sentence(error)) from error
    uploader.set_url(url)
    return url


def _send_rest(
    uploader: Uploader, on_offset: Callable[[int], None], persistence: Persistence
) -> None:
    """Send what the origin lacks, asking it where to go on after each failure."""
    tries = 0
    while uploader.offset < uploader.stop_at:
        try:
            uploader.upload_chunk()  # type: ignore[no-untyped-call]
            tries = 0
        except TusCommunicationError as error:
            tries += 1
            has_answered = error.status_code is not None
            is_refusal = has_answered and error.status_code not in WORTH_RETRYING
            if is_refusal or tries >= persistence.tries_max:
                raise SendingError(_sentence(error)) from error
            time.sleep(persistence.pause_s)
            with suppress(TusCommunicationError):  # the next try meets it again
                uploader.offset = uploader.get_offset()
        on_offset(uploader.offset)


def _asset_id(upload_url: str, persistence: Persistence) -> str:
    """Ask for the public name of an upload whose bytes are all there."""
    for _ in range(persistence.tries_max):
        with suppress(httpx.HTTPError):
            answer = httpx.head(upload_url, headers={"Tus-Resumable": "1.0.0"})
            if "Amaro-Asset-Id" in answer.headers:
                return answer.headers["Amaro-Asset-Id"]
        time.sleep(persistence.pause_s)
    raise SendingError("The origin has the file, but does not answer any more.")


def _sentence(error: TusCommunicationError) -> str:
    """Return the origin's own sentence if it sent one."""
    if error.status_code is None:
        return f"The origin does not answer: {error}"
    with suppress(ValueError, TypeError, KeyError):
        return str(json.loads(error.response_content)["error"])
    return f"The origin refused the upload with status {error.status_code}."
