"""The tree of errors, its drawing, its table, and how the product uses them."""

import ast
import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import shared.errors
from shared.errors import (
    CODES,
    OF_STATUS,
    BundleError,
    ForbiddenError,
    LabelsChangedError,
    ReadsmithError,
    StorageAwayError,
    UnusableError,
    of_status,
)
from tests.support.paths import ROOT

PACKAGES = ("shared", "trainer", "predictor", "readsmith")


def product() -> Iterator[tuple[Path, ast.AST]]:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                yield path.relative_to(ROOT), node


def _parts(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for node in nodes:
        yield from ast.walk(node)


def below(kind: type[ReadsmithError], level: int = 0) -> Iterator[tuple[str, int]]:
    yield kind.__name__, level
    for each in kind.__subclasses__():
        if each.__module__ == "shared.errors":
            yield from below(each, level + 1)


def test_the_drawing_at_the_top_of_the_file_is_the_tree() -> None:
    drawn = [
        (line.lstrip("│├└─ ").split()[0], (len(line) - len(line.lstrip("│├└─ "))) // 4)
        for line in (shared.errors.__doc__ or "").splitlines()
        if line.lstrip("│├└─ ").partition(" ")[0].endswith("Error")
    ]
    assert drawn == list(below(ReadsmithError))


def test_the_drawing_gives_the_status_of_each_class() -> None:
    for line in (shared.errors.__doc__ or "").splitlines():
        words = line.lstrip("│├└─ ").split()
        if words and words[0].endswith("Error") and words[1:2] and words[1].isdecimal():
            assert getattr(shared.errors, words[0]).http_status == int(words[1])


def test_a_code_belongs_to_one_class_alone() -> None:
    own = [
        code
        for kind in vars(shared.errors).values()
        if isinstance(kind, type) and issubclass(kind, ReadsmithError)
        for code in vars(kind).get("codes", ())
    ]
    assert sorted(own) == sorted(CODES)
    assert all(meaning.endswith(".") for kind in CODES.values() for meaning in kind.codes.values())


@pytest.mark.parametrize("kind", [ReadsmithError, ForbiddenError])
def test_a_code_of_another_class_fails_at_once(kind: type[ReadsmithError]) -> None:
    with pytest.raises(TypeError, match="request_invalid"):
        kind("request_invalid", "The field is wrong.")


def test_an_error_comes_out_of_another_process_as_it_went_in() -> None:
    for error in (
        UnusableError("request_invalid", "a", "b", "field", {"X": "y"}),
        BundleError("a", "files"),
        StorageAwayError("a", "b"),
    ):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_a_status_of_a_library_has_an_error_of_that_status() -> None:
    for status in {kind.http_status for kind in CODES.values()} & set(range(404, 432)):
        found = of_status(status, "It is so.").http_status
        assert found == (status if status not in (409, 422, 429) else 400)
    assert of_status(418, "It is so.").code == "bad_request"
    assert of_status(502, "It is so.").code == "internal_error"


def test_every_error_is_raised_with_a_code_of_its_own_class() -> None:
    wrong: list[str] = []
    seen: set[str] = set()
    for path, node in product():
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        kind = getattr(shared.errors, node.func.id, None)
        if not isinstance(kind, type) or not issubclass(kind, ReadsmithError):
            continue
        if issubclass(kind, BundleError | LabelsChangedError | shared.errors.StorageError):
            seen.update(kind.codes)  # it names its code itself
            continue
        first = ast.walk(node.args[0])
        codes = {str(each.value) for each in first if isinstance(each, ast.Constant)}
        seen |= codes
        if not codes & set(kind.codes):
            wrong.append(f"{path}:{node.lineno}")
    assert wrong == []
    assert set(CODES) - seen - set(OF_STATUS.values()) == set(), "codes that nothing raises"


def test_nobody_branches_on_the_text_of_a_code() -> None:
    def is_code(node: ast.AST) -> bool:
        return isinstance(node, ast.Attribute) and node.attr == "code"

    def is_text(node: ast.AST) -> bool:
        return isinstance(node, ast.Name) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str)
        )

    branches = []
    for path, node in product():
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(map(is_code, sides)) and any(map(is_text, sides)):
                branches.append(f"{path}:{node.lineno}")
        if isinstance(node, ast.Match) and is_code(node.subject):
            patterns = _parts(case.pattern for case in node.cases)
            if any(isinstance(each, ast.Constant) and is_text(each) for each in patterns):
                branches.append(f"{path}:{node.lineno}")
    assert branches == []
