"""Requests to the web: look-ups, redirects, certificates and proxies."""

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import ReadsmithError
from tests.support.jobs.observer import Recorder
from tests.support.services.web_site import Resolver, Site, answer, drip, redirect, serve
from trainer.files.shared_files import FolderFiles
from trainer.pipeline.downloads.fetch import fetch
from trainer.pipeline.downloads.http import MAX_REDIRECTS
from trainer.schemas.addresses import Allowed
from trainer.schemas.job_request import DatasetRequest
from trainer.schemas.limits import DownloadRules
from trainer.settings import Settings, load_settings


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    with Resolver({}) as resolver:
        yield resolver


@pytest.fixture
def site() -> Iterator[Site]:
    with serve({"/set.zip": lambda handler: answer(handler, b"zip")}) as site:
        yield site


def fetched(url: str, folder: Path, allow: str = "", proxy: bool = False) -> Path:
    rules = DownloadRules(Allowed.parse(allow), proxy=proxy)
    return fetch(DatasetRequest(url=url), folder / "cache", FolderFiles(folder), Recorder(), rules)


def test_a_name_is_looked_up_once_so_that_it_cannot_change_its_mind(
    site: Site, resolver: Resolver, tmp_path: Path
) -> None:
    resolver.names["rebinding.test"], resolver.later["rebinding.test"] = (
        ["127.0.0.2"],
        ["127.0.0.1"],
    )
    url = f"http://rebinding.test:{site.port}/set.zip"
    with serve(site.pages, "127.0.0.2", site.port) as outside:
        assert fetched(url, tmp_path, allow="127.0.0.2").read_bytes() == b"zip"
    assert resolver.lookups == ["rebinding.test"]
    assert outside.headers[0]["Host"] == f"rebinding.test:{site.port}"
    with pytest.raises(ReadsmithError) as caught:
        fetched(url, tmp_path, allow="127.0.0.2")
    assert caught.value.code == "download_refused"
    assert site.hits == []


def test_of_the_addresses_of_a_name_only_the_permitted_are_dialled(
    site: Site, resolver: Resolver, tmp_path: Path
) -> None:
    resolver.names["mixed.test"] = ["127.0.0.1", "127.0.0.2"]
    with pytest.raises(ReadsmithError, match="refused") as caught:
        fetched(f"http://mixed.test:{site.port}/set.zip", tmp_path, allow="127.0.0.2")
    assert caught.value.code == "download_failed"  # nobody listens on 127.0.0.2
    assert site.hits == []


def test_a_dead_address_is_passed_over_for_the_next(
    site: Site, resolver: Resolver, tmp_path: Path
) -> None:
    resolver.names["two.test"] = ["127.0.0.2", "127.0.0.1"]
    url = f"http://two.test:{site.port}/set.zip"
    assert fetched(url, tmp_path, allow="127.0.0.0/8").read_bytes() == b"zip"


@pytest.mark.parametrize(
    "allow", ["127.0.0.1", "127.0.0.0/8", "own.test", " OWN.test , 10.0.0.0/8", "0.0.0.0/0"]
)
def test_what_is_allowed_is_reached(
    allow: str, site: Site, resolver: Resolver, tmp_path: Path
) -> None:
    resolver.names["own.test"] = ["127.0.0.1"]
    url = f"http://own.test:{site.port}/set.zip"
    assert fetched(url, tmp_path, allow=allow).read_bytes() == b"zip"


def test_a_refusal_names_the_setting_that_would_allow_it(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ReadsmithError) as caught:
        fetched(f"{site.url}/set.zip", tmp_path)
    assert caught.value.message.endswith("127.0.0.1 has no public address.")
    assert "READSMITH_DOWNLOAD_ALLOW=127.0.0.1" in caught.value.hint


def test_five_redirects_are_followed_and_no_more(site: Site, tmp_path: Path) -> None:
    for number in range(1, MAX_REDIRECTS + 1):
        site.pages[f"/{number}"] = redirect(f"/{number - 1}" if number > 1 else "set.zip")
    assert fetched(f"{site.url}/5", tmp_path, allow="127.0.0.1").read_bytes() == b"zip"
    site.pages["/6"] = redirect("/5")
    with pytest.raises(ReadsmithError, match="more than 5 times") as caught:
        fetched(f"{site.url}/6", tmp_path, allow="127.0.0.1")
    assert caught.value.code == "download_refused"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for secure.test, with its key."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=secure.test -addext subjectAltName=DNS:secure.test -out -"
    )
    made = subprocess.run(
        [*command.split(), "-keyout", path.with_name("key")], capture_output=True, check=True
    )
    path.write_bytes(made.stdout + path.with_name("key").read_bytes())
    return path


@pytest.fixture
def secure(
    certificate: Path, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    """A site that is known as secure.test and as other.test, with the first one's certificate."""
    resolver.names |= {"secure.test": ["127.0.0.1"], "other.test": ["127.0.0.1"]}
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with serve({"/set.zip": lambda handler: answer(handler, b"zip")}, tls=tls) as site:
        yield site


def test_https_verifies_the_name_though_the_address_is_dialled(
    secure: Site, tmp_path: Path
) -> None:
    at = secure.port
    assert fetched(f"https://secure.test:{at}/set.zip", tmp_path, "127.0.0.1").is_file()
    for name in ("other.test", "127.0.0.1"):
        with pytest.raises(ReadsmithError, match=r"certificate|mismatch") as caught:
            fetched(f"https://{name}:{at}/set.zip", tmp_path, "127.0.0.1")
        assert caught.value.code == "download_failed"
    assert len(secure.hits) == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(
    secure: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ReadsmithError, match=r"(?i)certificate") as caught:
        fetched(f"https://secure.test:{secure.port}/set.zip", tmp_path, "127.0.0.1")
    assert caught.value.code == "download_failed"
    assert secure.hits == []


def test_no_redirect_leads_from_https_to_http(secure: Site, site: Site, tmp_path: Path) -> None:
    secure.pages["/down"] = redirect(f"{site.url}/set.zip")
    with pytest.raises(ReadsmithError, match="from https to http"):
        fetched(f"https://secure.test:{secure.port}/down", tmp_path, "127.0.0.1")
    assert site.hits == []


def test_a_server_that_drips_is_let_go_of_under_https_too(secure: Site, tmp_path: Path) -> None:
    secure.pages["/slow"] = drip
    dataset = DatasetRequest(url=f"https://secure.test:{secure.port}/slow")
    rules = DownloadRules(Allowed.parse("127.0.0.1"), max_seconds=0.7)
    with pytest.raises(ReadsmithError, match=r"more than 0\.7 seconds"):
        fetch(dataset, tmp_path / "cache", FolderFiles(tmp_path), Recorder(), rules)


PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    """A proxy in the environment, and credentials in a .netrc."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("default login me password secret\n")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    name = "http://only-the-proxy-knows.invalid/set.zip"
    with serve({name: lambda handler: answer(handler, b"by proxy")}, "127.0.0.2") as proxy:
        for variable in PROXIES:
            monkeypatch.setenv(variable, proxy.url.replace("//", "//user:pass%40word@"))
        yield proxy


def test_the_environments_proxy_and_netrc_are_ignored(
    site: Site, proxy: Site, tmp_path: Path
) -> None:
    assert fetched(f"{site.url}/set.zip", tmp_path, "127.0.0.1").read_bytes() == b"zip"
    assert proxy.hits == []
    assert "Authorization" not in site.headers[0]
    with pytest.raises(ReadsmithError) as caught:
        fetched("http://only-the-proxy-knows.invalid/set.zip", tmp_path)
    assert "READSMITH_DOWNLOAD_PROXY=1" in caught.value.hint
    assert proxy.hits == []


def test_the_environments_proxy_is_used_where_a_setting_says_so(
    proxy: Site, tmp_path: Path
) -> None:
    url = "http://only-the-proxy-knows.invalid/set.zip"
    assert fetched(url, tmp_path, proxy=True).read_bytes() == b"by proxy"
    assert proxy.headers[0]["Proxy-Authorization"] == "Basic dXNlcjpwYXNzQHdvcmQ="
    assert "Authorization" not in proxy.headers[0]


def test_a_proxy_is_not_asked_for_what_is_not_public(
    site: Site, proxy: Site, tmp_path: Path
) -> None:
    for url in (f"{site.url}/set.zip", "http://localhost/", "http://169.254.169.254/"):
        with pytest.raises(ReadsmithError) as caught:
            fetched(url, tmp_path, proxy=True)
        assert caught.value.code == "download_refused"
    assert site.hits == proxy.hits == []


def test_the_settings_say_what_jobs_may_download(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().downloads == DownloadRules()
    monkeypatch.setenv("READSMITH_DOWNLOAD_ALLOW", "files.lan, 10.0.0.0/8")
    monkeypatch.setenv("READSMITH_DOWNLOAD_PROXY", "1")
    monkeypatch.setenv("READSMITH_MAX_DOWNLOAD_BYTES", "1000")
    monkeypatch.setenv("READSMITH_MAX_DOWNLOAD_SECONDS", "1.5")
    expected = DownloadRules(Allowed.parse("files.lan,10.0.0.0/8"), True, 1000, 1.5)
    assert load_settings().downloads == expected
    monkeypatch.setenv("READSMITH_DOWNLOAD_ALLOW", "10.0.0.0/99")
    with pytest.raises(
        ReadsmithError, match=r"READSMITH_DOWNLOAD_ALLOW is '10\.0\.0\.0/99': "
    ) as caught:
        load_settings()
    assert caught.value.code == "settings_invalid"
