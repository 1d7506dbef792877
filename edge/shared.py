"""What all connections of one listener share."""

from socket import socket

from edge.accounts import Accounts
from edge.door import Door
from edge.following import Following
from edge.gates import Gates
from edge.heads import KnownLines
from edge.purges import PurgeFollower
from edge.settings import Limits


class Shared:
    """One for each listener of a worker."""

    __slots__ = (
        "accounts",
        "clients",
        "counters",
        "door",
        "follower",
        "following",
        "gates",
        "has_hits",
        "is_draining",
        "limits",
        "lines",
        "log",
        "memory",
        "passage",
        "peers",
        "policies",
        "sampler",
        "steering",
    )

    def __init__(
        self,
        *,
        following: Following,
        follower: PurgeFollower,
        accounts: Accounts,
        limits: Limits,
        peers: bool = False,
    ) -> None:
        self.following = following
        self.memory = following.filler.memory
        self.follower = follower
        self.accounts = accounts
        self.counters = accounts.counters
        self.log = accounts.log  # of plain hits, too
        self.sampler = accounts.sampler
        self.steering = following.steering
        self.limits = limits
        self.clients = accounts.clients
        self.policies = following.filler.in_force.policies
        self.lines = KnownLines(self.policies)
        self.door: Door | None = None  # that plain hits come through; without keys it is open
        if not peers and following.door.ring is not None:
            self.door = following.door
        self.gates: Gates | None = None if peers else following.limiting.gates
        self.peers = peers  # these come from other workers here, or other edges of the region
        self.passage: socket | None = None  # by which connections go to the realtime hub
        self.has_hits = not peers  # what is answered in memory needs no app
        self.is_draining = False  # every answer is its connection's last one

    def drain(self) -> None:
        """From now on the app answers everything: it can say that a connection ends."""
        self.is_draining, self.has_hits = True, False

    def switch(self) -> None:
        """Read requests by other policies from now on."""
        self.policies = self.following.filler.in_force.policies
        self.lines = KnownLines(self.policies)
        self.gates = None if self.peers else self.following.limiting.gates
