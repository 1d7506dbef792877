"""A node's purges on disk: what was acknowledged holds after any restart for what a disk keeps.

One line a purge, its checksum before it; the first line names the log. A line may also say up to
where another's log was read. Only the supervisor writes,
and what it has written is on disk before anybody hears of it. A last line that is cut off was never
acknowledged. Any other damage, or a log that is gone, makes a new one: what the disk holds then
names a log that nobody knows, and is never served.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edge.log_page import Place
from edge.purged import Dated, Purged
from edge.purges import Purge, PurgeKind
from edge.region_places import RegionPlaces, RegionPoint

LINES_MAX: Final = 262_144  # then it is written anew, without what no longer counts
_NO_SLOTS: Final = b64encode(zlib.compress(b""))

log = logging.getLogger("edge.purges")


class DamagedLogError(Exception):
    """A purge log is not what was written."""


@dataclass(slots=True)
class History:
    """What a log says."""

    log_id: bytes  # 8 bytes
    sequence: int = 0  # of the last purge
    purged: Purged = field(default_factory=Purged)
    read_to: Place | None = None  # in another's log
    places: RegionPlaces = field(default_factory=RegionPlaces)  # of that one's numbers

    def apply(self, dated: Dated) -> None:
        """Remember a purge, and what it says of another's log."""
        self.purged.apply(dated)
        if dated.purge.point is not None:
            self.places.note(dated.purge.sequence, dated.purge.point)


def read(path: Path) -> History | None:
    """What the log says, None when there is none. Raises DamagedLogError, OSError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    first, *lines = data.split(b"\n")[:-1] or [b""]  # what follows the last end was never said
    try:
        about = _decoded(first)
        history = History(bytes.fromhex(about["log"]), about["sequence"])
        history.purged.forget_before(about["floor"])
        history.purged.slots.restore(zlib.decompress(b64decode(about.get("slots", _NO_SLOTS))))
        history.read_to = _place(about.get("read_to"))
        last = 0
        for line in lines:
            said = _decoded(line)
            if "read_to" in said:
                history.read_to = _place(said["read_to"])
                continue
            dated = _dated(said)
            if dated.purge.sequence <= last:
                raise DamagedLogError(f"purge {dated.purge.sequence} after {last}")
            last = dated.purge.sequence
            history.apply(dated)
    except (IndexError, KeyError, TypeError, ValueError, zlib.error) as error:
        raise DamagedLogError(str(error)) from None
    history.sequence = max(history.sequence, last)
    return history


class PurgeLog:
    """The log as its only writer sees it. Its methods block on the disk."""

    def __init__(self, path: Path) -> None:
        """Open the log, or begin a new one. Raises OSError."""
        self._path = path
        self._fd: int | None = None
        self._lines = 0
        try:
            history = read(path)
        except DamagedLogError as error:
            log.warning("%s is damaged (%s): the disk starts empty", path, error)
            history = None
        self.history = history or History(os.urandom(8))
        self._rewrite()

    def append(self, purges: Sequence[Dated], *, read_to: Place | None = None) -> None:
        """Have these purges on disk, or no log at all, which does as well. Raises OSError.

        Without a log the next start finds an empty disk; the next purge tries to write it again.
        """
        sayings = [_mapping(dated) for dated in purges]
        if read_to is not None:
            self.history.read_to = read_to
            sayings.append({"read_to": [read_to.log, read_to.number]})
        for dated in purges:
            self.history.apply(dated)
            self.history.sequence = dated.purge.sequence
        try:
            if self._fd is None or self._lines + len(sayings) > LINES_MAX:
                self._rewrite()
            else:
                _write_all(self._fd, sayings)
                os.fdatasync(self._fd)
                self._lines += len(sayings)
        except OSError as error:
            log.warning(
                "%s: %s; until it can be written a restart empties the disk", self._path, error
            )
            self._give_up()

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _rewrite(self) -> None:
        """Put a log with all that still counts in the place of the old one."""
        history = self.history
        aside = self._path.with_suffix(".aside")
        about = {
            "log": history.log_id.hex(),
            "sequence": history.sequence,
            "floor": history.purged.floor,
            "slots": b64encode(zlib.compress(history.purged.slots.to_bytes(), 1)).decode(),
            "read_to": history.read_to and [history.read_to.log, history.read_to.number],
        }
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(fd, [about, *map(_mapping, history.purged)])
            os.fsync(fd)
            aside.rename(self._path)
            _sync_directory(self._path.parent)
        except BaseException:
            os.close(fd)
            raise
        self.close()
        self._fd, self._lines = fd, len(history.purged) + 1

    def _give_up(self) -> None:
        self.close()
        with suppress(FileNotFoundError):
            self._path.unlink()
        _sync_directory(self._path.parent)


def _place(said: list[Any] | None) -> Place | None:
    return None if said is None else Place(str(said[0]), int(said[1]))


def _mapping(dated: Dated) -> dict[str, Any]:
    purge = dated.purge
    return {
        "sequence": purge.sequence,
        "kind": purge.kind.name.lower(),
        "value": purge.value.decode("latin-1"),
        "soft": purge.soft,
        "wall": dated.wall,
        "point": purge.point and [purge.point.log_id.hex(), *purge.point[1:]],
    }


def _dated(said: dict[str, Any]) -> Dated:
    point = None
    if said.get("point") is not None:
        log_id, *numbers = said["point"]
        point = RegionPoint(bytes.fromhex(log_id), *map(int, numbers))
    purge = Purge(
        sequence=said["sequence"],
        kind=PurgeKind[said["kind"].upper()],
        value=said["value"].encode("latin-1"),
        soft=said["soft"],
        point=point,
    )
    return Dated(purge, said["wall"])


def _write_all(fd: int, sayings: Iterable[dict[str, Any]]) -> None:
    """Write one line for each."""
    texts = (json.dumps(said).encode() for said in sayings)
    left = memoryview(b"".join(b"%08x %b\n" % (zlib.crc32(text), text) for text in texts))
    while left:
        left = left[os.write(fd, left) :]


def _decoded(line: bytes) -> dict[str, Any]:
    checksum, _, text = line.partition(b" ")
    if int(checksum, 16) != zlib.crc32(text):
        raise ValueError("checksum")
    said = json.loads(text)
    if not isinstance(said, dict):
        raise TypeError("not an object")
    return said


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
