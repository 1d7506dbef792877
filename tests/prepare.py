"""Install what the tests need beside Python packages: by apt when root, a clear list otherwise."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

DEBIAN_PACKAGE_OF = {
    "chromium": "chromium",
    "curl": "curl",
    "dig": "dnsutils",
    "h2load": "nghttp2-client",
    "ip": "iproute2",
    "kdig": "knot-dnsutils",
    "knotd": "knot",
    "pdns_server": "pdns-backend-sqlite3",
    "sqlite3": "sqlite3",
    "nginx": "nginx-light",
    "openssl": "openssl",
    "tc": "iproute2",
}


def main() -> int:
    """Return 0 when every command that the tests call is there, installed now if need be."""
    missing = sorted({pkg for cmd, pkg in DEBIAN_PACKAGE_OF.items() if shutil.which(cmd) is None})
    if not missing:
        return 0
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"The tests need: {' '.join(missing)}. Install them, then run make test again.")
        return 1
    for step in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing]):
        env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(["apt-get", *step], env=env, check=False)
        if done.returncode != 0:
            print(f"apt-get {step[0]} failed with exit status {done.returncode}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
