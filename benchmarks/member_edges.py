"""Real edges, one beside each member: nodes of one worker that know every service's group."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.processes import launched
from failover.endpoint import Endpoint


@contextmanager
def member_edges(
    places: Mapping[str, tuple[Endpoint, Endpoint]],
    groups: Mapping[str, Sequence[str]],
    directory: Path,
) -> Iterator[dict[str, str]]:
    """Run an edge a name until the end of the block; give the URLs of their admin listeners.

    Nobody waits until they listen: members try until they do. `places` are where players and
    operators reach each, `groups` the origins of each service. The admin token is that of this
    process's environment.
    """
    origins = [f"{name}={','.join(urls)}" for name, urls in groups.items()]
    anybody = next(iter(groups.values()))[0]  # an edge has a default group, too
    admins = {}
    with ExitStack() as stack:
        for name, (listen, admin) in places.items():
            command = [sys.executable, "-m", "amaro", "edge", "serve", "--listen", str(listen)]
            command += ["--admin", str(admin), "--memory", "8MiB"]
            command += [word for each in (anybody, *origins) for word in ("--origin", each)]
            log = directory / f"edge-{name}.log"
            stack.enter_context(
                launched(f"edge {name}", command, port=admin.port, cores="0-1", log=log)
            )
            admins[name] = f"http://{admin}"
        yield admins
