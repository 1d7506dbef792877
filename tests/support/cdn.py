"""Two CDNs as nginx reverse proxies on loopback addresses of their own, and what befalls them."""

from __future__ import annotations

import base64
import hashlib
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from edge.settings import CertificatePair
from tests.support.stack import until
from tests.support.tls import EDGE

NGINX: Final = shutil.which("nginx") or "/usr/sbin/nginx"
SLOW_S: Final = 20

_CONF = """
daemon off; worker_processes 1; worker_shutdown_timeout 1s;
pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  split_clients $request_id $is_bad {{ 50% 1; * ""; }}
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host:$server_port;
  proxy_max_temp_file_size 0; proxy_ssl_verify off; proxy_hide_header Access-Control-Allow-Origin;
  add_header Access-Control-Allow-Origin * always;
  server {{
    listen {host}:{port} ssl;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    {fault}
    location / {{ proxy_pass {upstream}; }}
    location @late {{ proxy_pass {upstream}; }}
  }}
}}
"""


@dataclass(kw_only=True)
class Cdn:
    """One provider; a fault is a method that begins it, and `recover` ends all."""

    host: str
    port: int
    upstream: str
    folder: Path
    expired: CertificatePair
    silent: socket.socket
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Serve."""
        self._write()
        command = [NGINX, "-c", str(self.folder / "conf"), "-p", str(self.folder)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        until(self._is_open, max_s=30, what=f"a provider at {self.host}")
        # it listens before it heeds signals, which a fault that follows at once would kill it by
        until(self._has_workers, max_s=30, what=f"workers of a provider at {self.host}")

    def _write(self, fault: str = "", pair: CertificatePair = EDGE) -> None:
        (self.folder / "conf").write_text(
            _CONF.format(
                folder=self.folder, host=self.host, port=self.port, upstream=self.upstream,
                fault=fault, certificate=pair.certificate, key=pair.key,
            )
        )  # fmt: skip

    def stop(self) -> None:
        """End at once, whatever is on its way."""
        process, self.process = self.process, None
        if process is None:
            return
        for each in self._processes(process):
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait()

    def recover(self) -> None:
        """Be as always."""
        self.stop()
        self.start()

    # faults

    def refused(self) -> None:
        """Nobody listens."""
        self.stop()

    def black_hole(self) -> None:
        """The kernel accepts connections, and nobody answers."""
        assert self.process is not None
        for each in self._processes(self.process):
            each.send_signal(signal.SIGSTOP)

    def stalled(self) -> None:
        """Each segment begins, and goes on with a byte a second."""
        self._change(
            "location ~ \\.m4s { limit_rate_after 8k; limit_rate 1;"
            f" proxy_pass {self.upstream}; }}"
        )

    def server_errors(self) -> None:
        """503."""
        self._change("location ~ . { return 503; }")

    def slow(self) -> None:
        """Right answers, after 20 s."""
        port = self.silent.getsockname()[1]
        self._change(
            f"location ~ . {{ proxy_pass http://127.0.0.1:{port}; proxy_read_timeout {SLOW_S}s;"
            " error_page 504 = @late; }"
        )

    def wrong_bytes(self) -> None:
        """A page of its own in the place of each segment, with 200."""
        page = "<html>" + "Please wait. " * 200
        self._change(f"location ~ \\.m4s {{ default_type video/mp4; return 200 '{page}'; }}")

    def expired_certificate(self) -> None:
        """TLS fails."""
        self._change(pair=self.expired)

    def half(self) -> None:
        """Every second request fails."""
        self._change("if ($is_bad) { return 503; }")

    def _change(self, fault: str = "", pair: CertificatePair = EDGE) -> None:
        """Serve in another way from now on, without a gap in between."""
        assert self.process is not None
        before = set(self._processes(self.process)[1:])
        self._write(fault, pair)
        self.process.send_signal(signal.SIGHUP)

        def is_changed() -> bool:
            assert self.process is not None
            now = set(self._processes(self.process)[1:])
            return bool(now) and not now & before

        until(is_changed, max_s=30, what=f"another way of {self.host}")

    def _has_workers(self) -> bool:
        return self.process is not None and len(self._processes(self.process)) > 1

    def _is_open(self) -> bool:
        with suppress(OSError), socket.create_connection((self.host, self.port), 1.0):
            return True
        return False

    @staticmethod
    def _processes(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
        try:
            master = psutil.Process(process.pid)
            return [master, *master.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


FAULTS: Final[dict[str, Callable[[Cdn], None]]] = {
    "refused": Cdn.refused,
    "black-hole": Cdn.black_hole,
    "stalled-answers": Cdn.stalled,
    "5xx": Cdn.server_errors,
    "20-s-answers": Cdn.slow,
    "wrong-bytes": Cdn.wrong_bytes,
    "expired-certificate": Cdn.expired_certificate,
    "half-fails": Cdn.half,
}


@contextmanager
def cdn(host: str, port: int, upstream: str, folder: Path) -> Iterator[Cdn]:
    """A provider at an address of its own, in front of `upstream`, while the block runs."""
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        running = Cdn(
            host=host, port=port, upstream=upstream, folder=folder,
            expired=expired_pair(folder), silent=silent,
        )  # fmt: skip
        running.start()
        try:
            yield running
        finally:
            running.stop()


def expired_pair(folder: Path) -> CertificatePair:
    """A certificate that ended yesterday."""
    made = CertificatePair(str(folder / "expired.pem"), str(folder / "expired.key"))
    wanted = str(folder / "expired.csr")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    _openssl("req", "-new", *curve, "-subj", "/CN=expired", "-keyout", made.key, "-out", wanted)
    signing = ("-signkey", made.key, "-days", "-1", "-out", made.certificate)
    _openssl("x509", "-req", "-in", wanted, *signing)
    return made


def key_hash(pair: CertificatePair) -> str:
    """What Chromium knows a public key by: base64 of the SHA-256 of its SPKI."""
    pem = _openssl("x509", "-in", pair.certificate, "-noout", "-pubkey")
    der = base64.b64decode(b"".join(pem.splitlines()[1:-1]))
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def _openssl(*arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout
