"""Which worker of a node asks the origin for a key: its owner, by rendezvous hash."""

from __future__ import annotations

import socket
from hashlib import blake2b
from pathlib import Path

from edge.origins import Origins
from edge.routes import Route, Upstream


def ranking(key: bytes, workers: int) -> list[int]:
    """Return the workers in the order in which they own `key`; the same in every process.

    Where one is missing its keys go to their next owners, evenly, and no other key moves.
    """
    weights = [
        (blake2b(key, digest_size=8, salt=b"%d" % worker_no).digest(), worker_no)
        for worker_no in range(workers)
    ]
    return [worker_no for _, worker_no in sorted(weights, reverse=True)]


def peer_socket(peer_dir: Path, worker_no: int) -> Path:
    """Return where a worker listens for the others."""
    return peer_dir / f"{worker_no}.sock"


class PeerUpstreams:
    """Routes through the owner. Only workers that rank higher are asked, so no fill goes round.

    A dead owner refuses the connection at once, and the next route is taken.
    """

    def __init__(self, *, origins: Origins, worker_no: int, workers: int, peer_dir: Path) -> None:
        self._worker_no = worker_no
        self.origins = origins
        self._peers = [
            Route(Upstream(f"unix:{peer_socket(peer_dir, number)}"), peer=True)
            for number in range(workers)
        ]

    def of(self, key: bytes, *, direct: bool, group: str) -> tuple[Route, ...]:
        """Return the routes for a fill of `key`; `direct` when a peer asks for it, or no cache."""
        if direct:
            return self.origins.of(group)
        owners = ranking(key, len(self._peers))
        above = owners[: owners.index(self._worker_no)]
        return (*(self._peers[worker_no] for worker_no in above), *self.origins.of(group))


def listening_peer(peer_dir: Path, worker_no: int) -> socket.socket:
    """A socket on which other workers of the node reach worker `worker_no`."""
    path = peer_socket(peer_dir, worker_no)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(4096)
    listener.setblocking(False)
    return listener
