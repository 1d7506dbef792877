"""What a node takes of its machine before any worker is started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.disk_keeper import DiskKeeper
    from edge.realtime.keeping import HubPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What a node has taken of the machine before any worker is started."""

    listeners: Sequence[socket]  # one a worker
    peer_dir: Path | None
    disk: DiskKeeper | None = None
    hubs: Sequence[HubPlace] = ()  # one, or none
