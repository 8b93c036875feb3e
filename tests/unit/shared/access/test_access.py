import json
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.access import access as access_module
from shared.access.access import Access, Caller
from shared.access.allowed_hosts import Addressed
from shared.access.api_keys import KeyFile
from shared.access.rate_limit import RateLimit
from shared.access.settings import AccessSettings
from shared.access.tokens import Scope
from shared.errors import ReadsmithError
from tests.support.api.keys import bearer


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the file of the keys looked at for each request."""
    monkeypatch.setattr(access_module, "CHECK_SECONDS", 0.0)


def with_key(headers: dict[str, str], host: str = "example.org") -> Caller:
    return Caller(headers["Authorization"], Addressed(host, None), "192.0.2.1")


def without_key(host: str | None = "localhost:8080", origin: str | None = None) -> Caller:
    return Caller(None, Addressed(host, origin), "192.0.2.1")


def refusal(ask: Callable[[], object]) -> ReadsmithError:
    with pytest.raises(ReadsmithError) as caught:
        ask()
    assert caught.value.message and caught.value.hint
    return caught.value


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_without_keys_this_machine_is_answered(keys: Path, host: str) -> None:
    access = Access(AccessSettings(keys=keys), host)
    assert access.admit(without_key(), Scope.ADMIN) == "anonymous"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_without_keys_others_are_answered_only_if_that_was_asked_for(keys: Path, host: str) -> None:
    with pytest.raises(ReadsmithError) as caught:
        Access(AccessSettings(keys=keys), host)
    assert caught.value.code == "anonymous_refused"
    for way_out in ("readsmith keys create", "127.0.0.1", "READSMITH_ALLOW_ANONYMOUS=1"):
        assert way_out in caught.value.hint
    access = Access(AccessSettings(keys=keys, allow_anonymous=True), host)
    assert access.admit(without_key("192.168.1.5:8080"), Scope.PREDICT) == "anonymous"


@pytest.mark.parametrize(
    ("host", "origin", "refused"),
    [
        ("localhost:8080", None, None),
        ("LOCALHOST", None, None),
        ("reader.localhost:8080", None, None),
        ("localhost:8080", "http://localhost:8080", None),
        ("LOCALHOST:80", "http://localhost", None),
        ("localhost", "http://localhost:80", None),
        ("[::1]:8080", "http://[::1]:8080", None),
        ("reader.example.org", "https://reader.example.org", None),
        ("localhost:8080", "https://reader.example.org:3000", None),
        ("127.0.0.1:8080", "http://localhost:3000", "origin_not_allowed"),
        ("127.0.0.1:8080", "http://localhost:8080", "origin_not_allowed"),
        ("localhost:8080", "http://localhost:3000", "origin_not_allowed"),
        ("localhost:8080", "https://localhost:8080", "origin_not_allowed"),
        ("localhost:80", "https://localhost", "origin_not_allowed"),
        ("localhost:8080", "http://reader.localhost:8080", "origin_not_allowed"),
        ("192.168.1.5:8080", "http://192.168.1.5:9000", "origin_not_allowed"),
        ("localhost:8080", "http://localhost:port", "origin_not_allowed"),
        ("localhost:8080", "", "origin_not_allowed"),
        ("localhost:8080", "file://", "origin_not_allowed"),
        ("attacker.example:8080", None, "host_not_allowed"),
        ("localhost.attacker.example", None, "host_not_allowed"),
        ("127.0.0.1.attacker.example", None, "host_not_allowed"),
        ("attacker.example:8080", "http://attacker.example:8080", "host_not_allowed"),
        ("", None, "host_not_allowed"),
        (None, None, "host_not_allowed"),
        ("[::1", None, "host_not_allowed"),
        ("localhost:8080", "https://attacker.example", "origin_not_allowed"),
        ("localhost:8080", "http://203.0.113.7", "origin_not_allowed"),
        ("localhost:8080", "null", "origin_not_allowed"),
        ("localhost:8080", "http://[", "origin_not_allowed"),
    ],
)
def test_without_keys_no_web_page_gets_in(
    keys: Path, host: str | None, origin: str | None, refused: str | None
) -> None:
    access = Access(AccessSettings(keys=keys, allowed_hosts="reader.example.org, b"), "127.0.0.1")
    if refused is None:
        assert access.admit(without_key(host, origin), Scope.PREDICT) == "anonymous"
    else:
        error = refusal(lambda: access.admit(without_key(host, origin), Scope.PREDICT))
        assert error.code == refused


@pytest.mark.parametrize(
    ("site", "changes", "refused"),
    [
        ("same-site", True, "origin_not_allowed"),
        ("cross-site", True, "origin_not_allowed"),
        ("same-origin", True, None),
        ("none", True, None),
        (None, True, None),
        ("same-site", False, None),
        ("cross-site", False, None),
    ],
)
def test_what_a_browser_says_comes_from_elsewhere_changes_nothing(
    keys: Path, site: str | None, changes: bool, refused: str | None
) -> None:
    access = Access(AccessSettings(keys=keys, allowed_hosts="reader.example.org"), "127.0.0.1")

    def ask(origin: str | None) -> str:
        addressed = Addressed("localhost:8080", origin, "http", site, changes)
        return access.admit(Caller(None, addressed, None), Scope.PREDICT)

    if refused is None:
        assert ask(None) == "anonymous"
    else:
        assert refusal(lambda: ask(None)).code == refused
    assert ask("https://reader.example.org") == "anonymous"


def test_behind_tls_the_services_own_page_may_call_it(keys: Path) -> None:
    access = Access(AccessSettings(keys=keys), "127.0.0.1")
    addressed = Addressed("192.168.1.5:8443", "https://192.168.1.5:8443", "https")
    assert access.admit(Caller(None, addressed, None), Scope.PREDICT) == "anonymous"


def test_every_name_can_be_allowed(keys: Path) -> None:
    access = Access(AccessSettings(keys=keys, allowed_hosts="*"), "127.0.0.1")
    caller = without_key("any.example", "https://other.example")
    assert access.admit(caller, Scope.PREDICT) == "anonymous"


@pytest.mark.usefixtures("look_at_once")
def test_the_first_key_closes_the_door_and_revoking_it_does_not_open_it(keys: Path) -> None:
    access = Access(AccessSettings(keys=keys, allow_anonymous=True), "127.0.0.1")
    assert access.admit(without_key(), Scope.PREDICT) == "anonymous"
    phone = bearer(keys, "phone", Scope.PREDICT)
    assert access.admit(with_key(phone), Scope.PREDICT) == "phone"
    assert refusal(lambda: access.admit(without_key(), Scope.PREDICT)).code == "key_missing"
    KeyFile(keys).revoke("phone")
    assert refusal(lambda: access.admit(with_key(phone), Scope.PREDICT)).code == "key_invalid"
    assert refusal(lambda: access.admit(without_key(), Scope.PREDICT)).code == "key_missing"


@pytest.mark.usefixtures("look_at_once")
@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_text("{")])
def test_a_file_that_is_gone_or_broken_leaves_those_in_force_who_were(
    keys: Path, harm: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    phone = bearer(keys, "phone", Scope.PREDICT)
    access = Access(AccessSettings(keys=keys), "127.0.0.1")
    harm(keys)
    assert access.admit(with_key(phone), Scope.PREDICT) == "phone"
    assert refusal(lambda: access.admit(without_key(), Scope.PREDICT)).code == "key_missing"
    bearer(keys.with_name("new.json"), "laptop", Scope.PREDICT)
    keys.with_name("new.json").replace(keys)
    assert refusal(lambda: access.admit(with_key(phone), Scope.PREDICT)).code == "key_invalid"


@pytest.mark.usefixtures("look_at_once")
def test_a_broken_file_lets_nobody_in_where_there_was_none(keys: Path) -> None:
    access = Access(AccessSettings(keys=keys), "127.0.0.1")
    keys.write_text("{")
    assert refusal(lambda: access.admit(without_key(), Scope.PREDICT)).code == "key_missing"


def test_a_service_does_not_start_with_a_broken_file(keys: Path) -> None:
    keys.write_text("{")
    with pytest.raises(ReadsmithError, match="cannot be read"):
        Access(AccessSettings(keys=keys), "127.0.0.1")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda header: None, "key_missing"),
        (lambda header: "", "key_missing"),
        (lambda header: header.replace("Bearer", "Basic"), "key_missing"),
        (lambda header: "Bearer", "key_invalid"),
        (lambda header: "Bearer ", "key_invalid"),
        (lambda header: header[:-1], "key_invalid"),
        (lambda header: header + "A", "key_invalid"),
        (lambda header: header + "\n", "key_invalid"),
        (lambda header: header[:-4] + "aaaa", "key_invalid"),
        (lambda header: "Bearer rs_00000000" + header[18:], "key_invalid"),
        (lambda header: "Bearer ключ", "key_invalid"),
    ],
)
def test_what_is_not_a_key_to_the_letter_is_401(
    keys: Path, change: Callable[[str], str | None], code: str
) -> None:
    phone = bearer(keys, "phone", Scope.PREDICT)["Authorization"]
    access = Access(AccessSettings(keys=keys), "127.0.0.1")
    changed = Caller(change(phone), Addressed("localhost", None), None)
    error = refusal(lambda: access.admit(changed, Scope.PREDICT))
    assert error.code == code
    assert error.headers == {"WWW-Authenticate": 'Bearer realm="Readsmith"'}


def test_the_scheme_may_be_written_as_one_likes(keys: Path) -> None:
    phone = bearer(keys, "phone", Scope.PREDICT)["Authorization"]
    access = Access(AccessSettings(keys=keys), "127.0.0.1")
    caller = Caller(phone.replace("Bearer", "bearer"), Addressed(None, None), None)
    assert access.admit(caller, Scope.PREDICT) == "phone"


def test_a_key_without_the_scope_is_told_which_it_would_need(keys: Path) -> None:
    phone = bearer(keys, "phone", Scope.PREDICT)
    access = Access(AccessSettings(keys=keys), "127.0.0.1")
    error = refusal(lambda: access.admit(with_key(phone), Scope.ADMIN))
    assert error.code == "scope_missing"
    assert "phone has the scope predict, not admin" in error.message
    assert 'scope="admin"' in error.headers["WWW-Authenticate"]


def test_an_expired_key_is_named(keys: Path) -> None:
    old = bearer(keys, "old", Scope.PREDICT, lifetime=timedelta(seconds=-1))
    access = Access(AccessSettings(keys=keys), "127.0.0.1")
    error = refusal(lambda: access.admit(with_key(old), Scope.PREDICT))
    assert (error.code, error.message) == ("key_expired", "The API key old has expired.")


def test_a_key_with_a_limit_is_told_when_to_come_again_and_others_are_not_held(keys: Path) -> None:
    slow = bearer(keys, "slow", Scope.PREDICT, requests_per_minute=2)
    free = bearer(keys, "free", Scope.PREDICT)
    access = Access(AccessSettings(keys=keys), "127.0.0.1")
    for _ in range(2):
        access.admit(with_key(slow), Scope.PREDICT)
    error = refusal(lambda: access.admit(with_key(slow), Scope.PREDICT))
    assert error.code == "rate_limited"
    assert 1 <= int(error.headers["Retry-After"]) <= 30
    assert access.admit(with_key(free), Scope.PREDICT) == "free"


def test_a_bucket_fills_again_by_the_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("shared.access.rate_limit.time.monotonic", lambda: now)
    limit = RateLimit()
    assert [limit.seconds_to_wait("a", 3) for _ in range(4)] == [0, 0, 0, pytest.approx(20)]
    assert limit.seconds_to_wait("b", 3) == 0
    now += 19.9
    assert limit.seconds_to_wait("a", 3) == pytest.approx(0.1)
    now += 0.1
    assert [limit.seconds_to_wait("a", 3) for _ in range(2)] == [0, pytest.approx(20)]
    now += 3600
    assert [limit.seconds_to_wait("a", 3) > 0 for _ in range(4)] == [False, False, False, True]


@pytest.mark.usefixtures("look_at_once")
def test_the_audit_log_tells_of_keys_made_refused_and_revoked_but_not_the_keys(
    keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "readsmith.audit")
    access = Access(AccessSettings(keys=keys), "127.0.0.1")
    phone = bearer(keys, "phone", Scope.PREDICT)
    access.admit(with_key(phone), Scope.PREDICT)
    refusal(lambda: access.admit(with_key(phone), Scope.ADMIN))
    KeyFile(keys).revoke("phone")
    refusal(lambda: access.admit(with_key(phone), Scope.PREDICT))
    lines = [json.loads(record.message) for record in caplog.records]
    for line in lines:
        assert line.pop("time") and line.pop("logger") == "readsmith.audit"
    where = {"address": "192.0.2.1"}
    assert lines == [
        {"action": "key created", "key": "phone", "scopes": ["predict"]},
        {"action": "refuse", "who": "phone", **where, "reason": "scope_missing"},
        {"action": "key revoked", "key": "phone", "scopes": ["predict"]},
        {"action": "refuse", "who": "anonymous", **where, "reason": "key_invalid"},
    ]
    assert phone["Authorization"][-43:] not in caplog.text


@pytest.mark.parametrize("names", ["https://reader.example.org", "reader:8080", "a,,b", ""])
def test_what_is_no_list_of_names_is_refused(names: str) -> None:
    with pytest.raises(ValidationError, match="allowed_hosts"):
        AccessSettings(allowed_hosts=names)
