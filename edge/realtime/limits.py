"""What bounds the hub of an edge; reaching a limit is counted."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HubLimits:
    """Numbers of things are the hub's, which is one process."""

    # connections
    connections_max: int = 20_000
    client_connections_max: int = 1_024  # of one client: an IPv4 address, or an IPv6 /64
    hello_s: float = 10.0  # from a connection's beginning to its token
    ping_s: float = 25.0  # below the 30 s after which some mobile networks forget a connection
    pings_unanswered_max: int = 2
    drain_s: float = 5.0  # over which connections are ended, so that they do not return at once

    # what clients say
    message_max_bytes: int = 4_096
    says_per_s: float = 5.0  # messages of one client
    says_burst: float = 40.0  # of them at once: a page joins its topics when it opens
    lines_per_s: float = 0.5  # of these lines of text, which people read
    lines_burst: float = 4.0
    refusals_max: int = 100  # messages that were refused; then the connection ends
    topic_sends_per_s: float = 50_000.0  # what is said in a topic, times who hears it
    topic_says_max: float = 50.0  # a second, however few hear it; more is lost
    topics_max: int = 32  # that one client is in
    topics_all_max: int = 50_000  # that anybody is in

    # what clients hear
    queue_fleeting_max: int = 64  # signals that wait for a slow reader; the oldest are lost
    queue_lasting_max: int = 256  # beyond these it is cut, and comes back for them
    fanouts_fleeting_max: int = 32  # of one topic that wait for their turn; the oldest are lost
    fanout_clients: int = 256  # that get a signal before others are looked at

    # what is kept
    history_topic_max: int = 64  # lasting signals of one topic
    history_topics_max: int = 10_000
    presence_grace_s: float = 5.0  # within which somebody who left may be back
    presence_member_s: float = 0.001  # between two counts of one topic, for each member to tell
    presence_heard_s: float = 45.0  # another edge's counts stand for this long

    def topic_says_per_s(self, members: int) -> float:
        """How many fleeting signals a topic with so many members has a second."""
        return min(self.topic_says_max, self.topic_sends_per_s / max(1, members))
