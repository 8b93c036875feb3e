"""What the documentation says of the tree is true: its paths and the functions of its walks."""

import ast
import re

import pytest

from tests.support.paths import ROOT

PAGES = ("docs/architecture.md", "docs/decisions/0015-rooms.md", "CONTRIBUTING.md", "README.md")
TOP = "shared|trainer|predictor|readsmith|tests|benchmarks|docs|deploy|gateway|examples"
PATH = re.compile(rf"`((?:{TOP})/[\w./-]*)`")
STEP = re.compile(r"^\|(?: [a-z ]*\|)? `([\w/]+\.py)` \| (.*) \|$", re.MULTILINE)
"""A row of a walk: a file, and what happens there."""
PLACED = re.compile(r"`(\w+)` in `([\w/]+\.(?:py|js))`")
NAME = re.compile(r"`(\w+(?:\.\w+)?)`")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def defined_in(file: str) -> set[str]:
    """Names of a module: functions, classes, constants, and methods with and without the class."""
    if file.endswith(".js"):
        return set(
            re.findall(r"^(?:export )?(?:const|function) (\w+)", text_of(file), re.MULTILINE)
        )
    names: set[str] = set()
    for node in ast.parse(text_of(file)).body:
        match node:
            case ast.FunctionDef(name=name):
                names.add(name)
            case ast.ClassDef(name=name, body=body):
                methods = [each.name for each in body if isinstance(each, ast.FunctionDef)]
                names |= {name, *methods, *(f"{name}.{method}" for method in methods)}
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                names.add(name)
    return names


@pytest.mark.parametrize("page", PAGES)
def test_every_path_exists(page: str) -> None:
    assert [path for path in PATH.findall(text_of(page)) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_what_is_said_to_be_in_a_file_is_defined_there(page: str) -> None:
    placed = PLACED.findall(text_of(page))

    assert [(name, file) for name, file in placed if name not in defined_in(file)] == []


def test_every_step_of_a_walk_names_functions_of_its_file() -> None:
    steps = STEP.findall(text_of("docs/architecture.md"))

    assert len(steps) > 40
    for file, what in steps:
        assert set(NAME.findall(PLACED.sub("", what))) <= defined_in(file), file
