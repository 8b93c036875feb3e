"""Blocks requests from web pages to a service that runs without keys.

A page in a user's browser can post to http://localhost without permission (a form needs no
preflight), and a page whose name resolves to 127.0.0.1 (DNS rebinding) can read the responses,
too. Browsers send the page's origin in Origin and the name they resolved in Host: both are
checked.
"""

from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit


class AllowedHosts:
    """The host names under which a service without keys may be called.

    They are localhost, every numeric address (which DNS cannot point elsewhere) and those in
    `names`, separated by commas; ``*`` stands for every name.
    """

    def __init__(self, names: str | None) -> None:
        self._names = {name.strip().lower() for name in (names or "").split(",")} - {""}
        # Cached, because a client sends the same Host and Origin with every request.
        self.refused = lru_cache(64)(self._refused)

    def _refused(self, host: str | None, origin: str | None) -> str | None:
        """Return which header is not allowed, "Host" or "Origin"; None if both are."""
        if "*" in self._names:
            return None
        name = _hostname(f"//{host or ''}")
        if name is None or not (self._is_known(name) or _is_address(name)):
            return "Host"
        if origin is not None:
            page = _hostname(origin)
            if page is None or not (page == name or self._is_known(page)):
                return "Origin"
        return None

    def _is_known(self, name: str) -> bool:
        return name in self._names or is_loopback(name)


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
