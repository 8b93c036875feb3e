"""GET over http and https that connects to checked addresses only, redirects included."""

import ssl
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urljoin

from requests.utils import (
    DEFAULT_CA_BUNDLE_PATH,
    get_auth_from_url,
    get_environ_proxies,
    select_proxy,
)
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager, Timeout
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.response import BaseHTTPResponse
from urllib3.util import make_headers

from shared.errors import DownloadError, ReadsmithError
from trainer.schemas.addresses import WebAddress
from trainer.schemas.limits import DownloadRules

MAX_REDIRECTS = 5
TIMEOUT = Timeout(connect=10, read=60)
"""Seconds to reach a server, and seconds without a byte."""


def get(url: str, headers: Mapping[str, str], rules: DownloadRules) -> BaseHTTPResponse:
    """Send a GET, following at most MAX_REDIRECTS redirects; the body is yet to be read.

    Neither cookies nor credentials are sent. Raises ReadsmithError download_refused, OSError and
    urllib3's HTTPError.
    """
    web = _address(url)
    for _ in range(MAX_REDIRECTS + 1):
        answer = _send(web, headers, rules)
        location = answer.get_redirect_location()
        if not location:
            return answer
        answer.close()
        following = _address(location, web)
        # Anyone on the way could then replace the file.
        if (web.scheme, following.scheme) == ("https", "http"):
            raise _refused(f"{web} redirects from https to http", "Give an https address.")
        web = following
    raise _refused(
        f"{url} redirects more than {MAX_REDIRECTS} times", "Give the zip's own address."
    )


def _address(text: str, origin: WebAddress | None = None) -> WebAddress:
    """Parse an address, relative to origin if that redirects to it; raises download_refused."""
    try:
        return WebAddress.parse(urljoin(str(origin), text) if origin else text)
    except ValueError as error:
        subject = f"{origin} redirects to {text!r}, which" if origin else repr(text)
        raise _refused(f"{subject} {error}", "Give the zip's own address.") from None


def _send(web: WebAddress, headers: Mapping[str, str], rules: DownloadRules) -> BaseHTTPResponse:
    proxy = select_proxy(str(web), get_environ_proxies(str(web))) if rules.proxy else None
    return _by_proxy(web, headers, rules, proxy) if proxy else _directly(web, headers, rules)


def _directly(
    web: WebAddress, headers: Mapping[str, str], rules: DownloadRules
) -> BaseHTTPResponse:
    """Connect to the checked addresses, one after the other.

    Never to the name: DNS could return another address than the one that was checked.
    """
    unreachable: Exception | None = None
    for ip in rules.allowed.addresses_of(web):
        pool = (
            HTTPConnectionPool(ip, web.port, timeout=TIMEOUT)
            if web.scheme == "http"
            else HTTPSConnectionPool(
                ip, web.port, timeout=TIMEOUT, ssl_context=_tls(), server_hostname=web.host
            )
        )
        # No retries or redirects by urllib3: Download resumes, and get checks each new address.
        try:
            return _open(pool, web.target, {"Host": web.authority, **headers})
        except (NewConnectionError, ConnectTimeoutError) as error:
            unreachable = error
    assert unreachable is not None  # noqa: S101 - there is at least one address
    raise unreachable


def _by_proxy(
    web: WebAddress, headers: Mapping[str, str], rules: DownloadRules, proxy: str
) -> BaseHTTPResponse:
    """Let the proxy connect. It resolves names itself; the check uses this machine's DNS."""
    with suppress(OSError):  # a name that only the proxy can resolve
        rules.allowed.addresses_of(web)
    user, password = get_auth_from_url(proxy)
    manager = ProxyManager(
        proxy if "://" in proxy else f"http://{proxy}",
        proxy_headers=make_headers(proxy_basic_auth=f"{user}:{password}") if user else None,
        timeout=TIMEOUT,
        ssl_context=_tls(),
    )
    return _open(manager, str(web), headers)


def _open(
    pool: HTTPConnectionPool | ProxyManager, target: str, headers: Mapping[str, str]
) -> BaseHTTPResponse:
    """Send a GET once; the body is yet to be read."""
    return pool.urlopen(
        "GET",
        target,
        headers=headers,
        retries=False,
        redirect=False,
        preload_content=False,
        decode_content=False,
    )


def _tls() -> ssl.SSLContext:
    """Trust the system's certificates (SSL_CERT_FILE) and those of the package certifi."""
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


def _refused(what: str, hint: str) -> ReadsmithError:
    return DownloadError("download_refused", f"{what}.", hint)
