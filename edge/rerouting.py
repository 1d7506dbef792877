"""A worker's side of routes: which origins it asks, and which connections it keeps to them."""

from edge.fetch import FillClient
from edge.origins import Origins
from edge.route_orders import parse_routes


class Rerouting:
    """One per worker."""

    def __init__(self, origins: Origins, client: FillClient) -> None:
        self._origins = origins
        self._client = client

    async def heed(self, text: str) -> bool:
        """Ask the servers of an order that the supervisor has read, from the next fill on."""
        self._origins.reroute(parse_routes(text.encode()).groups)
        left = frozenset(self._origins.left)
        self._client.left = left  # what is on its way from there still comes
        for upstream in left:
            self._client.drop_idle(upstream)
        return True
