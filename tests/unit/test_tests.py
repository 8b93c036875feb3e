"""Every test can fail: it asserts something itself, or calls a helper of the tests that does.

A helper is followed through the modules of tests/ by what it is imported as. Context managers do
not count: they set the stage, and what they assert is that it stands.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.paths import ROOT

EXPECTING = {
    *("raises", "warns", "fail"),  # pytest
    "expect",  # Playwright
    "run_state_machine_as_test",  # Hypothesis
    "call_and_validate",  # Schemathesis
}
"""What libraries offer to assert with; NumPy's functions begin with assert_."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """The functions of a file by name, and where the names come from that it imports from tests."""

    functions: dict[str, list[Function]]
    imported: dict[str, tuple[str, str]]
    """A name → the module that defines it, and its name there."""


def parsed(text: str) -> Module:
    tree = ast.parse(text)
    functions: dict[str, list[Function]] = {}
    imported = {}
    for node in ast.walk(tree):
        if isinstance(node, Function):
            functions.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests"):
            for each in node.names:
                imported[each.asname or each.name] = (node.module or "", each.name)
    return Module(functions, imported)


class Suite:
    """Modules by their dotted names, and which of their functions can fail a test."""

    def __init__(self, modules: dict[str, Module]) -> None:
        self.modules = modules
        self._known: dict[tuple[str, str], bool] = {}

    def without_assertion(self) -> list[str]:
        """Return the tests that cannot fail, as module::function."""
        return [
            f"{name}::{test.name}"
            for name, module in self.modules.items()
            for tests in module.functions.values()
            for test in tests
            if name.rpartition(".")[2].startswith("test_")
            and test.name.startswith("test_")
            and not self._can_fail(name, test)
        ]

    def _can_fail(self, module: str, function: Function) -> bool:
        return any(
            isinstance(node, ast.Assert) or self._call_can_fail(module, node)
            for node in ast.walk(function)
        )

    def _call_can_fail(self, module: str, node: ast.AST) -> bool:
        if not isinstance(node, ast.Call):
            return False
        match node.func:
            case ast.Name(name):
                place = module
            case ast.Attribute(ast.Name(holder), name):
                package, known_as = self.modules[module].imported.get(holder, ("", ""))
                place = f"{package}.{known_as}" if package else module
            case ast.Attribute(_, name):
                place = module
            case _:
                return False
        return name in EXPECTING or name.startswith("assert_") or self._helper_fails(place, name)

    def _helper_fails(self, module: str, name: str) -> bool:
        if module not in self.modules:
            return False
        if name in self.modules[module].imported:
            return self._helper_fails(*self.modules[module].imported[name])
        if (module, name) not in self._known:
            self._known[module, name] = False  # while it is looked at: a helper may call itself
            helpers = self.modules[module].functions.get(name, [])
            self._known[module, name] = any(
                self._can_fail(module, helper) for helper in helpers if not _sets_the_stage(helper)
            )
        return self._known[module, name]


def _sets_the_stage(function: Function) -> bool:
    names = {
        node.id
        for each in function.decorator_list
        for node in ast.walk(each)
        if isinstance(node, ast.Name)
    }
    return bool(names & {"contextmanager", "asynccontextmanager"})


def files() -> Iterator[tuple[str, str]]:
    for file in sorted((ROOT / "tests").rglob("*.py")):
        dotted = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        yield dotted, file.read_text(encoding="utf-8")


def test_every_test_asserts_something() -> None:
    suite = Suite({name: parsed(text) for name, text in files()})

    assert suite.without_assertion() == []


@pytest.mark.parametrize(
    ("body", "can_fail"),
    [
        ("assert x", True),
        ("with pytest.raises(KeyError): x", True),
        ("expect(page).to_have_title('x')", True),
        ("np.testing.assert_array_equal(x, y)", True),
        ("require_x(x)", True),
        ("helpers.require_x(x)", True),
        ("client.require_y(x)", True),
        ("x == y", False),
        ("started(x)", False),
        ("with served(x): pass", False),
        ("loop(x)", False),
        ("unknown(x)", False),
        ("helpers.unknown(x)", False),
    ],
)
def test_helpers_are_followed_through_the_modules(body: str, can_fail: bool) -> None:
    helpers = """
@contextmanager
def served(x):
    assert x
    yield
def require_x(x):
    inner(x)
def inner(x):
    assert x
def started(x): ...
def loop(x):
    loop(x)
"""
    test = f"""
from tests.support import helpers
from tests.support.helpers import loop, require_x, served, started
class Client:
    def require_y(self, y):
        assert y
def test_it():
    {body}
"""
    suite = Suite({"tests.support.helpers": parsed(helpers), "tests.unit.test_a": parsed(test)})

    assert suite.without_assertion() == ([] if can_fail else ["tests.unit.test_a::test_it"])
