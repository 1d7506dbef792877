"""Players, purges and a dying origin, minutes of virtual time in an order that a seed decides."""

from __future__ import annotations

import asyncio
import gc
import random
from dataclasses import dataclass

from edge.entry import Entry
from edge.following import BURST_BYTES
from edge.purges import PurgeKind
from edge.worker import Worker
from tests.support.simulated_judge import HOST, Ask, Judge
from tests.support.simulated_node import Node
from tests.support.simulated_origin import LANGUAGES, RULES, SPARE, Rule, ScriptedClient, World
from tests.support.simulated_player import Heard, Player
from tests.support.simulated_rules import ALL_RULES
from tests.support.simulated_tier import Shelf
from tests.support.virtual_time import VirtualLoop, virtual_time

KEYS = ["/a/one", "/a/two", "/b/three", "/own/mine", "/own/ours"]
PLAYERS, REQUESTS, EVENTS = 10, 30, 60
RANGES = (0, 0, 10, 4_000, 1_100_000)


@dataclass(frozen=True)
class Shape:
    """What is simulated."""

    rules: tuple[Rule, ...] = RULES  # of the origin
    workers: int = 1
    tier: bool = False  # below memory, shared by the workers
    switches: bool = False  # of policies
    deaths: bool = False  # of workers
    spare: bool = False  # a second origin, which never fails
    parts: bool = False  # ranges are asked for although nothing fails


PLAIN = Shape()


class Simulation:
    """One node's life. What only some shapes have is drawn aside: seeds stay what they are."""

    def __init__(self, seed: int, loop: VirtualLoop, shape: Shape) -> None:
        self.seed = seed
        self.shape = shape
        self.clock = loop.clock
        self.world = World(seed, loop.clock, KEYS, shape.rules)
        self.draw = self.world.draw
        self.aside = random.Random(~seed)
        memory_bytes = self.draw.choice([4 << 20, 16 << 20, 64 << 20])
        failing = self.world.failing
        fills_max = self.draw.choice([6, 1000])
        self.client = ScriptedClient(self.world)
        self.shelf = Shelf(random.Random(seed * 7 + 1), failing=failing) if shape.tier else None
        self.node = Node(
            loop,
            self.client,
            workers=shape.workers,
            memory_bytes=shape.workers * (memory_bytes if failing else 64 << 20),
            shelf=self.shelf,
            urls=f"http://127.0.0.1:1,{SPARE}" if shape.spare else "http://127.0.0.1:1",
            fills_max=100_000 if shape.spare else fills_max,
        )
        self.judge = Judge(seed, self.world, self.node, KEYS)
        self.judge.has_spare = shape.spare
        for number in range(shape.workers):
            self.watch_stores(number)
        self.count = 0

    @property
    def says(self) -> dict[str, int]:
        return self.judge.says

    def watch_stores(self, number: int) -> None:
        """Note when each entry is stored in a worker's memory."""
        worker: Worker = self.node.workers[number]
        store = worker.memory.store

        def stored(entry: Entry) -> bool:
            name = (number, entry.key, entry.stored.variant)
            self.judge.stored_mono[name] = self.clock.now
            return store(entry)

        worker.memory.store = stored  # type: ignore[method-assign]

    # players

    def ask(self, user: str, last: Heard | None) -> Ask:
        """Decide on a request; `last` is what this player heard before."""
        draw, chance = self.draw, self.world.chance
        key, method = draw.choice(KEYS), "GET"
        self.count += 1
        fields = {"Host": HOST, "X-Request": str(self.count)}
        if language := draw.choice(LANGUAGES):
            fields["Accept-Language"] = language
        fields["Cookie"] = user
        if self.world.failing:
            method = draw.choices(["GET", "HEAD", "POST"], [90, 8, 2])[0]
            if chance(0.15):
                fields["Authorization"] = user
            if chance(0.12):
                first = draw.choice(RANGES)
                fields["Range"] = f"bytes={first}-{draw.choice(['', first + 9, first + 90_000])}"
            if chance(0.12) and last is not None and "etag" in last.fields:
                fields["If-None-Match"] = last.fields["etag"]
            if chance(0.1):
                fields["Cache-Control"] = draw.choice(
                    ["no-cache", "max-age=2", "min-fresh=3", "max-stale=100", "no-store"]
                )
        elif self.shape.parts and chance(0.4):
            first = draw.choice(RANGES)
            fields["Range"] = f"bytes={first}-{first + draw.choice([9, 90_000, 1_500_000])}"
        if method == "POST":
            fields["Content-Length"] = "0"
        floors = self.judge.floor[key], self.judge.tag_floor[key]
        return Ask(self.count, method, key, user, fields, self.clock.now, *floors)

    async def play(self, number: int) -> None:
        draw, user = self.draw, f"user{number}"
        players: dict[int, tuple[Worker, Player]] = {}
        last: Heard | None = None
        for _ in range(REQUESTS):
            await asyncio.sleep(draw.choice([0, 0, 0.1, 1, 4]))
            ask = self.ask(user, last)
            ask.worker_no = self.aside.randrange(self.shape.workers)
            worker = self.node.workers[ask.worker_no]
            before, player = players.get(ask.worker_no, (None, None))
            if player is None or before is not worker:
                player = self.node.player(ask.worker_no, f"10.0.1.{number}")
                players[ask.worker_no] = worker, player
            rate = draw.choice([1e9, 1e9, 1e6, 40_000]) if self.world.failing else 1e9
            pipe = player.connect(rate)
            pipe.send(ask.wire("1.0" if self.world.failing and draw.random() < 0.03 else "1.1"))
            answering = asyncio.ensure_future(player.answer(head_only=ask.method == "HEAD"))
            if self.world.failing and draw.random() < 0.05:  # some leave, some stall for long
                await asyncio.sleep(draw.choice([0, 0.05, 2]))
                player.leave()
            elif self.world.failing and draw.random() < 0.03:
                pipe.rate_bps = 1.0
                await asyncio.sleep(40)
                player.leave()
            heard = await answering
            if heard is not None:
                self.judge.judge(ask, heard)
                last = heard
        for _, player in players.values():
            player.leave()

    # what happens beside

    async def happen(self) -> None:
        for _ in range(EVENTS):
            await asyncio.sleep(self.draw.choice([0, 0.3, 1, 3]))
            kind = self.draw.choice(["change", "purge", "purge", "down", "step", "rule"])
            getattr(self, kind)()
            if self.shape.switches and self.aside.random() < 0.3:
                self.switch()
            if self.shape.deaths and self.aside.random() < 0.15:
                self.die()
            for worker in self.node.workers:
                memory = worker.memory
                handed_bytes = PLAYERS * BURST_BYTES  # to connections, before seeing who takes them
                assert memory.used_bytes <= 1.2 * memory.budget_bytes + handed_bytes, self.seed

    def change(self) -> None:
        self.world.change(self.draw.choice(KEYS))

    def rule(self) -> None:
        self.world.rule[self.draw.choice(KEYS)] = self.draw.choice(self.world.rules)

    def down(self) -> None:
        self.world.down_until = self.clock.now + self.draw.choice([1, 10, 60])

    def step(self) -> None:
        """Somebody sets the clock of this edge; the origin's goes on as before."""
        self.clock.wall_ahead += self.draw.choice([-86_400, -3_600, -5, 5, 3_600, 86_400])

    def switch(self) -> None:
        """Other policies, in all workers at once."""
        rules = self.aside.choice(ALL_RULES)
        self.node.switch(rules.to_mapping())
        self.judge.rules.append((self.clock.now, rules))
        if rules.tag is None:
            self.judge.tag_floor = dict.fromkeys(KEYS, 1)

    def die(self) -> None:
        """A worker dies, and the next one begins empty and up to date."""
        number = self.aside.randrange(self.shape.workers)
        self.node.kill(number)
        self.watch_stores(number)

    def purge(self) -> None:
        """New content, then a purge; from its acknowledgement on nothing older may start."""
        key = self.draw.choice(KEYS)
        self.world.change(key)
        below = [each for each in KEYS if each.startswith(key[:3])]
        url = b"http://" + HOST.encode() + key.encode()
        kind, value, keys = self.draw.choice(
            [
                (PurgeKind.URL, url, [key]),
                (PurgeKind.URL, key.encode(), [key]),
                (PurgeKind.TAG, key[1:].encode(), [key]),
                (PurgeKind.TAG, b"all", KEYS),
                (PurgeKind.PREFIX, url[: -len(key) + 3], below),
                (PurgeKind.ALL, b"", KEYS),
            ]
        )
        soft = self.draw.random() < 0.4
        tag = self.judge.rules[-1][1].tag
        if tag is not None and self.aside.random() < 0.5:
            kind, value, keys = PurgeKind.TAG, tag, KEYS
        self.node.publish(kind, value, soft=soft)
        if self.draw.random() < 0.5:
            for worker in self.node.workers:
                worker.follower.catch_up()
        for each in keys:
            if kind is PurgeKind.TAG and value == tag:
                if not soft:
                    self.judge.tag_floor[each] = self.world.versions[each][-1].number
            elif soft:
                self.judge.softly[each] = self.clock.now
            else:
                self.judge.floor[each] = self.world.versions[each][-1].number

    # the end

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(PLAYERS):
                group.create_task(self.play(number))
            if self.world.failing:
                group.create_task(self.happen())
        await asyncio.sleep(400)  # whatever runs on in the background has ended by now
        self.node.publish(PurgeKind.ALL)
        for worker in self.node.workers:
            worker.follower.catch_up()
            worker.memory.step(asyncio.get_running_loop().time())  # as it does 20 times a second
            worker.memory.sweep_held()
            self.expect_nothing_in(worker)
        assert (self.client.open, self.world.running) == (0, []), self.seed
        assert self.shelf is None or self.shelf.open == 0, self.seed
        await self.node.close()

    def expect_nothing_in(self, worker: Worker) -> None:
        memory = worker.memory
        left = (memory.used_bytes, memory.fill_bytes, memory.ahead_bytes, memory.held_bytes)
        assert left == (0, 0, 0, 0), (self.seed, left)
        assert len(memory) == len(memory.index) == len(memory._tags) == 0
        assert (len(worker.tasks), len(worker.fills)) == (0, 0)
        assert (worker.fills.waiting, len(worker.app._exchange.filler.slicer.running)) == (0, 0)


def simulate(seed: int, shape: Shape = PLAIN) -> Simulation:
    with virtual_time() as loop:

        async def life() -> Simulation:
            simulation = Simulation(seed, loop, shape)
            await simulation.run()
            return simulation

        gc.disable()  # as good as, in a worker: what hangs in a cycle stays for good
        try:
            return loop.run_until_complete(life())
        finally:
            gc.enable()
