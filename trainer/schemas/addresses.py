"""Web addresses, read strictly (what is checked is what is dialled), and which of them a download
may reach: public ones, and those that a setting allows."""

import ipaddress
import re
import socket
from dataclasses import dataclass

from urllib3.util import parse_url

from shared.errors import DownloadError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

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


PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")
"""Global unicast. Outside lie loopback, link-local, site-local, unique local, multicast, IPv4
addresses in IPv6 form (::/96, ::ffff:0:0/96) and NAT64 (64:ff9b::/96, 64:ff9b:1::/48)."""

NOT_PUBLIC: tuple[IPNetwork, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        # global for ipaddress, wholly or in part, in some release of Python
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "2001::/23",  # protocol assignments, among them Teredo
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        # not in the registries of IANA, by which ipaddress goes
        "168.63.129.16/32",  # the platform address of Azure's machines
    )
)


@dataclass(frozen=True)
class Allowed:
    """Hosts and networks that may be reached though they are not public."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[IPNetwork, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Allowed":
        """Read host names, IP addresses and networks between commas; raises ValueError."""
        hosts, networks = set(), []
        for entry in filter(None, map(str.strip, text.split(","))):
            try:
                networks.append(ipaddress.ip_network(entry))
            except ValueError as error:
                if "/" in entry:
                    raise ValueError(f"{error} (a network is written 10.0.0.0/8)") from None
                hosts.add(check_host(entry))
        return cls(frozenset(hosts), tuple(networks))

    def addresses_of(self, web: WebAddress) -> list[str]:
        """Look the host up, once, and return the IP addresses that may be dialled.

        A name with forbidden addresses beside public ones is reached on the public ones: only
        addresses returned here are dialled, so the others do no harm. Raises ReadsmithError
        download_refused if none is left, OSError if the host is not known.
        """
        answers = socket.getaddrinfo(web.host, web.port, type=socket.SOCK_STREAM)
        found = dict.fromkeys(str(answer[4][0]) for answer in answers)
        permitted = [ip for ip in found if self._permits(web.host, ipaddress.ip_address(ip))]
        if not permitted:  # which it has is nothing for strangers
            raise DownloadError(
                "download_refused",
                f"{web} was not downloaded: {web.host} has no public address.",
                f"For a server of your own start the trainer with READSMITH_DOWNLOAD_ALLOW="
                f"{web.host}, or send the zip to POST /datasets.",
            )
        return permitted

    def _permits(self, host: str, ip: IPAddress) -> bool:
        allowed = host in self.hosts or any(ip in network for network in self.networks)
        return allowed or is_public(ip)


PUBLIC_ONLY = Allowed()
"""Public addresses only."""

ANYWHERE = Allowed(networks=(ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")))
"""For downloads that a user starts on their own machine."""


def is_public(ip: IPAddress) -> bool:
    """Tell whether an address is one that anybody on the internet can reach."""
    if ip.version == 6 and ip not in PUBLIC_IPV6:
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in net for net in NOT_PUBLIC)
