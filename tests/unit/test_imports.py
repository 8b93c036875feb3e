"""Imports inside functions say why: each costs a reader the view of what a module needs."""

import re

from tests.support.paths import ROOT

DEFERRED = re.compile(r"^\s+(?:from|import) .*# noqa: PLC0415.*", re.MULTILINE)
REASON = re.compile(r"# noqa: PLC0415 - \w+")


def test_every_deferred_import_of_a_service_has_its_reason_beside_it() -> None:
    files = [
        path for room in ("shared", "trainer", "predictor") for path in (ROOT / room).rglob("*.py")
    ]
    found = [line for path in files for line in DEFERRED.findall(path.read_text(encoding="utf-8"))]

    assert len(found) > 10
    assert [line.strip() for line in found if not REASON.search(line)] == []
