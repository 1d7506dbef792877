"""An edge of one worker in front of an origin of many objects, and what it says of itself."""

import os
import secrets
import ssl
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.pairing import RunRefusedError
from benchmarks.peers import LOAD_CORE, OPENSSL, SERVER_CORE
from benchmarks.processes import Server, free_port, running

KIB = 1024


@dataclass(frozen=True, slots=True)
class Edge:
    """A running edge: where players and operators reach it, and how much memory it has."""

    server: Server
    admin: str
    token: str
    budget_bytes: int
    certificate: Path | None

    def metrics(self) -> dict[str, float]:
        """Return every sample by name, summed over labels."""
        said: defaultdict[str, float] = defaultdict(float)
        text = httpx.get(f"{self.admin}/metrics", timeout=30).text
        for family in text_string_to_metric_families(text):
            for each in family.samples:
                said[each.name] += each.value
        return said

    def purge(self, **order: Any) -> None:
        """Purge; raise when the edge does not acknowledge."""
        authorization = {"Authorization": f"Bearer {self.token}"}
        httpx.post(
            f"{self.admin}/purge", json=order, headers=authorization, timeout=30
        ).raise_for_status()

    def longest_stall_ms(self) -> tuple[float, float]:
        """Return the longest stall of the loop since this was last asked, and its own share.

        The share is of work of its own, whatever else ran on the machine.
        """
        said = self.metrics()
        stall_s = said["amaro_edge_loop_stall_max_seconds"]
        return 1e3 * stall_s, 1e3 * said["amaro_edge_loop_busy_max_seconds"]

    def client_context(self, *alpn: str) -> ssl.SSLContext:
        """Return a context that trusts this edge's certificate, and no other."""
        context = ssl.create_default_context(cafile=self.certificate)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # it is its own authority
        context.check_hostname = False  # a common name alone is none to OpenSSL
        context.set_alpn_protocols(list(alpn))
        return context

    def refuse_unless_held(self, connections: int) -> None:
        """Raise RunRefusedError unless so many are connected, and one fill served all of them."""
        said = self.metrics()
        there, cut = said["amaro_edge_connections"], said["amaro_edge_readers_cut_total"]
        fills = said["amaro_edge_fills_total"]
        if (there, cut, fills) != (connections, 0, 1):
            raise RunRefusedError(
                f"{there:g} of {connections} readers are connected, {cut:g} were cut, "
                f"the origin was asked {fills:g} times"
            )


@contextmanager
def edge(budget_bytes: int, *, tls: bool = False, options: Sequence[str] = ()) -> Iterator[Edge]:
    """Run one worker and its origin until the end."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        origin_port, port, admin_port = free_port(), free_port(), free_port()
        python, log = sys.executable, directory / "log"
        origin = [python, "-m", "benchmarks.object_origin", str(origin_port)]
        stack.enter_context(
            running("origin", origin, port=origin_port, cores=str(LOAD_CORE), log=log)
        )
        token = os.environ["AMARO_ADMIN_TOKEN"] = secrets.token_hex(16)
        command = [python, "-m", "amaro", "edge", "serve", "--listen", f"127.0.0.1:{port}"]
        command += ["--origin", f"http://127.0.0.1:{origin_port}"]
        command += ["--memory", f"{budget_bytes // KIB}KiB"]
        command += ["--admin", f"127.0.0.1:{admin_port}", *options]
        certificate, key = directory / "cert.pem", directory / "key.pem"
        if tls:
            subprocess.run(
                [*OPENSSL, "-keyout", str(key), "-out", str(certificate)],
                check=True,
                capture_output=True,
            )
            command += ["--tls-cert", str(certificate), "--tls-key", str(key)]
        server = stack.enter_context(
            running("edge", command, port=port, cores=str(SERVER_CORE), log=log, tls=tls)
        )
        admin = f"http://127.0.0.1:{admin_port}"
        yield Edge(server, admin, token, budget_bytes, certificate if tls else None)
