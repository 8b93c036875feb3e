"""What a job may reach: every try to get round it, with a server that would notice."""

import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.errors import ReadsmithError
from tests.support.hostile.addresses import BYPASSES, NAMES
from tests.support.jobs.observer import Recorder
from tests.support.services.web_site import Resolver, Site, redirect, serve
from trainer.files.shared_files import FolderFiles
from trainer.pipeline.downloads.fetch import fetch
from trainer.schemas.addresses import ANYWHERE, Allowed, WebAddress, is_public
from trainer.schemas.job_request import DatasetRequest
from trainer.schemas.limits import DownloadRules


@pytest.fixture(autouse=True)
def resolver() -> Iterator[Resolver]:
    with Resolver(NAMES) as resolver:
        yield resolver


@pytest.fixture(scope="module")
def forbidden() -> Iterator[Site]:
    """A server that nobody may reach."""
    with serve({}) as site:
        yield site


@pytest.fixture(scope="module")
def entrance() -> Iterator[Site]:
    with serve({}, "127.0.0.2") as site:
        yield site


def fetched(url: str, folder: Path, allow: str = "") -> Path:
    rules = DownloadRules(Allowed.parse(allow))
    return fetch(DatasetRequest(url=url), folder / "cache", FolderFiles(folder), Recorder(), rules)


@pytest.mark.parametrize("url", BYPASSES, ids=ascii)
def test_no_spelling_of_an_address_reaches_what_is_not_public(
    url: str, forbidden: Site, tmp_path: Path
) -> None:
    forbidden.hits.clear()
    with pytest.raises((ValidationError, ReadsmithError)) as caught:
        fetched(url.replace("{port}", str(forbidden.port)), tmp_path)
    assert forbidden.hits == []
    if isinstance(caught.value, ReadsmithError):
        assert caught.value.code == "download_refused"


@pytest.mark.parametrize("url", BYPASSES, ids=ascii)
def test_no_redirect_reaches_what_is_not_public(
    url: str, forbidden: Site, entrance: Site, tmp_path: Path
) -> None:
    target = url.replace("{port}", str(forbidden.port))
    forbidden.hits.clear()
    entrance.hits.clear()
    entrance.pages["/"] = redirect(target.encode().decode("latin-1").replace("\n", "\n "))
    with pytest.raises(ReadsmithError) as caught:
        fetched(f"{entrance.url}/", tmp_path, allow="127.0.0.2")
    assert forbidden.hits == []
    # what is no absolute address is looked for beside the page that says so
    assert caught.value.code == "download_refused" or len(entrance.hits) > 1


@pytest.mark.parametrize(
    "ip",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.9",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "168.63.129.16",
        "::",
        "::1",
        "::8.8.8.8",
        "::ffff:8.8.8.8",
        "::ffff:0:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::8.8.8.8",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2001:20::1",
        "2002:808:808::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "4000::1",
    ],
)
def test_addresses_of_special_purpose_are_not_public(ip: str) -> None:
    assert not is_public(ipaddress.ip_address(ip))


@pytest.mark.parametrize(
    "ip",
    [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.1.1.1",
        "128.0.0.1",
        "172.15.1.1",
        "172.32.0.1",
        "192.167.1.1",
        "198.17.1.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00:1450::1",
    ],
)
def test_ordinary_addresses_are_public(ip: str) -> None:
    assert is_public(ipaddress.ip_address(ip))


@pytest.mark.parametrize("allow", ["10.0.0.0/33", "10.0.0.1/8", "127.1", "*.lan", "a b", "[::1]/8"])
def test_an_allow_list_that_cannot_be_meant_is_refused(allow: str) -> None:
    with pytest.raises(ValueError, match=r"must|10\.0\.0\.0/8"):
        Allowed.parse(allow)


def test_the_users_own_command_line_reaches_every_address() -> None:
    for url, address in (("http://127.0.0.1/", "127.0.0.1"), ("http://[fe80::1]/", "fe80::1")):
        assert ANYWHERE.addresses_of(WebAddress.parse(url)) == [address]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("https://example.org", ("https", "example.org", 443, "/")),
        ("HTTPS://Example.ORG/A?b=%20c", ("https", "example.org", 443, "/A?b=%20c")),
        ("http://example.org:8080?x#y", ("http", "example.org", 8080, "/?x")),
        ("http://[2606:4700:0::1]:81/ü", ("http", "2606:4700::1", 81, "/%C3%BC")),
        ("http://my_host.xn--bcher-kva:/x@y", ("http", "my_host.xn--bcher-kva", 80, "/x@y")),
    ],
)
def test_a_good_address_is_taken_apart(text: str, parts: tuple[str, str, int, str]) -> None:
    web = WebAddress.parse(text)
    assert (web.scheme, web.host, web.port, web.target) == parts
    assert WebAddress.parse(str(web)) == web
