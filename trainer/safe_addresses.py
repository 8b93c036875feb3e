"""Which IP addresses a download may reach: public ones, and those that a setting allows."""

import ipaddress
import socket
from dataclasses import dataclass

from shared.errors import ReadsmithError
from trainer.web_address import WebAddress, check_host

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")
"""Global unicast. Outside lie loopback, link-local, site-local, unique local, multicast, IPv4
addresses in IPv6 form (::/96, ::ffff:0:0/96) and NAT64 (64:ff9b::/96, 64:ff9b:1::/48)."""

NOT_PUBLIC: tuple[IPNetwork, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        # the IANA special-purpose address registries
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, cloud metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "2001::/23",  # protocol assignments, among them Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        # not in the registries
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
            raise ReadsmithError(
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
    return not any(ip in network for network in NOT_PUBLIC)
