"""The shape of the sources: I/O at the rim, names that say what is decided, files of one idea."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("amaro", "cache_policies", "console", "edge", "failover", "origin", "segmenter")
SOURCES = sorted(path for name in PACKAGES for path in ROOT.glob(f"{name}/**/*.py"))
PURE = {"asyncio", "os", "random", "socket", "subprocess", "time"}  # what a core never imports
RIM = {
    "amaro": {"*"},  # the command line, supervision and composition: all of it does I/O
    "cache_policies": set(),
    "console": {"server.py", "service.py", "app.py"},
    "edge": {
        *("arena.py", "connection.py", "direct.py"),
        *("admin.py", "admin_connection.py", "app.py", "collapse.py", "control.py", "cycle.py"),
        *(
            "clocks.py",
            "disk.py",
            "disk_at_hand.py",
            "disk_files.py",
            "disk_keeper.py",
            "disk_place.py",
        ),
        *("clocks.py", "disk_pool.py", "exchange.py"),
        *("disk_sweep.py", "promoting.py", "purge_feed.py", "purge_log.py"),
        *(
            "fetch.py",
            "filling.py",
            "following.py",
            "handover.py",
            "invalidating.py",
            "invalidations.py",
            "keeper.py",
            "encrypted.py",
            "listeners.py",
            "metrics.py",
        ),
        *("node.py", "pace.py", "patience.py", "peer.py", "protocol.py", "purges.py", "tasks.py"),
        *("loop_watch.py", "output.py", "renewal.py", "secure.py", "supervisor.py", "tls.py"),
        *("windows.py", "worker.py"),
        *("access_log.py", "accounts.py", "asking.py", "http2.py", "peer_dir.py", "probes.py"),
        *("access_keys.py", "door.py", "gathering.py", "sampling.py"),
        *("holdings.py", "realtime/carriers.py", "realtime/connection.py", "realtime/passage.py"),
        *("realtime/keeping.py", "realtime/secure.py", "realtime/service.py", "shared.py"),
        *("rounds.py", "slice_stream.py", "slicing.py", "standing_in.py", "stream_player.py"),
        *("streams.py", "switching.py", "upkeep.py", "write_queue.py"),
        *("valkey_link.py", "valkey_servers.py", "valkey_tier.py"),
    },
    "failover": set(),
    "origin": {
        *("appending.py", "assets_api.py", "bodies.py", "body_reader.py", "chores.py", "feed.py"),
        *("playback.py", "service.py", "serving.py", "store.py", "tus.py"),
    },
    "segmenter": {
        *("child.py", "health.py", "lease.py", "package.py", "probe.py", "stages.py", "tools.py"),
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
