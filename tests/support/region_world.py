"""What the edges of a simulated region have outside them: an origin with a log, a Valkey, disks."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from edge.log_page import Place
from edge.purge_log import History
from edge.purged import Dated
from edge.purges import Purge, PurgeKind
from edge.record import RecordHead
from edge.settings import Limits

SECONDS: Final = 120.0  # of a region's life
UNSYNCED_MAX_S: Final = 15.0
LIMITS: Final = Limits(
    unsynced_max_s=UNSYNCED_MAX_S, purge_log_every_s=5.0, purge_log_s=4.0, purge_ack_s=1.0
)
SLACK_S: Final = 12.0  # until an edge finds that it is cut off, and its workers know
KEYS: Final = {
    b"http://h/a": (b"x",),
    b"http://h/b": (b"x", b"y"),
    b"http://h/v/c": (b"y",),
    b"http://h/v/d": (),
}
NAMED: Final = {  # kind and value: the keys
    ("url", "http://h/a"): (b"http://h/a",),
    ("url", "/b"): (b"http://h/b",),
    ("prefix", "http://h/v/"): (b"http://h/v/c", b"http://h/v/d"),
    ("tag", "x"): (b"http://h/a", b"http://h/b"),
    ("tag", "y"): (b"http://h/b", b"http://h/v/c"),
    ("all", ""): tuple(KEYS),
}
KINDS: Final = {
    "url": PurgeKind.URL,
    "prefix": PurgeKind.PREFIX,
    "tag": PurgeKind.TAG,
    "all": PurgeKind.ALL,
}


PASSED: Final = b"passed"  # what a peer says that has asked the origin for another


def now() -> float:
    return asyncio.get_running_loop().time()


class LostError(Exception):
    """A host that is not there, or cannot be reached."""


@dataclass(frozen=True)
class Logged:
    """What was purged, and which versions are the first that come after."""

    log: str
    number: int
    kind: str
    value: str
    soft: bool
    at: float
    versions: dict[bytes, int]

    def row(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "kind": self.kind,
            "value": self.value,
            "soft": self.soft,
        }


class Origin:
    """Has the content, whose versions only rise, and the log."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.versions = dict.fromkeys(KEYS, 1)
        self.log, self.number, self.floor = "log-0", 0, 0
        self.logged: list[Logged] = []  # of all logs
        self.of_log: list[Logged] = []  # of this one

    def change(self, names: Sequence[bytes]) -> dict[bytes, int]:
        for key in names:
            self.versions[key] += 1
        return {key: self.versions[key] for key in names}

    def purge(self) -> Logged:
        (kind, value), names = self.draw.choice(list(NAMED.items()))
        soft = self.draw.random() < 0.1
        versions = {} if soft else self.change(names)
        self.number += 1 if self.draw.random() < 0.9 else 3  # some numbers are never given
        logged = Logged(self.log, self.number, kind, value, soft, now(), versions)
        self.logged.append(logged)
        self.of_log.append(logged)
        return logged

    def begin_anew(self) -> None:
        self.log, self.number, self.floor = f"log-{len(self.logged) + 1}", 0, 0
        self.of_log = []

    def page(self, after: int) -> dict[str, Any]:
        rows = [each.row() for each in self.of_log if each.number > max(after, self.floor)]
        last = self.of_log[-1].number if self.of_log else 0
        return {"log": self.log, "floor": self.floor, "last": last, "purges": rows[:5]}

    def message(self, after: int) -> dict[str, Any] | None:
        rows = [each.row() for each in self.of_log if each.number > after]
        return {"log": self.log, "after": after, "purges": rows} if rows else None

    def required(self, log: str, number: int) -> dict[bytes, int]:
        """The versions that come after the purges of a log up to a number."""
        versions: dict[bytes, int] = {}
        for each in self.logged:
            if each.log == log and each.number <= number:
                versions |= {key: max(v, versions.get(key, 0)) for key, v in each.versions.items()}
        return versions


class SharedStore:
    """A Valkey: it holds records, and a version in the place of bytes."""

    def __init__(self) -> None:
        self.is_up = True
        self.values: dict[tuple[bytes, bytes], tuple[RecordHead, int]] = {}


class Disk:
    """What outlives an edge: its log of purges, and files that say their place in it."""

    def __init__(self) -> None:
        self.history = History(b"of disk!")
        self.files: dict[bytes, tuple[int, int]] = {}  # sequence and version, by key

    @property
    def sequence(self) -> int:
        return self.history.sequence

    @property
    def read_to(self) -> Place | None:
        return self.history.read_to

    @property
    def places(self) -> Any:
        return self.history.places

    async def record(self, purges: Sequence[Purge], *, read_to: Place | None = None) -> None:
        await asyncio.sleep(0.002)
        for purge in purges:
            self.history.apply(Dated(purge, 0.0))
            self.history.sequence = purge.sequence
        if read_to is not None:
            self.history.read_to = read_to

    def read_again(self) -> History:
        """As a worker reads it that begins now."""
        history = History(self.history.log_id, self.history.sequence)
        history.purged.forget_before(self.history.purged.floor)
        for dated in self.history.purged:
            history.apply(dated)
        return history
