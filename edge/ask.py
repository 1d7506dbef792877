"""One request on its way through the exchange."""

from dataclasses import dataclass

from cache_policies.message import RequestHead
from cache_policies.policy import CachePolicy
from edge.asking import Asked
from edge.entry import Entry
from edge.missing import NOTHING_STORED, Miss


@dataclass(slots=True)
class Ask:
    """One request on its way through the exchange."""

    key: bytes
    request: RequestHead
    asked: Asked
    policy: CachePolicy
    passes: bool = False  # it goes to the origin, whatever is stored
    entry: Entry | None = None  # what is stored for it
    miss: Miss = NOTHING_STORED
    alone: bool = False  # it does not wait for another's fill
    sliced: bool = False  # a fill has begun to keep slices for it

    def go_on(self, before: "Ask", *, alone: bool) -> None:
        """Take over from an attempt that brought nothing for this request."""
        self.alone = self.alone or before.alone or alone
        self.sliced = before.sliced
        if self.sliced:
            self.miss = before.miss
