"""An origin whose content and rules move on, which fails at will and remembers all it said."""

import asyncio
import random
from dataclasses import dataclass, field
from email.utils import formatdate

from cache_policies.message import Fields
from edge.errors import UpstreamError, UpstreamTimeoutError
from edge.fetch import Fetch
from edge.routes import Upstream
from tests.support.virtual_time import WALL_AT_START, Clock

LANGUAGES = ("", "tr", "de")
SPARE = "http://127.0.0.1:2"  # an origin that never fails
SIZES = (0, 1, 300, 5_000, 70_000, 400_000, 2_500_000)


@dataclass(frozen=True)
class Rule:
    """What a Cache-Control means, in plain numbers: the simulation never parses one."""

    text: str
    lifetime_s: float = 0.0
    while_revalidate_s: float = 0.0
    if_error_s: float = 0.0
    shared: bool = True  # by anybody, unless the request was authorized
    shares_authorized: bool = False
    validated_always: bool = False
    sets_cookie: bool = False  # for the asker alone

    @property
    def never_stale(self) -> bool:
        return "must-revalidate" in self.text or "s-maxage" in self.text


RULES = (
    Rule("max-age=1", 1),
    Rule("max-age=8", 8),
    Rule("max-age=40", 40),
    Rule("max-age=6, stale-while-revalidate=20", 6, while_revalidate_s=20),
    Rule("max-age=6, stale-if-error=90", 6, if_error_s=90),
    Rule("max-age=3, stale-while-revalidate=9, stale-if-error=60", 3, 9, 60),
    Rule("s-maxage=12, max-age=900, stale-while-revalidate=900", 12, shares_authorized=True),
    Rule("public, max-age=15, stale-if-error=30", 15, if_error_s=30, shares_authorized=True),
    Rule("max-age=5, must-revalidate, stale-if-error=900", 5, shares_authorized=True),
    Rule("no-cache", validated_always=True),
    Rule("no-cache, max-age=100, stale-while-revalidate=100", validated_always=True),
    Rule("max-age=0", 0),
    Rule("private, max-age=60", shared=False),
    Rule("no-store, max-age=60", shared=False),
    Rule("max-age=60, No-Store", shared=False),
    Rule('private="Set-Cookie", max-age=9', 9, sets_cookie=True),
    Rule('no-cache="set-cookie, x-none", max-age=9', 9, sets_cookie=True),
)
STEADY = (Rule("max-age=1000", 1000),)


@dataclass
class Version:
    """What a resource is from some moment on."""

    number: int
    size: int
    by_language: bool
    etag: bool


@dataclass
class Said:
    """One head that the origin gave: what it was asked for, and what it means."""

    number: int
    key: str
    version: Version
    rule: Rule
    asker: str  # the request's id
    user: str
    authorized: bool
    age_s: float  # as it says itself
    generated_mono: float
    arrived_mono: float = float("inf")

    @property
    def shared(self) -> bool:
        return self.rule.shared and (not self.authorized or self.rule.shares_authorized)

    @property
    def owner(self) -> str:
        """Whose own the body is; `-` when it is everybody's."""
        return self.user if self.key.startswith("/own") and not self.shared else "-"


class World:
    """All that a seed decides about the origin, and all that it has said."""

    def __init__(self, seed: int, clock: Clock, keys: list[str], rules: tuple[Rule, ...]) -> None:
        self.draw = random.Random(seed)
        self.clock = clock
        self.keys = keys
        self.rules = rules
        self.failing = rules is not STEADY
        self.said: list[Said] = []
        self.versions: dict[str, list[Version]] = {key: [] for key in keys}
        self.rule: dict[str, Rule] = {}
        self.errors: dict[str, list[float]] = {key: [] for key in keys}
        self.down_until = 0.0
        # what is fetched for anybody, by key, language and range
        self.running: list[tuple[str, str, str]] = []
        self.most_at_once = 0
        for key in keys:
            self.change(key)

    def chance(self, share: float) -> bool:
        return self.draw.random() < share

    def change(self, key: str) -> None:
        """Publish a new version, perhaps under another rule."""
        known = self.versions[key]
        known.append(
            Version(
                number=len(known) + 1,
                size=self.draw.choice(SIZES),
                by_language=self.chance(0.3) if self.failing else "varied" in key,
                etag=self.chance(0.7),
            )
        )
        if key not in self.rule or self.chance(0.3):
            self.rule[key] = self.draw.choice(self.rules)

    def failed(self, key: str) -> None:
        self.errors[key].append(self.clock.now)


def whole_body(key: str, version: Version, language: str, owner: str) -> bytes:
    """The bytes of a representation; every one of them tells which it is."""
    of_language = language if version.by_language else "-"
    line = f"{key} {version.number} {of_language} {owner}\n".encode()
    return (line * (version.size // len(line) + 1))[: max(version.size, len(line))]


def etag_of(key: str, version: Version, language: str, owner: str) -> str:
    of_language = language if version.by_language else "-"
    return f'"{key[1:]}.{version.number}.{of_language}.{owner}"'


def slot_of(fetch: Fetch, asked: dict[str, str]) -> tuple[str, str, str]:
    """What a fetch is for, when it is for all."""
    return fetch.target.decode(), asked.get("accept-language", ""), asked.get("range", "")


class ScriptedClient:
    """Stands in for the fill client."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.open = 0

    async def fetch(self, upstream: Upstream, fetch: Fetch) -> "ScriptedResponse":
        world = self.world
        asked = {name.decode(): value.decode() for name, value in fetch.fields}
        if fetch.body is not None:
            async for _ in fetch.body:
                pass
        slot = slot_of(fetch, asked)
        if fetch.method == b"GET":
            world.running.append(slot)
            world.most_at_once = max(world.most_at_once, world.running.count(slot))
        try:
            return await self._answer(upstream, asked, fetch)
        except BaseException:
            if fetch.method == b"GET":
                world.running.remove(slot)
            raise

    async def _answer(
        self, upstream: Upstream, asked: dict[str, str], fetch: Fetch
    ) -> "ScriptedResponse":
        world, key = self.world, fetch.target.decode()
        draw = world.draw
        await asyncio.sleep(draw.choice([0, 0.01, 0.2, 3.0]))
        if fetch.method not in (b"GET", b"HEAD"):
            world.change(key)
        down = world.clock.now < world.down_until
        if upstream.url != SPARE and world.failing and (down or world.chance(0.04)):
            world.failed(key)
            match draw.randrange(3):
                case 0:
                    raise UpstreamError("connection-lost")
                case 1:
                    await asyncio.sleep(30)
                    world.failed(key)
                    raise UpstreamTimeoutError("first-byte-timeout")
                case _:
                    return ScriptedResponse(self, fetch, asked, None)
        said = Said(
            number=len(world.said),
            key=key,
            version=world.versions[key][-1],
            rule=world.rule[key],
            asker=asked["x-request"],
            user=asked["cookie"],
            authorized="authorization" in asked,
            age_s=draw.choice([0, 0, 0, 0, 1, 5]) if world.failing else 0,
            generated_mono=world.clock.now,
        )
        world.said.append(said)
        await asyncio.sleep(draw.choice([0, 0, 0.05, 2.0]))
        said.arrived_mono = world.clock.now
        return ScriptedResponse(self, fetch, asked, said)

    def close(self) -> None:
        pass


@dataclass
class ScriptedResponse:
    """Answers as RFC 9110 has it, or breaks off somewhere; `said` is None for an error."""

    client: ScriptedClient
    request: Fetch
    asked: dict[str, str]
    said: Said | None
    status: int = 200
    fields: Fields = ()
    length: int | None = None
    _body: bytes = b""
    _at: int = 0
    _cut_at: int | None = None
    _is_open: bool = field(default=True)

    def __post_init__(self) -> None:
        world = self.client.world
        self.client.open += 1
        if self.said is None:
            self.status = world.draw.choice([500, 502, 503, 504])
            self._body, self.length = b"sorry", 5
            self.fields = ((b"cache-control", b"no-store"), (b"content-length", b"5"))
            return
        lines = self._lines(self.said)
        version = self.said.version
        language = self.asked.get("accept-language", "")
        owner = self.said.owner
        self._body = whole_body(self.said.key, version, language, owner)
        etag = etag_of(self.said.key, version, language, owner)
        if version.etag:
            lines.append(("etag", etag))
            if etag in self.asked.get("if-none-match", "").split(", "):
                self.status = 304
        unchanged = self.asked.get("if-range") in (None, etag) or world.chance(0.1)  # a bug of it
        wanted = self.asked.get("range") if unchanged else None
        if self.status == 200 and wanted and world.chance(0.8):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            if first and int(first) < len(self._body):
                end = min(int(last or len(self._body) - 1), len(self._body) - 1)
                lines.append(("content-range", f"bytes {first}-{end}/{len(self._body)}"))
                self._body, self.status = self._body[int(first) : end + 1], 206
        self.length = 0 if self.status == 304 else len(self._body)
        if self.request.method == b"HEAD" or self.status == 304:
            self._body = b""
        if world.chance(0.3) and self._body:
            self.length = None
        elif self.status != 304:
            lines.append(("content-length", str(self.length)))
        if self.request.method == b"HEAD":
            self.length = 0
        if world.failing and world.chance(0.06) and self._body:
            self._cut_at = world.draw.randrange(len(self._body))
        self.fields = tuple((name.encode(), value.encode()) for name, value in lines)

    def _lines(self, said: Said) -> list[tuple[str, str]]:
        world = self.client.world
        true_wall = WALL_AT_START + world.clock.now
        lines = [
            ("date", formatdate(int(true_wall - said.age_s), usegmt=True)),
            ("cache-control", said.rule.text),
            ("x-said", str(said.number)),
            ("surrogate-key", f"{said.key[1:]} v{said.version.number} all"),
        ]
        if said.age_s:
            lines.append(("age", str(int(said.age_s))))
        if said.version.by_language:
            lines.append(("vary", world.draw.choice(["Accept-Language", "accept-LANGUAGE,, "])))
        if said.rule.sets_cookie or (said.authorized and not said.rule.shares_authorized):
            lines.append(("set-cookie", f"session={said.user}"))
        return lines

    async def read(self) -> bytes:
        world = self.client.world
        await asyncio.sleep(world.draw.choice([0, 0, 0, 0.01, 0.5]))
        if self._cut_at is not None and self._at >= self._cut_at:
            if self.said is not None:
                world.failed(self.said.key)
            self.close()
            raise UpstreamError("truncated")
        if self._at == len(self._body):
            self.close()
            return b""
        size = min(world.draw.choice([100, 5_000, 65_536, 65_536]), len(self._body) - self._at)
        if self._cut_at is not None:
            size = min(size, self._cut_at - self._at)
        piece = self._body[self._at : self._at + size]
        self._at += size
        return piece

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self.client.open -= 1
            if self.request.method == b"GET":
                self.client.world.running.remove(slot_of(self.request, self.asked))
