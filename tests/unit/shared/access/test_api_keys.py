import json
import multiprocessing
import re
import shlex
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from shared.access.api_keys import KeyFile
from shared.access.tokens import TOKEN, Scope
from shared.errors import ReadsmithError


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "made" / "keys.json")


def test_a_key_is_kept_as_a_hash_that_only_its_owner_can_read(keys: KeyFile) -> None:
    token = keys.create("phone", [Scope.PREDICT])
    other = keys.create("laptop", [Scope.TRAIN])
    assert TOKEN.fullmatch(token)
    text = keys.path.read_text()
    secret = token[12:]
    assert len(secret) == 43 and secret not in text
    assert keys.path.stat().st_mode & 0o777 == 0o600
    phone, laptop = keys.read() or ()
    assert phone.is_of(token) and laptop.is_of(other)
    assert not phone.is_of(other) and not phone.is_of(token[:-1] + "!")


@pytest.mark.parametrize(("mode", "can"), [(0o604, "read"), (0o666, "change"), (0o620, "change")])
def test_keys_that_others_can_read_or_change_are_told_with_what_mends_it(
    keys: KeyFile, mode: int, can: str, caplog: pytest.LogCaptureFixture
) -> None:
    keys.create("phone", [Scope.PREDICT])
    keys.path.chmod(mode)
    message, command = keys.exposed() or ("", "")
    assert message == f"Other users of this machine can {can} {keys.path}"
    keys.warn_if_exposed()
    assert command in caplog.messages[0]
    subprocess.run(shlex.split(command), check=True)
    assert keys.exposed() is None


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o440])
def test_keys_of_their_owner_and_group_are_not_exposed(keys: KeyFile, mode: int) -> None:
    assert keys.exposed() is None
    keys.create("phone", [Scope.PREDICT])
    keys.path.chmod(mode)
    assert keys.exposed() is None


def test_the_file_is_its_owners_alone_from_the_start(
    keys: KeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    replace = Path.replace

    def watched(aside: Path, path: Path) -> Path:
        modes.append(aside.stat().st_mode & 0o777)
        return replace(aside, path)

    monkeypatch.setattr(Path, "replace", watched)
    keys.create("phone", [Scope.PREDICT])
    assert modes == [0o600]


def test_where_there_is_no_file_nobody_has_asked_for_keys(keys: KeyFile) -> None:
    assert keys.read() is None
    assert keys.stamp() is None


def test_a_name_is_given_once_and_free_again_after_the_key_is_revoked(keys: KeyFile) -> None:
    keys.create("phone", [Scope.PREDICT])
    with pytest.raises(ReadsmithError, match="a key named phone already"):
        keys.create("phone", [Scope.ADMIN])
    assert keys.revoke("phone") == 0
    assert keys.read() == ()
    with pytest.raises(ReadsmithError, match="no key named phone"):
        keys.revoke("phone")
    keys.create("phone", [Scope.TRAIN])


def test_admin_may_everything_and_the_others_what_they_say(keys: KeyFile) -> None:
    keys.create("all", [Scope.ADMIN])
    keys.create("two", [Scope.TRAIN, Scope.PREDICT])
    everything, two = keys.read() or ()
    assert [everything.may(scope) for scope in Scope] == [True] * len(Scope)
    assert [scope for scope in Scope if two.may(scope)] == [Scope.TRAIN, Scope.PREDICT]


def test_a_key_ends_when_its_time_is_over(keys: KeyFile) -> None:
    keys.create("yesterday", [Scope.PREDICT], timedelta(seconds=-1))
    keys.create("tomorrow", [Scope.PREDICT], timedelta(days=1))
    keys.create("always", [Scope.PREDICT])
    assert [key.has_expired for key in keys.read() or ()] == [True, False, False]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "the file: Invalid JSON"),
        ("[]", "the file: "),
        ('{"format": 2, "keys": []}', "format: "),
        ('{"format": 1, "keys": [], "more": 1}', "more: "),
        ('{"format": 1, "keys": [{"id": "0"}]}', "keys.0.id: "),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_place_that_is_wrong(
    keys: KeyFile, content: str, why: str
) -> None:
    keys.path.parent.mkdir()
    keys.path.write_text(content)
    with pytest.raises(ReadsmithError, match=re.escape(why)) as caught:
        keys.read()
    assert caught.value.code == "keys_unreadable"
    assert str(keys.path) in caught.value.message


def test_what_is_wrong_with_the_file_is_told_without_its_content(keys: KeyFile) -> None:
    keys.create("phone", [Scope.PREDICT])
    contents = json.loads(keys.path.read_text())
    contents["keys"][0]["sha256"] = "plain-text-secret"
    keys.path.write_text(json.dumps(contents))
    with pytest.raises(ReadsmithError) as caught:
        keys.read()
    assert "plain-text-secret" not in caught.value.message


def _make(path: Path, first: int) -> None:
    for number in range(first, first + 10):
        KeyFile(path).create(f"key-{number}", [Scope.PREDICT])


def test_keys_that_are_made_at_once_are_all_kept(keys: KeyFile) -> None:
    context = multiprocessing.get_context("fork")
    makers = [context.Process(target=_make, args=(keys.path, first)) for first in (0, 10)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert {key.name for key in keys.read() or ()} == {f"key-{number}" for number in range(20)}
