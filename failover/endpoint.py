"""HOST:PORT of name servers: how it is written, and which address it has."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

DNS_PORT = 53


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host, by name or address, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_address(self) -> bool:
        """Whether nobody has to be asked where it is."""
        try:
            ip_address(self.host)
        except ValueError:
            return False
        return True


def endpoint(text: str, port: int = DNS_PORT) -> Endpoint:
    """Read `192.0.2.1`, `192.0.2.1:5300`, `[2001:db8::1]:53`, `2001:db8::1` or `ns.example:53`.

    Raises ValueError with what is wrong.
    """
    bare = text.endswith("]") or (text.count(":") != 1 and not text.startswith("["))
    host, digits = (text, str(port)) if bare else text.rsplit(":", 1)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not digits.isdecimal() or not 0 < int(digits) < 65_536:
        raise ValueError(f"{text!r} is not HOST:PORT")
    return Endpoint(host, int(digits))
