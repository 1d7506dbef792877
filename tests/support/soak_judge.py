"""What must hold of every answer in a soak, whatever was done to the node meanwhile."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.soak_rules import BYPASSED
from tests.support.soak_world import (
    Invalidations,
    Said,
    World,
    content,
    etag_of,
    kind_of,
    read_etag,
    size_of,
)

SLACK_S = 2.5  # Age and Date count whole seconds, on each of two hops
RUNNING_S = 1.0  # an answer that ended this long ago may have arrived just now


@dataclass
class Ask:
    """One request, and what had been promised when it was sent."""

    number: int
    method: str
    url: str  # without a host: http:/path
    fields: dict[str, str]
    asked_mono: float
    hard_mono: float
    soft: Invalidations
    spans: list[tuple[int, int | None]] = field(default_factory=list)
    tag_mono: float = 0.0  # of a purge that counts as long as the same rules are in force
    hurried: bool = True  # it reads as fast as it can

    @property
    def path(self) -> str:
        return self.url.partition(":")[2]

    def lines(self) -> list[str]:
        return [f"{name}: {value}" for name, value in self.fields.items()]


@dataclass
class Heard:
    """An answer as far as it came; `status` is 0 when nothing came."""

    status: int
    fields: dict[str, str]
    body: bytes
    whole: bool
    ended_mono: float
    began_mono: float = 0.0  # when its head was there


class Judge:
    """Sees every answer; what it finds wrong is in `complaints`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.says: Counter[str] = Counter()
        self.complaints: list[str] = []
        self.judged = 0
        self._cut: list[tuple[Ask, Heard]] = []

    def hear(self, ask: Ask, heard: Heard) -> None:
        """Judge an answer; one that was cut off later, when it is known what else happened."""
        if heard.whole or not heard.status:
            self.judge(ask, heard)
        else:
            self._cut.append((ask, heard))

    def judge_cut(self) -> None:
        """Judge the answers that were cut off so far."""
        cut, self._cut = self._cut, []
        for ask, heard in cut:
            self.judge(ask, heard)

    def judge(self, ask: Ask, heard: Heard) -> None:
        self.judged += 1
        said = re.sub(r"; (ttl=[^;]*|fwd-status=2..)", "", heard.fields.get("cache-status", "none"))
        self.says[f"{heard.status} {said}"] += 1
        try:
            self._judge(ask, heard)
        except (AssertionError, KeyError, ValueError) as error:
            number = int(heard.fields.get("x-said", "-1"))
            of = self.world.said[number] if number >= 0 else None
            what = f"{error!r}\n  {ask}\n  {heard.status} whole={heard.whole} "
            what += f"{len(heard.body)} bytes until {heard.ended_mono} {heard.fields}\n  {of}"
            self.complaints.append(what)

    def _judge(self, ask: Ask, heard: Heard) -> None:
        kind, world = kind_of(ask.path), self.world
        calm = world.is_calm(ask.path, ask.asked_mono)
        if heard.status == 504 and "only-if-cached" in str(ask.fields):
            return
        if heard.status == 0 or heard.status >= 500:
            assert not calm, "an error without a reason"
            return
        if not heard.whole and ask.hurried:
            of = world.said[int(heard.fields.get("x-said", "-1"))]
            outdated = of.version != world.versions[ask.path]  # the rest of it is nowhere
            relieved = world.relieved_mono >= ask.asked_mono  # of readers: memory was short
            assert not calm or outdated or relieved, "cut off without a reason"
        if heard.status == 416:
            assert ask.spans, "nobody wanted a part"
            size = int(heard.fields["content-range"].removeprefix("bytes */"))
            assert all(first >= size for first, _ in ask.spans), "within the body"
            return
        said = world.said[int(heard.fields["x-said"])]
        assert said.path == ask.path, "another URL's answer"
        if heard.status == 404:
            assert said.asker == str(ask.number) or not calm, "another's error"
            return
        if ask.method == "POST":
            assert said.asker == str(ask.number), "another's answer"
            if heard.status == 204:
                world.invalidate([ask.url], said.generated_mono)
            return
        self._judge_reuse(ask, said)
        version, variant = read_etag(heard.fields["etag"])
        assert heard.fields["etag"] == etag_of(ask.path, version, variant), "no such ETag"
        assert version == said.version, "fields of two versions"
        if kind.by_language:
            assert variant == ask.fields.get("Accept-Language", ""), "another language"
        FORMS[heard.status](ask, heard, version)
        if heard.status in (200, 206):
            self._judge_bytes(ask, heard, content(ask.path, version, variant))

    def _judge_reuse(self, ask: Ask, said: Said) -> None:
        """See that an answer was this player's to have, now."""
        if said.asker == str(ask.number):
            return
        kind = kind_of(ask.path)
        assert not kind.own, "another's own"
        for_all = "must-revalidate" in kind.control  # RFC 9111 §3.5
        assert for_all or not said.with_authorization, "an answer to Authorization"
        rules = list(self.world.in_force.since(ask.asked_mono))
        bypassed = ask.path.startswith(BYPASSED) and all(each.bypasses for each in rules)
        assert not bypassed, "not to be shared by the rules in force"
        generated_mono = said.generated_mono
        floor_mono = ask.hard_mono if len(rules) > 1 else max(ask.hard_mono, ask.tag_mono)
        assert generated_mono >= floor_mono, "purged content"
        calm = self.world.is_calm(ask.path, ask.asked_mono)
        if kind.checked or (calm and "no-cache" in str(ask.fields)):
            assert said.ended_mono + RUNNING_S >= ask.asked_mono, "not validated"
            return
        stale_max_s = 0.0 if all(each.never_stale for each in rules) else kind.stale_s
        lifetime_s = min(kind.lifetime_s, max(each.lifetime_max_s for each in rules))
        age_s = ask.asked_mono - generated_mono
        assert age_s <= lifetime_s + stale_max_s + SLACK_S, f"too old: {age_s:.1f} s"
        stale_s = ask.asked_mono - ask.soft.stale_since(generated_mono)
        slack_s = SLACK_S if stale_max_s else 0.0  # by way of another worker
        assert stale_s <= stale_max_s + slack_s, f"softly purged {stale_s:.1f} s ago"

    def _judge_bytes(self, ask: Ask, heard: Heard, whole: memoryview) -> None:
        if ask.method == "HEAD":
            assert heard.body == b"", "a body for HEAD"
            return
        kind = heard.fields.get("content-type", "")
        if heard.status == 206 and kind.startswith("multipart/byteranges"):
            if heard.whole:
                judge_parts(heard, kind.partition("boundary=")[2], whole)
            return
        expected = whole
        if heard.status == 206:
            first, last, size = span_of(heard.fields["content-range"])
            assert size == len(whole), "another length"
            expected = whole[first : last + 1]
        if heard.whole:
            assert heard.body == bytes(expected), "wrong bytes"
        else:
            assert heard.body == bytes(expected[: len(heard.body)]), "wrong bytes before a cut"


def span_of(content_range: str) -> tuple[int, int, int]:
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", content_range)
    assert found, content_range
    return int(found[1]), int(found[2]), int(found[3])


def judge_parts(heard: Heard, boundary: str, whole: memoryview) -> None:
    """See that each part of a multipart body has the bytes that it says."""
    mark = b"--" + boundary.strip('"').encode()
    rest, parts = heard.body.partition(mark)[2], 0
    while not rest.startswith(b"--"):
        head, _, rest = rest.partition(b"\r\n\r\n")
        found = re.search(rb"(?i)content-range: ([^\r]*)", head)
        assert found, "a part without its place"
        first, last, size = span_of(found[1].decode())
        assert size == len(whole), "another length"
        length = last + 1 - first
        assert rest[:length] == bytes(whole[first : last + 1]), "wrong bytes in a part"
        assert rest[length:].startswith(b"\r\n" + mark), "a part without its end"
        rest, parts = rest[length + 2 + len(mark) :], parts + 1
    assert parts > 1, "one part is no multipart"


def _whole(ask: Ask, heard: Heard, version: int) -> None:
    length = heard.fields.get("content-length")
    assert length in (None, str(size_of(ask.path, version))), "another length"


def _part(ask: Ask, heard: Heard, _version: int) -> None:
    assert ask.spans, "a part that nobody wanted"
    assert ask.fields.get("If-Range", heard.fields["etag"]) == heard.fields["etag"], "If-Range"
    if len(ask.spans) == 1:
        first, last, size = span_of(heard.fields["content-range"])
        wanted = ask.spans[0]
        until = size - 1 if wanted[1] is None else min(wanted[1], size - 1)
        assert (first, last) == (wanted[0], until), "another part"


def _unchanged(ask: Ask, heard: Heard, _version: int) -> None:
    assert heard.fields["etag"] == ask.fields.get("If-None-Match"), "changed in truth"
    assert heard.body == b"", "a body for 304"


FORMS: dict[int, Callable[[Ask, Heard, int], None]] = {
    200: _whole,
    206: _part,
    304: _unchanged,
}
