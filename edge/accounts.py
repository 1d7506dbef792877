"""What is kept of an answer that was no plain hit: counts, times, and a line in the log."""

from dataclasses import dataclass
from time import monotonic, time
from typing import Protocol

from cache_policies.message import Fields
from edge.access_log import AccessLog
from edge.clients import UNLIMITED, ClientCounts, TrustedProxies
from edge.counters import Counters
from edge.gates import Refusal
from edge.heads import Facts
from edge.log_lines import Line
from edge.outcome import Outcome, refused


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asked for what, as a line of the log says it."""

    client: bytes  # address
    method: bytes
    host: bytes
    target: bytes
    http: bytes = b"1.1"
    address: bytes = b""  # whose connection it came by
    prefix: bytes = b""  # of the cache key
    fields: Fields = ()


class Sampling(Protocol):
    """Takes some of what was answered, to see what is watched."""

    left: int  # requests until the next one to be taken

    def take(self, target: bytes, facts: Facts, address: bytes, status: int) -> None: ...
    def answered(self, asking: Asking, status: int) -> None: ...


class NoSampling:
    """Takes nothing."""

    left = 1 << 62

    def take(self, target: bytes, facts: Facts, address: bytes, status: int) -> None:
        """Take nothing."""

    def answered(self, asking: Asking, status: int) -> None:
        """Take nothing."""


class Accounts:
    """The accounts of one listener."""

    __slots__ = ("clients", "counters", "log", "sampler")

    def __init__(
        self,
        counters: Counters,
        log: AccessLog | None = None,
        clients: ClientCounts | None = None,
        sampler: Sampling | None = None,
    ) -> None:
        self.counters = counters
        self.log = log
        self.sampler = sampler or NoSampling()
        if clients is None:
            clients = ClientCounts(UNLIMITED, TrustedProxies())
        self.clients = clients

    def refused(self, client: bytes, reason: str, status: int) -> None:
        """A head came that nobody may answer; what it asked for is not to be trusted."""
        self.counters.refuse(reason)
        if self.log is not None:
            account = Account(self)
            account.outcome = refused(reason)
            account.close(Asking(client, b"", b"", b""), status)

    def limited(self, address: bytes, target: bytes, facts: Facts, refusal: Refusal) -> None:
        """A plain request came that was too much."""
        account = Account(self)
        account.answered(refused(refusal.reason))
        asking = Asking(
            client=self.clients.proxies.client(address, facts.fields),
            method=facts.method,
            host=facts.host,
            target=target,
            http=facts.version,
            address=address,
            prefix=facts.prefix,
            fields=facts.fields,
        )
        account.close(asking, refusal.status)


class Account:
    """One answer on its way. Open it when the request has come."""

    __slots__ = ("_accounts", "_began_mono", "first_byte_s", "outcome", "sent_bytes")

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._began_mono = monotonic()
        self.first_byte_s: float | None = None
        self.sent_bytes = 0  # of the body
        self.outcome: Outcome | None = None

    def answered(self, outcome: Outcome) -> None:
        """The head of the answer goes out."""
        self.outcome = outcome
        self.first_byte_s = monotonic() - self._began_mono
        counters = self._accounts.counters
        counters.answered(outcome)
        counters.took("first_byte", outcome.result, self.first_byte_s)

    def close(self, asking: Asking, status: int, *, cut: bool = False) -> None:
        """The answer is out, or it broke off; nothing when its player left before there was one."""
        outcome, accounts = self.outcome, self._accounts
        if outcome is None:
            return
        self.outcome = None
        total_s = monotonic() - self._began_mono
        if cut:
            accounts.counters.cut("upstream" if outcome.result == "error" else "player")
        if self.first_byte_s is not None:
            accounts.counters.took("total", outcome.result, total_s)
        accounts.counters.sent(outcome, self.sent_bytes)
        accounts.sampler.answered(asking, status)
        if accounts.log is None:
            return
        line = Line(
            wall=time(),
            client=asking.client,
            method=asking.method,
            host=asking.host,
            target=asking.target,
            http=asking.http,
            status=status,
            sent_bytes=self.sent_bytes,
            result=outcome.result,
            reason=outcome.reason,
            tier=outcome.tier,
            ttl_s=outcome.ttl_s,
            first_byte_s=self.first_byte_s,
            total_s=total_s,
            cut=cut,
        )
        accounts.log.answer(line)
