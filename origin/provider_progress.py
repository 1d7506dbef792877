"""What a provider has still to confirm of some orders, and which call comes next."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from origin.provider_calls import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from origin.provider_calls import Adapter, Answer, Call, Item

REFUSALS_KEPT: Final = 100


class Refusal(NamedTuple):
    """An order that a provider will never carry out."""

    number: int
    what: str
    detail: str


class Progress:
    """The calls that are left, and what was refused. Not thread-safe."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._items: list[Item] = []
        self._calls: deque[Call] = deque()
        self.refusals: deque[Refusal] = deque(maxlen=REFUSALS_KEPT)

    def begin(self, items: Iterable[Item]) -> None:
        """Ask for these and nothing else."""
        self._items = list(items)
        self.again()

    def again(self) -> None:
        """Ask for all of them once more."""
        self._calls = deque(self._adapter.calls(self._items))

    @property
    def next_call(self) -> Call | None:
        """What to ask next, None when all is settled."""
        return self._calls[0] if self._calls else None

    def fold(self, answer: Answer) -> Refusal | None:
        """Take the answer to `next_call`; return the order that it refuses for good.

        Of a call for several things one may be what the provider does not take: halves are asked
        for, until it is found.
        """
        if answer.verdict in (Verdict.LATER, Verdict.DENIED):
            return None
        call = self._calls.popleft()
        if answer.verdict is Verdict.CONFIRMED:
            return None
        values = list(dict.fromkeys((item.kind, item.value, item.soft) for item in call.items))
        if len(values) > 1:
            first = set(values[: len(values) // 2])
            halves: tuple[list[Item], list[Item]] = ([], [])
            for item in call.items:
                halves[(item.kind, item.value, item.soft) not in first].append(item)
            parts = [part for half in halves for part in self._adapter.calls(half)]
            self._calls.extendleft(reversed(parts))
            return None
        item = call.items[0]
        refusal = Refusal(item.number, f"{item.kind} {item.value}".rstrip(), answer.detail)
        self.refusals.append(refusal)
        return refusal
