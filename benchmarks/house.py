"""Figures of the code: size, long functions, full folders, import circles, duplicate class names.

`make house` prints them. Sources are parsed, never imported, so nothing needs to be installed.
Files that git ignores do not count.
"""

import argparse
import ast
import importlib.util
import io
import json
import re
import statistics
import subprocess
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path

PRODUCT = ("shared", "trainer", "predictor", "readsmith")
BESIDE = ("tests", "benchmarks")
MAX_ENTRIES = 12
PAGE_COMMENTS = {
    # JavaScript strings are matched first, because "http://" is no comment.
    ".js": r""""(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|(/\*.*?\*/|//[^\n]*)""",
    ".css": r"(/\*.*?\*/)",
    ".html": r"(<!--.*?-->)",
}
DIRECTIVE = re.compile(r"#\s*(!|noqa|type:|mypy:|ruff:|fmt:|pragma|pylint:)")
LAYOUT = {tokenize.NL, tokenize.INDENT, tokenize.DEDENT}
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef

Graph = Mapping[str, set[str]]


@dataclass(frozen=True)
class Module:
    """One Python file; `path` is relative to the repository."""

    path: str
    source: str

    @property
    def name(self) -> str:
        """Dotted name; for an `__init__.py` that of its package."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the syntax tree."""
        return list(ast.walk(ast.parse(self.source, self.path)))

    def at(self, node: ast.AST) -> str:
        """Return `path:line` of a node."""
        return f"{self.path}:{getattr(node, 'lineno', 0)}"

    def code_and_comments(self) -> tuple[int, int]:
        """Count lines of code and comments (linter directives are neither).

        A statement that is nothing but a string is documentation, attribute docstrings included.
        """
        lines = self.source.split("\n")
        code: set[int] = set()
        comments = 0
        statement: list[tokenize.TokenInfo] = []
        for token in tokenize.generate_tokens(io.StringIO(self.source).readline):
            if token.type == tokenize.COMMENT:
                comments += not DIRECTIVE.match(token.string)
            elif token.type == tokenize.NEWLINE:
                if any(part.type != tokenize.STRING for part in statement):
                    code.update(n for p in statement for n in range(p.start[0], p.end[0] + 1))
                statement = []
            elif token.type not in LAYOUT:
                statement.append(token)
        return sum(bool(lines[number - 1].strip()) for number in code), comments

    def imports(self) -> Iterator[tuple[ast.AST, str]]:
        """Yield every import, also those in functions, as its node and "package.module.name".

        `import_module("package.module")` is one too: otherwise it would hide circles.
        """
        package = self.name if self.path.endswith("/__init__.py") else self.name.rpartition(".")[0]
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((node, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                relative = "." * node.level + (node.module or "")
                base = importlib.util.resolve_name(relative, package)
                yield from ((node, f"{base}.{alias.name}") for alias in node.names)
            elif _is_dynamic_import(node) and isinstance(node, ast.Call):
                for name in node.args[:1]:
                    if isinstance(name, ast.Constant) and isinstance(name.value, str):
                        yield node, importlib.util.resolve_name(name.value, package)


@dataclass(frozen=True)
class Size:
    """Figures of a folder's Python, and of its pages (JavaScript, CSS, HTML)."""

    files: int
    code: int
    """Lines without comments, docstrings and blank ones."""
    comments_per_hundred: float
    functions: int
    median_function: float
    """Lines of a function: from `def` to its last, docstring included."""
    at_most_25: float
    """Share of the functions."""
    over_40: list[str]
    """`path:line name (lines)`, longest first; those over 60 too."""
    over_60: list[str]
    page_files: int
    page_code: int


@dataclass(frozen=True)
class House:
    """All figures. Circles, class names and imports are those of the four packages."""

    sizes: dict[str, Size]
    full_folders: dict[str, int]
    circles: list[list[str]]
    room_circles: list[list[str]]
    """Among the subpackages of a package and the modules beside them."""
    duplicate_classes: dict[str, list[str]]
    import_module: list[str]
    deferred_imports: dict[str, int]
    """Import statements inside functions, by the top-level package that they import."""

    def faults(self) -> list[str]:
        """Return what `--check` rejects."""
        counts = {
            "import circles": len(self.circles + self.room_circles),
            "duplicate class names": len(self.duplicate_classes),
            "functions over 60 lines": len(self.sizes["product"].over_60),
            f"folders over {MAX_ENTRIES} entries": len(_of(PRODUCT, self.full_folders)),
        }
        return [f"{count} {what}" for what, count in counts.items() if count]


def survey(root: Path) -> House:
    """Measure the git checkout at `root`."""
    listing = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others"]
    listed = subprocess.run(
        [*listing, "--exclude-standard", *PRODUCT, *BESIDE], check=True, capture_output=True
    )
    names = sorted(set(listed.stdout.decode().split("\0")))
    files = [name for name in names if (root / name).is_file()]
    texts = {f: (root / f).read_text() for f in files if f.endswith((".py", *PAGE_COMMENTS))}
    product = _modules(_of(PRODUCT, texts), texts)
    graph = _graph(product)
    parts = {part: [part] for part in PRODUCT} | {"product": PRODUCT} | {p: [p] for p in BESIDE}
    return House(
        sizes={part: _size(_of(tops, texts), texts) for part, tops in parts.items()},
        full_folders=_full_folders(files),
        circles=circles(graph),
        room_circles=_room_circles(graph),
        duplicate_classes=_duplicate_classes(product),
        import_module=[m.at(node) for m in product for node in m.nodes if _is_dynamic_import(node)],
        deferred_imports=dict(Counter(_deferred_imports(product)).most_common()),
    )


def _of(tops: Iterable[str], paths: Iterable[str]) -> list[str]:
    return [path for path in paths if path.split("/")[0] in tops]


def _modules(paths: Iterable[str], texts: Mapping[str, str]) -> list[Module]:
    return [Module(path, texts[path]) for path in paths if path.endswith(".py")]


def _size(paths: Sequence[str], texts: Mapping[str, str]) -> Size:
    modules = _modules(paths, texts)
    counts = [module.code_and_comments() for module in modules]
    code, comments = sum(count[0] for count in counts), sum(count[1] for count in counts)
    functions = [
        ((node.end_lineno or 0) - node.lineno + 1, f"{module.at(node)} {node.name}")
        for module in modules
        for node in module.nodes
        if isinstance(node, FUNCTION)
    ]
    lengths = [lines for lines, _ in functions] or [0]
    pages = [path for path in paths if not path.endswith(".py")]
    longest = sorted(functions, reverse=True)
    return Size(
        files=len(modules),
        code=code,
        comments_per_hundred=round(100 * comments / max(code, 1), 2),
        functions=len(functions),
        median_function=statistics.median(lengths),
        at_most_25=round(sum(lines <= 25 for lines in lengths) / len(lengths), 4),
        over_40=[f"{where} ({lines})" for lines, where in longest if lines > 40],
        over_60=[f"{where} ({lines})" for lines, where in longest if lines > 60],
        page_files=len(pages),
        page_code=sum(_page_code(Path(page).suffix, texts[page]) for page in pages),
    )


def _page_code(suffix: str, text: str) -> int:
    without_comments = re.sub(
        PAGE_COMMENTS[suffix], lambda m: "" if m[1] else m[0], text, flags=re.DOTALL
    )
    return sum(bool(line.strip()) for line in without_comments.splitlines())


def _full_folders(files: Iterable[str]) -> dict[str, int]:
    entries = defaultdict(set)
    for file in map(Path, files):
        for entry in (file, *file.parents[:-2]):
            if entry.name not in ("__init__.py", "py.typed"):
                entries[entry.parent.as_posix()].add(entry.name)
    return {folder: len(names) for folder, names in entries.items() if len(names) > MAX_ENTRIES}


def _graph(modules: Sequence[Module]) -> Graph:
    names = {module.name for module in modules}

    def module_of(target: str) -> str:
        """Return the module that has what is imported; empty for other packages."""
        while target and target not in names:
            target = target.rpartition(".")[0]
        return target

    return {m.name: {module_of(target) for _, target in m.imports()} - {""} for m in modules}


def circles(graph: Graph) -> list[list[str]]:
    """Return the strongly connected components that have an arrow inside."""
    reached = {node: _reached(graph, node) for node in graph}
    found = {frozenset(n for n in reached[node] if node in reached[n]) for node in graph}
    return sorted(sorted(circle) for circle in found if circle)


def _reached(graph: Graph, start: str) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        further = graph[waiting.pop()] - reached
        reached |= further
        waiting += further
    return reached


def _room_circles(graph: Graph) -> list[list[str]]:
    """Return the circles with a subpackage in them; those of modules alone are in `circles`."""
    packages = {name[: dot.start()] for name in graph for dot in re.finditer(r"\.", name)}
    found = []
    for package in sorted(packages):
        rooms: dict[str, set[str]] = defaultdict(set)
        for name, targets in graph.items():
            room = _room(name, package)
            rooms[room] |= {_room(target, package) for target in targets} - {room}
        rooms[""] = set()
        found += [circle for circle in circles(rooms) if packages.intersection(circle)]
    return found


def _room(name: str, package: str) -> str:
    """Return the child of `package` that a module belongs to; empty for one outside."""
    inside = name.startswith(package + ".")
    return ".".join(name.split(".")[: package.count(".") + 2]) if inside else ""


def _duplicate_classes(modules: Iterable[Module]) -> dict[str, list[str]]:
    definitions = defaultdict(list)
    for module in modules:
        for node in module.nodes:
            if isinstance(node, ast.ClassDef):
                definitions[node.name].append(module.at(node))
    return {name: found for name, found in sorted(definitions.items()) if len(found) > 1}


def _is_dynamic_import(node: ast.AST) -> bool:
    function = getattr(node, "func", None)
    return getattr(function, "attr", getattr(function, "id", "")) in ("import_module", "__import__")


def _deferred_imports(modules: Iterable[Module]) -> Iterator[str]:
    for module in modules:
        functions = [node for node in module.nodes if isinstance(node, FUNCTION)]
        inside = {id(node) for function in functions for node in ast.walk(function)}
        # A set, because `from a import b, c` is one statement.
        statements = {
            (id(node), target.split(".")[0])
            for node, target in module.imports()
            if id(node) in inside and isinstance(node, ast.Import | ast.ImportFrom)
        }
        yield from (top for _, top in statements)


def as_lines(house: House) -> Iterator[str]:
    """Yield the figures as text: a table of the sizes, then the named lists."""
    yield " " * 22 + "".join(f"{part:>12}" for part in house.sizes)
    for field in fields(Size):
        values = (getattr(size, field.name) for size in house.sizes.values())
        cells = (len(value) if isinstance(value, list) else value for value in values)
        yield f"{field.name:22}" + "".join(f"{cell:>12}" for cell in cells)
    named = {"over_40": house.sizes["product"].over_40} | vars(house)
    del named["sizes"]
    for title, found in named.items():
        yield f"\n{title}: {len(found)}"
        rows = found.items() if isinstance(found, dict) else ((row,) for row in found)
        for row in rows:
            yield "  " + ": ".join(", ".join(c) if isinstance(c, list) else str(c) for c in row)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures of the checkout in the current folder."""
    parser = argparse.ArgumentParser(prog="house", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument(
        "--check",
        action="store_true",
        help=f"fail on circles, duplicate class names, functions over 60 lines and folders over "
        f"{MAX_ENTRIES} entries, in the four packages",
    )
    given = parser.parse_args(arguments)
    house = survey(Path())
    print("\n".join(as_lines(house)))
    if given.json:
        given.json.write_text(json.dumps(asdict(house), indent=2) + "\n")
    if given.check and (faults := house.faults()):
        sys.exit("\n" + "\n".join(faults))


if __name__ == "__main__":
    main()
