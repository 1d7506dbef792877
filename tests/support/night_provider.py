"""A provider as an nginx in front of edges; a file says that it fails, another that 2 % do."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

NGINX: Final = shutil.which("nginx") or "/usr/sbin/nginx"
LATE_PERCENT: Final = 2

_CONF = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  split_clients $request_id $is_one_of_few {{ {late}% 1; * ""; }}
  upstream edges {{ {edges} }}
  server {{
    listen {listen};
    set $fails "";
    if (-f {folder}/late) {{ set $fails $is_one_of_few; }}
    if (-f {folder}/bad) {{ set $fails 1; }}
    if ($fails) {{ return 503; }}
    location / {{
      proxy_pass http://edges; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host:$server_port;
      proxy_connect_timeout 500ms; proxy_read_timeout 1s;
    }}
  }}
}}
"""


class NightProvider:
    """One provider; what it does changes with the next request."""

    def __init__(self, folder: Path, listen: str, edges: Sequence[str]) -> None:
        folder.mkdir()
        self._bad, self._late = folder / "bad", folder / "late"
        servers = " ".join(f"server {each};" for each in edges)
        text = _CONF.format(folder=folder, listen=listen, edges=servers, late=LATE_PERCENT)
        (folder / "conf").write_text(text)
        self.argv = [NGINX, "-c", str(folder / "conf"), "-p", str(folder)]

    @property
    def is_bad(self) -> bool:
        """Whether it answers 503 to everybody."""
        return self._bad.exists()

    def do(self, *, is_bad: bool, is_late: bool = False) -> None:
        """Fail, or do not; `is_late`: a few requests fail."""
        for file, wanted in ((self._bad, is_bad), (self._late, is_late)):
            if wanted:
                file.touch()
            else:
                file.unlink(missing_ok=True)
