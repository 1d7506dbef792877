"""Switches a node's policies: in all workers or in none, between two responses of each."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cache_policies.policies import UNSYNCED, Policies
from edge.keeper import Keeper
from edge.purges import PurgePage

if TYPE_CHECKING:
    from cache_policies.load import PolicyFile

log = logging.getLogger("edge.node")


class SwitchError(Exception):
    """A worker could not make ready; all go on as before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    """What became of new policies: which epoch is in force, and who has not followed yet."""

    epoch: int
    rules: int
    changed: bool
    workers: int
    hanging: tuple[int, ...]
    took_ms: float

    def to_mapping(self) -> dict[str, Any]:
        """Return what the admin listener answers."""
        answer: dict[str, Any] = {
            "epoch": self.epoch,
            "rules": self.rules,
            "changed": self.changed,
            "workers": self.workers,
            "took_ms": round(self.took_ms, 3),
        }
        if self.hanging:
            who = ", ".join(f"worker {number}" for number in self.hanging)
            answer["error"] = f"not followed in time by {who}"
        return answer


class PolicySwitch:
    """The policies of a node. Only one switch runs at a time."""

    def __init__(
        self,
        file: PolicyFile | None,
        page: PurgePage,
        *,
        groups: Collection[str],
        patience_s: float,
        followed: Callable[[Sequence[int]], Awaitable[None]],
    ) -> None:
        """`followed` waits for workers to catch up with the page, within limits of its own."""
        self.file = file
        self.policies = _compiled(file)
        self.switched = 0
        self.refused = 0
        self._groups = groups  # of origins, by name
        self._page = page
        self._patience_s = patience_s
        self._followed = followed
        self._lock = asyncio.Lock()

    def rules(self) -> dict[str, Any]:
        """Return what `GET /policies` says."""
        file = self.file
        return {
            "epoch": self.policies.epoch,
            "name": None if file is None else file.name,
            "policies": None if file is None else file.to_mapping(),
        }

    async def read(self, keepers: Sequence[Keeper], name: str) -> None:
        """Take what a file says now; what is wrong with it is logged and changes nothing."""
        from cache_policies.complaints import PolicyFileError  # noqa: PLC0415 only if there are rules
        from edge.policy_file import read_rules  # noqa: PLC0415

        try:
            switched = await self._take(keepers, lambda: read_rules(name, self._groups))
        except (PolicyFileError, SwitchError) as error:
            log.error("policies stay as they are: %s", error)
            return
        if switched.changed:
            log.info("policies of %s are in force, epoch %012x", name, switched.epoch)

    async def put(self, keepers: Sequence[Keeper], text: bytes, name: str) -> Switched:
        """Put the rules in `text` in force. Raises PolicyFileError or SwitchError."""
        from cache_policies.load import load_policies  # noqa: PLC0415 only if there are rules
        from edge.policy_file import fitting  # noqa: PLC0415

        return await self._take(keepers, lambda: fitting(load_policies(text, name), self._groups))

    async def _take(self, keepers: Sequence[Keeper], load: Callable[[], PolicyFile]) -> Switched:
        async with self._lock:
            began_mono = time.monotonic()
            is_taken = False
            try:
                file = await asyncio.to_thread(load)  # a large file takes a second
                changed = file.epoch != self.policies.epoch
                if changed:
                    await self._switch(keepers, file)
                is_taken = True
            finally:
                self.refused += not is_taken
            if changed:
                await self._followed(self._page.unswitched())
            hanging = tuple(self._page.unswitched())
            return Switched(
                epoch=file.epoch,
                rules=len(file.lines),
                changed=changed,
                workers=len(keepers) - len(hanging),
                hanging=hanging,
                took_ms=(time.monotonic() - began_mono) * 1000.0,
            )

    async def _switch(self, keepers: Sequence[Keeper], file: PolicyFile) -> None:
        rules = file.to_mapping()
        policies = _compiled(file)
        try:
            async with asyncio.timeout(self._patience_s):
                while unready := [each for each in keepers if not each.may_follow(file.epoch)]:
                    await asyncio.gather(*(each.prepare(rules) for each in unready))
        except TimeoutError:
            who = ", ".join(f"worker {each.worker_no}" for each in unready)
            raise SwitchError(f"not made ready in time by {who}; nothing has changed") from None
        # from here on without a pause: every worker there is has prepared them, and every worker
        # that has not been told its work yet will be told these
        for keeper in keepers:
            keeper.give_policies(rules)
        self._page.switch(file.epoch | self._page.policy_epoch() & UNSYNCED)
        self.file, self.policies = file, policies
        self.switched += 1


def _compiled(file: PolicyFile | None) -> Policies:
    if file is None:
        return Policies.bare()
    from cache_policies.policies import compile_policies  # noqa: PLC0415

    return compile_policies(file)
