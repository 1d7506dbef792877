"""The servers that are compared, each with its committed configuration and its own hit mark."""

import os
import pwd
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.processes import Server, free_port, running

HERE = Path(__file__).parent
EDGE = "amaro-edge"
SERVER_CORE = 0
LOAD_CORE = (os.cpu_count() or 1) - 1

COMPLAINT = re.compile(
    r"\[(warn|crit|alert|emerg)\]|\b(error|critical|exception|traceback|panic|assert)\b",
    re.IGNORECASE,
)
"""What makes a line of any server's log a complaint."""


def is_hit(name: str, headers: Mapping[str, str]) -> bool:
    """Say whether a response was a hit by the server's own header (names lower-cased)."""
    if name == EDGE:
        return "hit" in re.split(r";\s*", headers.get("cache-status", ""))
    return headers.get("x-cache-status") == "HIT"


def complaints(server: Server) -> tuple[str, ...]:
    """Return the lines of a server's log that complain."""
    return tuple(line for line in server.log_lines() if COMPLAINT.search(line))


def configuration(name: str, directory: Path, port: int, origin_port: int) -> Path:
    """Write a committed configuration with this run's places filled in; return its path."""
    user = f"user {pwd.getpwuid(os.geteuid()).pw_name};" if os.geteuid() == 0 else ""
    text = (HERE / name).read_text()
    for mark, value in {
        "@DIR@": str(directory),
        "@PORT@": str(port),
        "@ORIGIN_PORT@": str(origin_port),
        "@USER@": user,
    }.items():
        text = text.replace(mark, value)
    path = directory / name
    path.write_text(text)
    return path


def nginx(config: str) -> Callable[[Path, int], AbstractContextManager[Server]]:
    """Return what starts nginx with a committed configuration, in a directory on tmpfs."""

    def start(directory: Path, origin_port: int) -> AbstractContextManager[Server]:
        port = free_port()
        path = configuration(config, directory, port, origin_port)
        return running(
            config.removesuffix(".conf").replace("_", "-"),
            ["nginx", "-e", str(directory / "error.log"), "-c", str(path)],
            port=port,
            core=SERVER_CORE,
            log=directory / "error.log",
        )

    return start


def varnish(directory: Path, origin_port: int) -> AbstractContextManager[Server]:
    """Start Varnish with malloc storage and one pool of threads for its one core."""
    port = free_port()
    vcl = configuration("varnish.vcl", directory, port, origin_port)
    command = ["varnishd", "-F", "-j", "none", "-n", str(directory / "varnish")]
    command += ["-a", f"127.0.0.1:{port}", "-f", str(vcl), "-s", "malloc,1g"]
    for setting in (
        *("thread_pools=1", "thread_pool_min=64", "thread_pool_max=512"),
        *("timeout_idle=3600", "listen_depth=4096", "http_max_hdr=64"),
    ):
        command += ["-p", setting]
    return running("varnish", command, port=port, core=SERVER_CORE, log=directory / "varnish.log")


def edge(directory: Path, origin_port: int) -> AbstractContextManager[Server]:
    """Start one bare worker of this edge."""
    port = free_port()
    command = [sys.executable, "-m", "amaro", "edge", "serve", "--listen", f"127.0.0.1:{port}"]
    command += ["--origin", f"http://127.0.0.1:{origin_port}", "--memory", "1GiB", "--workers", "1"]
    return running(EDGE, command, port=port, core=SERVER_CORE, log=directory / "edge.log")


STARTS: Mapping[str, Callable[[Path, int], AbstractContextManager[Server]]] = {
    EDGE: edge,
    "nginx-tuned": nginx("nginx_tuned.conf"),
    "nginx-default": nginx("nginx_default.conf"),
    "varnish": varnish,
}
