"""Origins in groups: those of a group hold the same content, the first healthy one is asked."""

import logging
from collections.abc import Iterator, Mapping
from typing import Final

from edge.routes import Route, Upstream
from failover.health import Effect, Health, HealthPolicy, Signal, State, step

LEFT_MAX: Final = 64  # servers: where so many were left since, no answer is on its way any more
DEFAULT: Final = ""  # the group that is asked where no policy names another

log = logging.getLogger("edge.origins")


class Origins:
    """Where content comes from, and how each server there has been answering this worker."""

    left: tuple[Upstream, ...] = ()  # asked once and not any more, of late; the last one last

    def __init__(
        self, groups: Mapping[str, tuple[str, ...]], policy: HealthPolicy | None = None
    ) -> None:
        """`groups` are URLs by name, best first; DEFAULT is one of them. Raises ValueError."""
        self._policy = policy or HealthPolicy()
        self._configured = dict(groups)
        self._health: dict[Upstream, Health] = {}
        self.reroute({})

    def reroute(self, groups: Mapping[str, tuple[str, ...]]) -> None:
        """Ask these servers in these groups, in others those of the start.

        What is known of the health of a server that stays is kept.
        """
        urls = {**self._configured, **groups}
        self._groups = {name: tuple(map(_route, urls[name])) for name in self._configured}
        before, self._health = self._health, {}
        for route in self._routes():
            self._health[route.upstream] = before.get(route.upstream, Health())
        left = [each for each in self.left if each not in before]
        gone = [each for each in (*left, *before) if each not in self._health]
        self.left = tuple(gone[-LEFT_MAX:])

    @property
    def urls(self) -> dict[str, list[str]]:
        """The servers of each group, best first, whatever their health."""
        return {
            name: [route.upstream.url for route in routes] for name, routes in self._groups.items()
        }

    def of(self, group: str) -> tuple[Route, ...]:
        """The group's servers in the order to ask them; the default group's for an unknown name.

        Those that are down come last: where no other is left they are asked all the same.
        """
        routes = self._groups.get(group) or self._groups[DEFAULT]
        if len(routes) == 1:
            return routes
        return tuple(sorted(routes, key=lambda route: self.is_down(route.upstream)))

    def saw(self, upstream: Upstream, signal: Signal) -> None:
        """Learn from an answer, from its absence, or from a probe."""
        before = self._health.get(upstream)
        if before is None:  # a peer
            return
        self._health[upstream], effect = step(before, signal, self._policy)
        if effect is Effect.EJECT:
            log.warning("origin %s is down", upstream.url)
            for name in self._all_down_with(upstream):
                group = f" of group {name}" if name else ""
                log.error("all origins%s are down: they are asked all the same", group)
        elif effect is Effect.RESTORE:
            log.warning("origin %s is up again", upstream.url)

    def is_down(self, upstream: Upstream) -> bool:
        """Whether this origin was ejected and has not come back."""
        health = self._health.get(upstream)
        return health is not None and health.state is State.DOWN

    def probed(self) -> tuple[Upstream, ...]:
        """The servers worth probing: those that another could stand in for."""
        several = [routes for routes in self._groups.values() if len(routes) > 1]
        return tuple(dict.fromkeys(route.upstream for routes in several for route in routes))

    @property
    def down(self) -> int:
        """How many origins are down now."""
        return sum(map(self.is_down, self._health))

    def told(self) -> Iterator[tuple[str, float]]:
        """The values of the gauge `origin_up`."""
        for upstream in self._health:
            yield f"origin_up {upstream.url}", float(not self.is_down(upstream))

    def _routes(self) -> Iterator[Route]:
        for routes in self._groups.values():
            yield from routes

    def _all_down_with(self, upstream: Upstream) -> list[str]:
        return [
            name
            for name, routes in self._groups.items()
            if any(route.upstream == upstream for route in routes)
            and all(self.is_down(route.upstream) for route in routes)
        ]


def read_origins(*said: str, policy: HealthPolicy | None = None) -> Origins:
    """Return the origins that these options name; see `parse_groups`."""
    return Origins(parse_groups(said), policy)


def _route(url: str) -> Route:
    return Route(Upstream(url))


def parse_groups(said: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return the groups that options `URL[,URL…]` and `NAME=URL[,URL…]` name, best servers first.

    The same name given twice adds to its group. Raises ValueError with what is missing.
    """
    groups: dict[str, tuple[str, ...]] = {DEFAULT: ()}
    for each in said:
        name, named, urls = each.partition("=")
        if not named or "/" in name:
            name, urls = DEFAULT, each
        added = tuple(url.strip() for url in urls.split(",") if url.strip())
        groups[name] = tuple(dict.fromkeys((*groups.get(name, ()), *added)))
    for name, urls_of in groups.items():
        if not urls_of:
            raise ValueError(
                f"no server in group {name!r}" if name else "no server without a group"
            )
    return groups
