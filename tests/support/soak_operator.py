"""What is done to the node and the origin of a soak, in an order that a seed decides."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

import httpx

from tests.support.soak_judge import Judge
from tests.support.soak_node import MEMORY_BYTES, SoakNode
from tests.support.soak_origin import MOODS, SoakOrigin
from tests.support.soak_rules import SOAK_RULES
from tests.support.soak_world import GROUPS, KINDS, PATHS, tags_of

SCHEMES = ("http", "https")
UPSET_S = 5.0  # how long players may notice that a process died


Steps = list[tuple[Callable[[], Awaitable[None]], int]]


class Operator:
    """Does one thing after the other until `until_mono`, then leaves all as it should be."""

    def __init__(self, judge: Judge, origin: SoakOrigin, node: SoakNode, seed: int) -> None:
        self.judge = judge
        self.world = judge.world
        self.origin = origin
        self.node = node
        self.seed = seed
        self.draw = random.Random(f"{seed} operator")
        self.did: Counter[str] = Counter()
        self._renewals = 0

    async def operate(self, until_mono: float) -> None:
        usual: Steps = [
            (self.change, 10),
            (self.purge, 15),
            (self.purge_at_once, 2),
            (self.switch, 2),
        ]
        disasters: Steps = [
            (self.mood, 6),
            (self.outage, 2),
            (self.kill_worker, 3),
            (self.stop_worker, 3),
            (self.kill_supervisor, 1),
            (self.restart, 1),
            (self.renew, 2),
            (self.damage, 2),
        ]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._go_on(until_mono, usual, (0.01, 0.05, 0.2, 1.0)))
            tasks.create_task(self._go_on(until_mono, disasters, (0.5, 2.0, 4.0)))
            tasks.create_task(self._watch(until_mono))
        self.origin.mood = MOODS[0]

    async def _go_on(self, until_mono: float, table: Steps, pauses_s: tuple[float, ...]) -> None:
        draw = random.Random(f"{self.seed} {len(table)}")
        steps, weights = zip(*table, strict=True)
        while time.monotonic() < until_mono:
            await asyncio.sleep(draw.choice(pauses_s))
            (step,) = draw.choices(steps, weights)
            await step()
            self.did[step.__name__] += 1

    async def _watch(self, until_mono: float) -> None:
        """See what the node says of itself, and judge by it what was cut off."""
        cut_before = 0.0
        while time.monotonic() < until_mono:
            await asyncio.sleep(1.0)
            with suppress(httpx.HTTPError, RuntimeError):  # the node is away
                counted = await self.node.metrics()
                if counted["readers_cut_total",] != cut_before:
                    cut_before = counted["readers_cut_total",]
                    self.world.relieved_mono = time.monotonic()
                    self.did["readers cut"] += 1
                if counted["memory_bytes",] > 1.2 * MEMORY_BYTES:
                    self.judge.complaints.append(f"{counted['memory_bytes',]} bytes in memory")
                self.judge.judge_cut()

    async def change(self) -> None:
        self.world.change(self.draw.sample(PATHS, 3))

    # purges

    async def purge(self) -> None:
        """Purge some of it, most often because there is something new."""
        order, paths, schemes = drawn_order(self.draw)
        soft = self.draw.random() < 0.3
        if self.draw.random() < 0.7:
            self.world.change(paths)
        asked_mono = time.monotonic()
        with suppress(httpx.TransportError, RuntimeError):  # the node is away
            answer = await self.node.admin.post("/purge", json=order | {"soft": soft})
            assert answer.status_code in (200, 503), answer.text
            if answer.status_code == 200:
                urls = [f"{scheme}:{path}" for scheme in schemes for path in paths]
                self.world.invalidate(
                    urls, asked_mono, soft_mono=time.monotonic() if soft else None
                )
            else:
                self.did["not acknowledged"] += 1

    async def purge_at_once(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(8):
                tasks.create_task(self.purge())

    # rules

    async def switch(self) -> None:
        """Put other rules in force, by the admin listener or by the file."""
        rules = self.draw.choice(SOAK_RULES)
        self.world.tag_mono = 0.0
        force = self.world.in_force.asked(rules, time.monotonic())
        self.node.rules.write_text(rules.text)
        with suppress(httpx.TransportError, RuntimeError):  # the node is away
            answer = await self.node.admin.put("/policies", content=rules.text)
            assert answer.status_code in (200, 503), answer.text
            if answer.status_code == 200:
                self.world.in_force.acknowledged(force, time.monotonic())
                if rules.tag is not None:
                    await self._purge_tag(rules.tag.decode())

    async def _purge_tag(self, tag: str) -> None:
        """Purge all that has a tag which only the rules in force give."""
        self.world.change(PATHS)
        asked_mono = time.monotonic()
        answer = await self.node.admin.post("/purge", json={"tag": tag})
        if answer.status_code == 200:
            self.world.tag_mono = asked_mono

    # the origin

    async def mood(self) -> None:
        """Most of the time the origin is well."""
        self.origin.mood = self.draw.choices(MOODS, [8, 1, 1, 1, 1])[0]

    async def outage(self) -> None:
        down_s = self.draw.choice([0.2, 1.0, 3.0])
        self.world.upset(time.monotonic() + down_s)
        await self.origin.die()
        await asyncio.sleep(down_s)
        await self.origin.rise()
        self.world.upset(time.monotonic())

    # the node

    async def kill_worker(self) -> None:
        pids = await self.node.worker_pids()
        self.world.upset(time.monotonic() + UPSET_S)
        self.node.kills += 1
        with suppress(ProcessLookupError):
            os.kill(self.draw.choice(pids), signal.SIGKILL)
        await self.purge()
        await self.node.until_whole()
        self.world.upset(time.monotonic())

    async def stop_worker(self) -> None:
        """Stop a worker for a while; purge in the meantime."""
        pid = self.draw.choice(await self.node.worker_pids())
        self.world.upset(time.monotonic() + UPSET_S)
        os.kill(pid, signal.SIGSTOP)
        purging = asyncio.create_task(self.purge())
        await asyncio.sleep(self.draw.choice([0.1, 1.0, 6.0]))
        os.kill(pid, signal.SIGCONT)
        await purging
        self.world.upset(time.monotonic())

    async def kill_supervisor(self) -> None:
        await self._replace(self.node.kill)

    async def restart(self) -> None:
        async def terminate() -> None:
            assert await self.node.terminate() == 0

        await self._replace(terminate)

    async def _replace(self, end: Callable[[], Awaitable[object]]) -> None:
        self.world.upset(time.monotonic() + 60.0)
        await end()
        await self.node.start(tls=self.draw.random() < 0.7)
        self.world.upset_mono = time.monotonic()
        await self.node.until_whole()

    async def renew(self) -> None:
        self._renewals += 1
        self.node.certify(self._renewals)
        with suppress(ProcessLookupError):
            os.kill(self.node.pid, signal.SIGHUP)

    async def damage(self) -> None:
        """Flip a byte of some files, cut others short."""
        files = list((self.node.root / "disk" / "objects").glob("*/*"))
        self.world.upset(time.monotonic() + UPSET_S)
        for file in self.draw.sample(files, min(len(files), 10)):
            with suppress(FileNotFoundError):
                size = file.stat().st_size
                with file.open("r+b") as opened:
                    if self.draw.random() < 0.3:
                        opened.truncate(self.draw.randrange(size + 1))
                        continue
                    at = self.draw.randrange(size)
                    opened.seek(at)
                    (byte,) = opened.read(1) or b"\0"
                    opened.seek(at)
                    opened.write(bytes([byte ^ self.draw.randrange(1, 256)]))


def drawn_order(draw: random.Random) -> tuple[dict[str, object], list[str], tuple[str, ...]]:
    """An order, the paths that it is about, and of which schemes."""
    path, group, scheme = draw.choice(PATHS), draw.choice(GROUPS), draw.choice(SCHEMES)
    name = draw.choice(list(KINDS))
    below = [each for each in PATHS if each.startswith(f"/{name}/{group}/")]
    tag = draw.choice(tags_of(path)[:2])
    tagged = [each for each in PATHS if tag in tags_of(each)]
    orders: list[tuple[dict[str, object], list[str], tuple[str, ...]]] = [
        ({"url": path}, [path], SCHEMES),
        ({"url": f"{scheme}://edge.test{path}"}, [path], (scheme,)),
        ({"prefix": f"/{name}/{group}/"}, below, SCHEMES),
        ({"prefix": f"{scheme}://edge.test/{name}/{group}/"}, below, (scheme,)),
        ({"tag": tag}, tagged, SCHEMES),
        ({"all": True}, list(PATHS), SCHEMES),
    ]
    return draw.choices(orders, [5, 5, 3, 3, 3, 1])[0]
