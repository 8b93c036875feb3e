"""The figures of the code, on small made-up packages in which each of them can be wrong."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.house import House, circles, main, survey

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")

CODE_OF_SIX_LINES = '''"""A docstring
of two lines."""

import os  # noqa: F401
# A comment.


class Settings:
    """What is set."""

    seconds: int = 1  # never 0
    """A docstring of an attribute."""

    def text(self) -> str:
        \'\'\'One of a method.\'\'\'
        return """a string is code

# and so is this"""
'''


def house(root: Path, files: dict[str, str]) -> House:
    """Measure a repository of these files, by their paths."""
    subprocess.run(["git", "init", "--quiet", root], check=True)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return survey(root)


def function(lines: int, name: str = "long") -> str:
    return f"def {name}():\n" + "    work()\n" * (lines - 1)


def test_code_is_what_is_left_without_comments_docstrings_and_blank_lines(tmp_path: Path) -> None:
    size = house(tmp_path, {"shared/settings.py": CODE_OF_SIX_LINES}).sizes["shared"]

    assert (size.files, size.code) == (1, 6)
    assert size.comments_per_hundred == 33.33


def test_pages_are_counted_apart_and_without_their_comments(tmp_path: Path) -> None:
    script = '// Why.\n\n/** What\n * it does. */\nconst a = "/*";\nconst b = `\n// text`; // why\n'
    files = {
        "trainer/a.py": "a = 1\n",
        "trainer/page.js": script,
        "trainer/page.css": "/* Why. */\na { color: red; }\n",
        "trainer/page.html": "<!-- Why,\nand why. -->\n<p>// text</p>\n",
    }

    size = house(tmp_path, files).sizes["trainer"]

    assert (size.files, size.code) == (1, 1)
    assert (size.page_files, size.page_code) == (3, 3 + 1 + 1)


def test_functions_are_measured_from_def_to_their_last_line(tmp_path: Path) -> None:
    bodies = [function(lines, f"of_{lines}") for lines in (25, 26, 40, 41, 60)]
    method = "class A:\n  @wrapped\n  async def long(self):\n" + "    work()\n" * 60
    found = house(tmp_path, {"shared/a.py": "\n".join(bodies), "trainer/b.py": method})
    product = found.sizes["product"]

    assert product.over_60 == ["trainer/b.py:3 long (61)"]
    assert [line.split()[1] for line in product.over_40] == ["long", "of_60", "of_41"]
    assert (product.functions, product.median_function) == (6, 40.5)
    assert product.at_most_25 == pytest.approx(1 / 6, abs=1e-4)


def test_tests_and_benchmarks_do_not_count_as_product(tmp_path: Path) -> None:
    beside = {"tests/test_a.py": function(61)} | {
        f"benchmarks/b{n}.py": "b = 2\n" for n in range(13)
    }
    found = house(tmp_path, {"shared/a.py": "a = 1\n"} | beside)

    assert found.sizes["product"].code == 1
    assert found.sizes["tests"].code == 61
    assert found.sizes["benchmarks"].code == 13
    assert found.full_folders == {"benchmarks": 13}
    assert not found.faults()


def test_a_folder_with_thirteen_entries_is_named(tmp_path: Path) -> None:
    modules = {f"shared/room/m{number}.py": "" for number in range(11)}
    deeper = {"shared/room/deeper/one.txt": "", "shared/room/deeper/two.txt": ""}
    uncounted = {"shared/room/__init__.py": "", "shared/room/ignored.py": "", ".gitignore": "ign*"}

    assert house(tmp_path, modules | deeper | uncounted).full_folders == {}
    assert house(tmp_path, {"shared/room/data.json": ""}).full_folders == {"shared/room": 13}


@pytest.mark.parametrize(
    "back",
    [
        "import trainer.a\n",
        "from trainer import a\n",
        "from . import a\n",
        "from .a import Name\n",
        "def late():\n    from trainer.a import Name\n",
        "if TYPE_CHECKING:\n    from trainer.a import Name\n",
        "def late():\n    importlib.import_module('trainer.a').go()\n",
        "def late():\n    import_module('.a', 'trainer')\n",
    ],
)
def test_every_way_of_importing_closes_a_circle(tmp_path: Path, back: str) -> None:
    found = house(tmp_path, {"trainer/a.py": "from trainer.b import x\n", "trainer/b.py": back})

    assert found.circles == [["trainer.a", "trainer.b"]]
    assert found.room_circles == []


def test_imports_one_way_are_no_circle(tmp_path: Path) -> None:
    found = house(
        tmp_path,
        {
            "trainer/a.py": "import trainer.b, os\n",
            "trainer/b.py": "from trainer import c\nfrom shared.c import d\n",
            "trainer/c.py": "text = 'import trainer.a'\n",
            "trainer/room/c.py": "import shared.c\n",
            "shared/c.py": "d = 1\n",
            "readsmith/d.py": "import trainer.room.c\n",
        },
    )

    assert found.circles == found.room_circles == []


def test_a_package_and_its_own_module_are_a_circle(tmp_path: Path) -> None:
    found = house(
        tmp_path,
        {
            "shared/room/__init__.py": "from .a import A\n",
            "shared/room/a.py": "from shared.room import A\n",
        },
    )

    assert found.circles == [["shared.room", "shared.room.a"]]


def test_rooms_may_form_a_circle_that_no_module_forms(tmp_path: Path) -> None:
    found = house(
        tmp_path,
        {
            "trainer/jobs/queue.py": "import trainer.files.store\n",
            "trainer/files/store.py": "",
            "trainer/files/cache.py": "import trainer.settings\n",
            "trainer/settings.py": "def late():\n    import trainer.jobs.rows\n",
            "trainer/jobs/rows.py": "",
        },
    )

    assert found.circles == []
    assert found.room_circles == [["trainer.files", "trainer.jobs", "trainer.settings"]]


def test_rooms_inside_rooms_are_looked_at_too(tmp_path: Path) -> None:
    found = house(
        tmp_path,
        {
            "shared/room/left/a.py": "import shared.room.right.a\n",
            "shared/room/left/b.py": "",
            "shared/room/right/a.py": "",
            "shared/room/right/b.py": "import shared.room.left.b\n",
        },
    )

    assert found.room_circles == [["shared.room.left", "shared.room.right"]]


def test_circles_that_touch_stay_one_and_those_apart_stay_two() -> None:
    graph = {"a": {"b"}, "b": {"a", "c"}, "c": {"d"}, "d": {"c"}, "e": {"e"}, "f": {"a", "e"}}

    assert circles(graph) == [["a", "b"], ["c", "d"], ["e"]]
    assert circles(graph | {"d": {"b"}}) == [["a", "b", "c", "d"], ["e"]]


def test_a_class_name_in_two_files_is_named_with_both(tmp_path: Path) -> None:
    inner = "def f():\n    class Problem: ...\n"
    found = house(
        tmp_path,
        {
            "shared/a.py": "class Problem: ...\nclass Job: ...\n",
            "readsmith/b.py": inner,
            "tests/c.py": "class Job: ...\n",
        },
    )

    assert found.duplicate_classes == {"Problem": ["readsmith/b.py:2", "shared/a.py:1"]}


def test_deferred_imports_count_by_package_and_importlib_by_line(tmp_path: Path) -> None:
    found = house(
        tmp_path,
        {
            "trainer/a.py": "import ray\n\ndef f():\n    import ray.tune, keras\n"
            "    from .b import c, d\n    import_module(name)\n",
            "trainer/b.py": "async def g():\n    if 1:\n        from ray import tune\n",
        },
    )

    assert found.deferred_imports == {"ray": 2, "keras": 1, "trainer": 1}
    assert found.import_module == ["trainer/a.py:6"]


def test_check_fails_on_each_fault_and_only_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    house(tmp_path, {"shared/a.py": function(60)})
    main(["--check"])

    house(
        tmp_path,
        {
            "shared/a.py": "import shared.a\nclass A: ...\nclass A: ...\n" + function(61),
            **{f"shared/m{number}.py": "" for number in range(12)},
        },
    )
    with pytest.raises(SystemExit) as failed:
        main(["--check"])
    assert str(failed.value).split("\n")[1:] == [
        "1 import circles",
        "1 duplicate class names",
        "1 functions over 60 lines",
        "1 folders over 12 entries",
    ]

    main(["--json", "figures.json"])
    assert "  A: shared/a.py:2, shared/a.py:3\n" in capsys.readouterr().out
    written = json.loads(Path("figures.json").read_text())
    assert written["full_folders"] == {"shared": 13}
    assert written["sizes"]["product"]["over_60"] == ["shared/a.py:4 long (61)"]
