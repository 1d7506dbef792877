"""Players and an operator who never let up: what an edge acknowledged, it must not unsay."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass, field

import httpx

from tests.support.counting_origin import CountingOrigin, content
from tests.support.edge_node import DEADLINE_S, NO_TLS, RunningNode
from tests.support.edges import Client, Got

HOST = "edge.test"  # what tests.support.edges.Client asks for


@dataclass(frozen=True)
class Rig:
    """A node in front of an origin."""

    origin: CountingOrigin
    node: RunningNode

    async def client(self) -> Client:
        """Connect anew: the kernel chooses the worker."""
        host, port = self.node.settings.listen
        return Client(*await asyncio.open_connection(host, port, limit=1 << 24))

    async def versions(self, path: str, *, times: int = 12) -> set[int]:
        """Return the versions that players get, over enough connections to meet every worker."""
        seen = set()
        for _ in range(times):
            client = await self.client()
            got = await client.get(path)
            assert got.status == 200
            seen.add(version_of(path, got.body))
            await client.close()
        return seen


def version_of(path: str, body: bytes, *, whole: bool = True) -> int:
    """Return the version that a body says it is, and see that every byte of it is."""
    said, found, _ = body.partition(b"\n")
    if not found and not whole:
        return 1 << 62  # too little to say anything wrong
    name, _, version = said.decode().rpartition(" ")
    size = int(path.partition("size=")[2].partition("&")[0])
    expected = content(path.partition("?")[0], int(version), size)
    assert body == (expected if whole else expected[: len(body)])
    assert name == path.partition("?")[0]
    return int(version)


KEYS = tuple(
    f"/{group}/{number}?size={size}&pause={pause}"
    for group in ("red", "blue")
    for number, (size, pause) in enumerate([(40, 0), (70_000, 0), (300_000, 0.01)])
)


FILM_BYTES = 2_600_000
FILM = f"/red/film?size={FILM_BYTES}&ranges=1"
SPANS = [(first, first + 90_000) for first in (0, 500_000, 1_100_000, 2_200_000)]


@dataclass
class Hammer:
    """Plays until `done`. With `deaths`, connections may break; what they carried must be right.

    With `parts`, players seek in a film of three slices, too, and the operator purges softly.
    """

    rig: Rig
    seed: int
    deaths: bool = False
    parts: bool = False
    floor: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    done: bool = False
    responses: int = 0
    broken: int = 0

    async def play(self, number: int) -> None:
        """Be one player."""
        chance = random.Random(f"{self.seed} {number}")
        client = None
        while not self.done:
            key, floor = self.choose(chance)
            span = chance.choice(SPANS) if key == FILM else None
            seek = [] if span is None else [f"Range: bytes={span[0]}-{span[1]}"]
            try:
                client = client or await self.rig.client()
                got = await client.get(key, *seek)
            except (ConnectionError, asyncio.IncompleteReadError):
                assert self.deaths
                self.broken += 1
                client = await self.dropped(client)
                continue
            if span is None:
                self.judge(key, floor, got)
            else:
                self.judge_part(floor, span, got)
            if not got.whole or chance.random() < 0.2:
                client = await self.dropped(client)
        await self.dropped(client)

    def choose(self, chance: random.Random) -> tuple[str, int]:
        """Return a key, and the version below which its content was purged before we ask."""
        key = FILM if self.parts and chance.random() < 0.3 else chance.choice(KEYS)
        return key, self.floor[key]

    def judge(self, key: str, floor: int, got: Got) -> None:
        """See that a response is right."""
        assert got.status == 200, f"seed {self.seed}: {got}"
        assert got.whole or self.deaths
        version = version_of(key, got.body, whole=got.whole)
        assert version >= floor, f"seed {self.seed}: {key} said {version} after {floor}"
        self.responses += 1

    def judge_part(self, floor: int, span: tuple[int, int], got: Got) -> None:
        """See that a part is all of one version, and of one that may still be served."""
        assert (got.status, got.whole) == (206, True), f"seed {self.seed}: {got.fields}"
        first, last = span
        said = [
            version
            for version in range(max(1, floor), self.rig.origin.version + 1)
            if got.body == content("/red/film", version, FILM_BYTES)[first : last + 1]
        ]
        assert said, f"seed {self.seed}: bytes {first}-{last} of before {floor}, or of no version"
        self.responses += 1

    async def dropped(self, client: Client | None) -> None:
        """Close a connection."""
        if client is not None:
            await client.close()

    async def purge(self, admin: httpx.AsyncClient, chance: random.Random) -> None:
        """Change the content, purge some of it, and hold the edge to its word."""
        self.rig.origin.version += 1
        version = self.rig.origin.version
        order, touched = order_of(chance)
        if self.parts:
            if {"/red/", "tag-red", True} & {*order.values()}:
                touched = [*touched, FILM]
            order = order | {"soft": chance.random() < 0.3}
        headers = {"Authorization": f"Bearer {self.rig.node.settings.token}"}
        url = f"{self.rig.node.admin_url}/purge"
        answer = await admin.post(url, json=order, headers=headers)
        assert answer.status_code == 200, answer.text
        for key in touched:
            self.floor[key] = version

    async def operate(self, purges: int) -> None:
        """Purge again and again at odd moments."""
        chance = random.Random(self.seed)
        async with httpx.AsyncClient(trust_env=False, timeout=DEADLINE_S, verify=NO_TLS) as admin:
            for _ in range(purges):
                await asyncio.sleep(chance.random() * 0.02)  # the schedule, not a wait
                await self.purge(admin, chance)

    async def run(self, *, purges: int = 40, players: int = 8, responses: int = 40) -> None:
        """Play while the operator purges, until enough was answered to mean something."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(players):
                tasks.create_task(self.play(number))
            await self.operate(purges)
            while self.responses < responses:
                await self.operate(1)
            self.done = True


def order_of(chance: random.Random) -> tuple[dict[str, object], list[str]]:
    """Return a purge order and the keys that it touches."""
    key = chance.choice(KEYS)
    group = key.split("/")[1]
    alike = [other for other in KEYS if other.startswith(f"/{group}/")]
    return chance.choice(
        [
            ({"url": f"http://{HOST}{key}"}, [key]),
            ({"url": key}, [key]),
            ({"tag": f"tag-{group}"}, alike),
            ({"prefix": f"/{group}/"}, alike),
            ({"all": True}, list(KEYS)),
        ]
    )
