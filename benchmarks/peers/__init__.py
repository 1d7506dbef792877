"""The servers that are compared, each with its committed configuration and its own hit mark."""

import os
import pwd
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import Server, running

HERE = Path(__file__).parent
EDGE = "amaro-edge"
SERVER_CORE = 0
LOAD_CORE = (os.cpu_count() or 1) - 1

OPENSSL = (
    *("openssl", "req", "-x509", "-nodes", "-days", "1", "-subj", "/CN=edge.test"),
    *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
)
"""Makes a certificate as most sites have one: ECDSA on P-256."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and how a server runs: its own directory, its port, the origin's, and what is on."""

    directory: Path
    origin_port: int
    port: int
    tls: bool = False
    http2: bool = False  # over TLS, beside HTTP/1.1
    logs: bool = False  # a line for every request in `access_log`
    workers: int = 1  # each on a core of its own
    nopush: bool = True  # of the tuned nginx

    @property
    def access_log(self) -> Path:
        """Where its lines go, if it writes any."""
        return self.directory / "access.log"

    @property
    def certificate(self) -> tuple[Path, Path]:
        """Where its certificate and key lie, if it has any: made anew, signed by itself."""
        return self.directory / "cert.pem", self.directory / "key.pem"

    @property
    def cores(self) -> str:
        """The cores that it may use, as taskset reads them."""
        return ",".join(str(SERVER_CORE + number) for number in range(self.workers))

    def configuration(self, name: str, **marks: str) -> Path:
        """Write a committed configuration with the marks of this run filled in; return its path."""
        user = f"user {pwd.getpwuid(os.geteuid()).pw_name};" if os.geteuid() == 0 else ""
        text = (HERE / name).read_text()
        own = {"DIR": self.directory, "PORT": self.port, "ORIGIN_PORT": self.origin_port}
        for mark, value in (own | {"USER": user, "WORKERS": self.workers} | marks).items():
            text = text.replace(f"@{mark}@", str(value))
        path = self.directory / name
        path.write_text(text)
        return path


Start = Callable[[Place], AbstractContextManager[Server]]


def nginx(config: str, log_options: str) -> Start:
    """Return what starts nginx with a committed configuration, in a directory on tmpfs."""

    def start(place: Place) -> AbstractContextManager[Server]:
        log = f"{place.access_log} {log_options}" if place.logs else "off"
        nopush = "on" if place.nopush else "off"
        cert, key = place.certificate
        tls = f"ssl_certificate {cert}; ssl_certificate_key {key};" if place.tls else ""
        path = place.configuration(
            config,
            ACCESS_LOG=log,
            NOPUSH=nopush,
            TLS="ssl" if place.tls else "",
            CERTIFICATE=tls,
            HTTP2="http2" if place.http2 else "",
        )
        errors = place.directory / "error.log"
        return running(
            config.removesuffix(".conf").replace("_", "-"),
            ["nginx", "-e", str(errors), "-c", str(path)],
            port=place.port,
            cores=place.cores,
            log=errors,
            tls=place.tls,
        )

    return start


def varnish(place: Place) -> AbstractContextManager[Server]:
    """Start Varnish with malloc storage and one pool of threads for each of its cores.

    Its log is a ring in shared memory, always on; varnishncsa makes lines of it.
    """
    vcl = place.configuration("varnish.vcl")
    name = str(place.directory / "varnish")
    command = ["varnishd", "-F", "-j", "none", "-n", name]
    command += ["-a", f"127.0.0.1:{place.port}", "-f", str(vcl), "-s", "malloc,1g"]
    for setting in (
        *(f"thread_pools={place.workers}", "thread_pool_min=64", "thread_pool_max=2048"),
        "thread_queue_limit=2048",
        *("timeout_idle=3600", "listen_depth=4096", "http_max_hdr=64"),
        *(("vsl_space=1g",) if place.logs else ()),  # else varnishncsa misses lines of a turn
    ):
        command += ["-p", setting]
    if place.logs:
        lines = shlex.join(["varnishncsa", "-n", name, "-t", "30", "-w", str(place.access_log)])
        command = ["sh", "-c", f"{lines} & exec {shlex.join(command)}"]
    log = place.directory / "varnish.log"
    return running("varnish", command, port=place.port, cores=place.cores, log=log)


def edge(place: Place) -> AbstractContextManager[Server]:
    """Start this edge, bare but for what the row switches on."""
    command = [sys.executable, "-m", "amaro", "edge", "serve"]
    command += ["--listen", f"127.0.0.1:{place.port}", "--memory", "1GiB"]
    command += ["--origin", f"http://127.0.0.1:{place.origin_port}"]
    command += ["--workers", str(place.workers)]
    if place.logs:
        command += ["--access-log", str(place.access_log)]
    if place.tls:
        cert, key = place.certificate
        command += ["--tls-cert", str(cert), "--tls-key", str(key)]
    log = place.directory / "edge.log"
    return running(EDGE, command, port=place.port, cores=place.cores, log=log, tls=place.tls)


STARTS: Mapping[str, Start] = {
    EDGE: edge,
    "nginx-tuned": nginx("nginx_tuned.conf", "full buffer=64k flush=1s"),
    "nginx-default": nginx("nginx_default.conf", ""),
    "varnish": varnish,
}


def started(name: str, place: Place) -> AbstractContextManager[Server]:
    """Start a server by its name."""
    place.directory.mkdir(parents=True)
    if place.tls:
        cert, key = place.certificate
        subprocess.run(
            [*OPENSSL, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True
        )
    return STARTS[name](place)
