"""Which server has which bucket: whom to ask, and what the answers say."""

from dataclasses import replace
from typing import Any, Final

from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, ReadOnlyError, TryAgainError

from cache_policies.valkey_address import Address, Kind, Server
from cache_policies.valkey_buckets import BUCKETS, hash_tag

FIND_S: Final = 1.0  # for one who may know; nobody who is served waits for it
FIND_EVERY_S: Final = 1.0  # where buckets are is asked no more often
SLOTS: Final = tuple(key_slot(hash_tag(bucket).encode()) for bucket in range(BUCKETS))
"""The slot of each bucket in a cluster."""
MOVING: Final = (AskError, ClusterDownError, ReadOnlyError, TryAgainError)
"""What a server says that is well: what was asked for is on its way to another one."""

Servers = tuple[Server | None, ...]  # by bucket; None where nobody is known


class TopologyError(Exception):
    """An answer that says nothing of where anything is."""


def known_servers(address: Address) -> Servers:
    """Where the buckets are as far as the address itself tells."""
    if address.kind is Kind.SERVER:
        return address.servers * BUCKETS
    return (None,) * BUCKETS


def who_may_know(address: Address, known: Servers) -> tuple[Server, ...]:
    """Whom to ask where the buckets are, one after the other; nobody where the address says it."""
    if address.kind is Kind.SERVER:
        return ()
    others = filter(None, known) if address.kind is Kind.CLUSTER else ()
    return tuple(dict.fromkeys([*others, *address.servers]))


def question(address: Address) -> tuple[Address, tuple[str, ...]]:
    """As whom they are asked, and what."""
    if address.kind is Kind.CLUSTER:
        return address, ("CLUSTER", "SLOTS")
    # Sentinels have no databases, and passwords of their own
    nobody = replace(address, username=None, password=None, database=0)
    return nobody, ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", address.service)


def found_servers(address: Address, answer: Any, asked: Server) -> Servers:
    """Where the buckets are by an answer. Raises TopologyError."""
    if address.kind is Kind.CLUSTER:
        return of_cluster(answer, asked)
    return of_sentinel(answer)


def of_cluster(slots: Any, asked: Server) -> Servers:
    """The primary of each bucket, by an answer to CLUSTER SLOTS; None where none has its slot.

    A server that does not know its own name is the one that was `asked`. Raises TopologyError.
    """
    found: list[Server | None] = [None] * BUCKETS
    try:
        for first, last, primary, *_ in slots:
            host, port = _text(primary[0]), int(primary[1])
            for bucket, slot in enumerate(SLOTS):
                if first <= slot <= last:
                    found[bucket] = Server(host or asked.host, port)
    except (IndexError, TypeError, ValueError) as error:
        raise TopologyError(f"no answer to CLUSTER SLOTS: {error}") from None
    return tuple(found)


def of_sentinel(master: Any) -> Servers:
    """The same by an answer to SENTINEL GET-MASTER-ADDR-BY-NAME. Raises TopologyError."""
    try:
        host, port = master
        return (Server(_text(host), int(port)),) * BUCKETS
    except (TypeError, ValueError):
        raise TopologyError("the Sentinel knows no such service") from None


def _text(said: bytes | str | None) -> str:
    return said.decode() if isinstance(said, bytes) else said or ""
