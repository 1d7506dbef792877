"""Whom one worker asks for what it lacks: its peers if it has any, and the origins."""

from edge.handover import Handover
from edge.origins import read_origins
from edge.peer import PeerUpstreams
from edge.route_orders import parse_routes
from edge.upstreams import OriginOnly, Upstreams
from failover.health import HealthPolicy


def upstreams_of(given: Handover) -> Upstreams:
    """The upstreams of the worker that was given this."""
    settings = given.settings
    health = HealthPolicy(fall=settings.limits.origin_fall, rise=settings.limits.origin_rise)
    origins = read_origins(settings.origin, *settings.origin_groups, policy=health)
    if given.routes is not None:
        origins.reroute(parse_routes(given.routes.encode()).groups)
    if given.peer_dir is None:
        return OriginOnly(origins)
    return PeerUpstreams(
        origins=origins,
        worker_no=given.worker_no,
        workers=settings.workers,
        peer_dir=given.peer_dir,
    )
