"""Which server has which bucket, by what the servers of a region say of themselves."""

from typing import Any, Final

from redis.crc import key_slot

from edge.valkey_address import Server
from edge.valkey_names import BUCKETS, hash_tag

SLOTS: Final = tuple(key_slot(hash_tag(bucket).encode()) for bucket in range(BUCKETS))
"""The slot of each bucket in a cluster."""


class TopologyError(Exception):
    """An answer that says nothing of where anything is."""


def of_cluster(slots: Any, asked: Server) -> tuple[Server | None, ...]:
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


def of_sentinel(master: Any) -> tuple[Server | None, ...]:
    """The same by an answer to SENTINEL GET-MASTER-ADDR-BY-NAME. Raises TopologyError."""
    try:
        host, port = master
        return (Server(_text(host), int(port)),) * BUCKETS
    except (TypeError, ValueError):
        raise TopologyError("the Sentinel knows no such service") from None


def _text(said: bytes | str | None) -> str:
    return said.decode() if isinstance(said, bytes) else said or ""
