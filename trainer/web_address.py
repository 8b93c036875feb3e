"""An http or https address, read strictly: what is checked is what is dialled."""

import ipaddress
import re
from dataclasses import dataclass

from urllib3.util import parse_url

_SHAPE = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]*\]|[^\[\]/?#:@]*)(:(?P<port>[0-9]*))?"
    r"(?P<rest>[/?#].*)?",
    re.ASCII | re.IGNORECASE,
)
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class WebAddress:
    """The parts of an address that a request is made of."""

    scheme: str
    """http or https."""
    host: str
    """A name in lower case, or an IP address without brackets."""
    port: int
    target: str
    """Path and query, percent-encoded."""

    @property
    def authority(self) -> str:
        """What the header Host says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    @classmethod
    def parse(cls, text: str) -> "WebAddress":
        """Take an address apart; raises ValueError saying what it must be.

        Spellings that programs read differently (user names, backslashes, numbers in place of
        dotted addresses, characters outside ASCII in the host) are refused, not interpreted.
        """
        if any(c.isspace() or not c.isprintable() or c == "\\" for c in text):
            raise ValueError("must be an address without spaces, control characters or backslashes")
        if not re.match(r"https?://[^/?#]", text, re.IGNORECASE):
            raise ValueError("must be an address that begins with http:// or https://")
        if "@" in re.split("[/?#]", text, maxsplit=3)[2]:
            raise ValueError("must be an address without a user name or password")
        parts = _SHAPE.fullmatch(text)
        if parts is None:
            raise ValueError("must be an address such as https://example.org/captchas.zip")
        scheme = parts["scheme"].lower()
        port = int(parts["port"]) if parts["port"] else _PORTS[scheme]
        if not 1 <= port <= 65535:
            raise ValueError("must be an address with a port from 1 to 65535")
        host = check_host(parts["host"])
        return cls(scheme, host, port, parse_url(f"http://host{parts['rest'] or '/'}").request_uri)


def check_host(host: str) -> str:
    """Return a host in lower case as it is looked up; raises ValueError.

    A name, an IPv4 address of four decimal numbers, or an IPv6 address in brackets.
    """
    if host.startswith("["):
        try:
            return str(ipaddress.IPv6Address(host[1:-1]))
        except ValueError:
            raise ValueError(f"must have an IPv6 address in the brackets: {host}") from None
    if _NUMBER.fullmatch(host.rpartition(".")[2]):  # inet_aton reads 0x7f.1 as 127.0.0.1
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise ValueError(
                f"must write an IPv4 address as four decimal numbers: {host!r}"
            ) from None
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise ValueError(
            f"must name a host with ASCII letters, digits, hyphens and dots between them: {host!r}"
            "; an international name in its form that begins with xn--"
        )
    return host.lower()
