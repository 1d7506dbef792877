"""What a new worker gets from its supervisor, on the socket that is its standard input.

Descriptors travel with the message instead of being inherited, so a child that is not up yet holds
no listening socket: when the supervisor is killed just then, the port is free at once.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.purges import PurgePage
from edge.settings import EdgeSettings
from edge.tls import Pem

MESSAGE_MAX_BYTES = 256 * 1024
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """All that a worker is given."""

    settings: EdgeSettings
    worker_no: int
    page: PurgePage
    listener: socket.socket  # bound and listening, SO_REUSEPORT; the supervisor keeps a copy
    peer_dir: Path | None  # where worker N listens on `N.sock`; None when it is alone
    pems: tuple[Pem, ...] = ()  # of a node that serves TLS
    log_id: bytes = bytes(8)  # of the purge log that the page counts in
    ring: str | None = None  # of access keys, as it is written; never logged
    policies: dict[str, Any] | None = None  # `PolicyFile.to_mapping` of the rules in force
    steering: str | None = None  # the order in force, as it was given
    routes: str | None = None
    passage: socket.socket | None = None  # by which connections go to the hub, or come to it
    networks_fd: int | None = None  # of a compiled table


def hand_over(control: socket.socket, given: Handover) -> None:
    """Give a child its work; it fits the socket's buffer, so this does not wait for the child."""
    message = {
        "settings": json.loads(given.settings.to_json()),
        "worker_no": given.worker_no,
        "peer_dir": None if given.peer_dir is None else str(given.peer_dir),
        "pems": given.pems,
        "log_id": given.log_id.hex(),
        "supervisor": os.getpid(),
        "policies": given.policies,
        "ring": given.ring,
        "passes": given.passage is not None,
        "steering": given.steering,
        "routes": given.routes,
    }
    line = json.dumps(message, ensure_ascii=False).encode() + b"\n"
    passage = () if given.passage is None else (given.passage.fileno(),)
    networks = () if given.networks_fd is None else (given.networks_fd,)
    socket.send_fds(control, [line], [given.page.fd, given.listener.fileno(), *passage, *networks])


def adopt(stdin: int = 0) -> tuple[Handover, socket.socket]:
    """Return what was handed over and the socket for `control.ControlLine`.

    From now on this process dies with its supervisor; it exits here when there is none.
    """
    control = socket.socket(fileno=os.dup(stdin))
    line, fds = b"", []
    while not line.endswith(b"\n"):
        data, more, _, _ = socket.recv_fds(control, MESSAGE_MAX_BYTES, 4, socket.MSG_CMSG_CLOEXEC)
        if not data:
            sys.exit("a worker is started by `amaro edge serve`, not by hand")
        line += data
        fds += more
    message = json.loads(line)
    _die_with(message["supervisor"])
    page_fd, listener_fd, *rest = fds
    passage = socket.socket(fileno=rest.pop(0)) if message["passes"] else None
    if passage is not None:
        passage.setblocking(False)
    listener = socket.socket(fileno=listener_fd)
    listener.setblocking(False)
    control.setblocking(False)
    peer_dir = message["peer_dir"]
    given = Handover(
        settings=EdgeSettings.from_mapping(message["settings"]),
        worker_no=message["worker_no"],
        page=PurgePage.open(page_fd),
        listener=listener,
        peer_dir=None if peer_dir is None else Path(peer_dir),
        pems=tuple(Pem(*pem) for pem in message["pems"]),
        log_id=bytes.fromhex(message["log_id"]),
        policies=message["policies"],
        ring=message["ring"],
        steering=message["steering"],
        routes=message["routes"],
        passage=passage,
        networks_fd=rest[0] if rest else None,
    )
    return given, control


def _die_with(supervisor: int) -> None:
    """Have the kernel kill this process when its supervisor dies, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:  # it died before the line above
        sys.exit("the supervisor is gone")
