"""The shape of the sources: I/O at the rim, names that say what is decided, files of one idea."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("amaro", "cache_policies", "console", "edge", "failover", "origin", "segmenter")
SOURCES = sorted(path for name in PACKAGES for path in ROOT.glob(f"{name}/**/*.py"))
PURE = {"asyncio", "os", "random", "socket", "subprocess", "time"}  # what a core never imports
RIM = {
    "amaro": {"*"},
    "cache_policies": set(),
    "console": {
        "app.py",
        "failover.py",
        "server.py",
    },
    "edge": {
        "access_keys.py",
        "access_log.py",
        "accounts.py",
        "admin.py",
        "admin_connection.py",
        "app.py",
        "arena.py",
        "asking.py",
        "clocks.py",
        "collapse.py",
        "connection.py",
        "control.py",
        "cycle.py",
        "direct.py",
        "disk.py",
        "disk_at_hand.py",
        "disk_files.py",
        "disk_keeper.py",
        "disk_place.py",
        "disk_pool.py",
        "disk_sweep.py",
        "door.py",
        "encrypted.py",
        "exchange.py",
        "fetch.py",
        "filling.py",
        "following.py",
        "gathering.py",
        *("admission.py", "gated.py", "limit_page.py", "limiting.py", "pacing.py", "places.py"),
        "handover.py",
        "holdings.py",
        "http2.py",
        "invalidating.py",
        "invalidations.py",
        "keeper.py",
        "listeners.py",
        "loop_watch.py",
        "membership.py",
        "metrics.py",
        "neighbours.py",
        "network_file.py",
        "node.py",
        "output.py",
        "pace.py",
        "patience.py",
        "peer.py",
        "peer_dir.py",
        "prewarming.py",
        "probes.py",
        "promoting.py",
        "protocol.py",
        "provider_hits.py",
        "publishing.py",
        "purge_log.py",
        "purge_carrier.py",
        "purge_feed.py",
        "purges.py",
        "realtime/carriers.py",
        "realtime/connection.py",
        "realtime/keeping.py",
        "realtime/passage.py",
        "realtime/secure.py",
        "realtime/service.py",
        "region.py",
        "region_follower.py",
        "renewal.py",
        "rounds.py",
        "sampling.py",
        "secure.py",
        "server.py",
        "shared.py",
        "shield_app.py",
        "shield_asking.py",
        "slice_stream.py",
        "slicing.py",
        "slow_readers.py",
        "standing_in.py",
        "standing_orders.py",
        "starting.py",
        "stream_player.py",
        "streams.py",
        "switching.py",
        "tasks.py",
        "tls.py",
        "upkeep.py",
        "valkey_link.py",
        "valkey_servers.py",
        "valkey_tier.py",
        "warming.py",
        "windows.py",
        "worker.py",
        "write_queue.py",
    },
    "failover": {
        "api.py",
        "at_edge.py",
        "audit_file.py",
        "controlling.py",
        "dns_asking.py",
        "dns_changing.py",
        "dns_following.py",
        "dns_watching.py",
        "holding.py",
        "in_force.py",
        "lease_redis.py",
        "lease_sql.py",
        "member.py",
        "name_server.py",
        "notifying.py",
        "own_dns.py",
        "peers.py",
        "probe_errors.py",
        "probe_http.py",
        "probe_network.py",
        "probing.py",
        "resolving.py",
        "running.py",
        "status.py",
        "vantage.py",
        "zone_primary.py",
        "zone_secondary.py",
    },
    "origin": {
        "appending.py",
        "assets_api.py",
        "bodies.py",
        "body_reader.py",
        "chores.py",
        "feed.py",
        "playback.py",
        "progress.py",
        "provider.py",
        "service.py",
        "serving.py",
        "store.py",
        "tus.py",
        "distribution.py",
        "purge_carrier.py",
        "purge_ordering.py",
        "purges_api.py",
        "valkey_way.py",
    },
    "segmenter": {
        "child.py",
        "health.py",
        "lease.py",
        "package.py",
        "probe.py",
        "stages.py",
        "tools.py",
        "worker.py",
    },
}
"""The files of each package that may touch clocks, sockets, files, processes and chance."""

VAGUE = {"utils", "common", "helpers", "base", "manager"}
LINES_MAX = 400


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> set[str]:
    """Return the top-level names of the modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_only_rim_files_touch_the_world(path):
    package, _, name = relative(path).partition("/")
    if not RIM[package] & {"*", name}:
        touched = sorted(imports(path) & PURE)
        assert not touched, f"{relative(path)} imports {touched}: move it to the rim, or list it"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_file_has_one_idea_and_says_which(path):
    assert path.stem not in VAGUE
    lines = len(path.read_text().splitlines())
    assert lines <= LINES_MAX, f"{relative(path)} has {lines} lines: find the second idea"
