"""Blocks requests from web pages to a service that runs without keys.

A page in a user's browser can post to http://localhost without permission (a form needs no
preflight), and a page whose name resolves to 127.0.0.1 (DNS rebinding) can read the responses,
too. Browsers send the page's origin in Origin, the name they resolved in Host, and in
Sec-Fetch-Site how the two are related: all are checked. Another port of this machine is another
origin: anything may run there.
"""

from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

OTHER_SITES = ("cross-site", "same-site")
"""Of these, same-site is another port, or another name below the same domain."""

DEFAULT_PORTS = {"http": 80, "https": 443}


class Addressed(NamedTuple):
    """How a request names the service, and the page that sends it; unparsed.

    scheme: http or https, as the client reaches the service; site: the header Sec-Fetch-Site;
    changes: whether the request may change something.
    """

    host: str | None
    origin: str | None
    scheme: str = "http"
    site: str | None = None
    changes: bool = True


class AllowedHosts:
    """The host names under which a service without keys may be called.

    They are localhost, every numeric address (which DNS cannot point elsewhere) and those in
    `names`, separated by commas; ``*`` stands for every name. Pages of `names` may call it, too;
    any other page only if its whole origin, port included, is the service's or one of `origins`.
    """

    def __init__(self, names: str | None, origins: str | None = None) -> None:
        self._origins = {_origin(origin) for origin in origins_of(origins)}
        self._names = {name.strip().lower() for name in (names or "").split(",")} - {""}
        # Cached, because a client sends the same headers with every request.
        self.refused = lru_cache(64)(self._refused)

    def _refused(self, addressed: "Addressed") -> str | None:
        """Return which header is not allowed; None if all are."""
        if "*" in self._names:
            return None
        name = _hostname(f"//{addressed.host or ''}")
        if name is None or not (self._is_known(name) or _is_address(name)):
            return "Host"
        if addressed.origin is not None:
            page = _origin(addressed.origin)
            if _hostname(addressed.origin) in self._names or page in self._origins:
                return None
            if page is None or page != _origin(f"{addressed.scheme}://{addressed.host}"):
                return "Origin"
        if addressed.changes and addressed.site in OTHER_SITES:
            return "Sec-Fetch-Site"
        return None

    def _is_known(self, name: str) -> bool:
        return name in self._names or is_loopback(name)


def origins_of(setting: str | None) -> frozenset[str]:
    """Return the origins of a setting, separated by commas, as browsers write them."""
    origins = (origin.strip().lower() for origin in (setting or "").split(","))
    return frozenset(origins) - {""}


def is_loopback(host: str) -> bool:
    """Return whether a name or address can only mean this machine."""
    if _is_address(host):
        return ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _hostname(url: str) -> str | None:
    """Return the host of a URL in lower case, without port and brackets."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _origin(url: str) -> tuple[str, str, int | None] | None:
    """Return scheme, host and port of a URL; None if it has none, as "null"."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or DEFAULT_PORTS.get(parts.scheme)
