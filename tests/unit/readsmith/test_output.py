import ast
import io
import json
import os
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
from rich.text import Text
from typer.testing import CliRunner

from readsmith import output
from readsmith.__main__ import app
from readsmith.output import (
    Commands,
    ShownConsole,
    out,
    print_error,
    print_json,
    print_table,
    say,
)
from shared.errors import CODES, TooFewImagesError
from tests.support.commands import Run
from tests.support.paths import ROOT

HEAVY = (
    "numpy", "requests", "pydantic_settings", "pydantic", "PIL", "trainer", "predictor",
    "tensorflow", "onnxruntime", "sqlalchemy", "flask",
)  # fmt: skip
FILES = ("captchas.zip", "new-captchas.zip", "captcha.png", "captcha.zip", "meters.zip")
"""What the examples in the help texts take."""
RAISED = {"ServiceError", *(kind.__name__ for kind in CODES.values())} - {
    "BundleError",
    "LabelsChangedError",
}
"""What carries a hint; these two have always the same."""


def _below(words: str, command: Any) -> dict[str, Any]:
    below = {f"{words} {name}": each for name, each in getattr(command, "commands", {}).items()}
    for name, each in below.copy().items():
        below |= _below(name, each)
    return below


ROOT_COMMAND: Any = typer.main.get_command(app)
COMMANDS = {"readsmith": ROOT_COMMAND} | _below("readsmith", ROOT_COMMAND)
"""Every command, by the words that call it."""


def failing(error: BaseException) -> typer.Typer:
    commands = typer.Typer(cls=Commands)

    @commands.command()
    def fail(as_json: bool = typer.Option(False, "--json")) -> None:
        raise error

    @commands.command()
    def other() -> None: ...

    return commands


def test_nothing_that_is_printed_moves_the_cursor_or_turns_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hostile = "a\x1b[2J\x9bm\u202eb\ud800"
    terminal = ShownConsole(file=io.StringIO(), force_terminal=True, highlight=False)
    for console in (out, terminal):
        say(console, f"{hostile}\nnext")
        console.print(Text(hostile, style="bold"))
    print_table([hostile], [[hostile], [None]])
    print_json({hostile: [hostile]})
    print_error(TooFewImagesError("too_few_images", hostile, hostile), as_json=False)
    print_error(TooFewImagesError("too_few_images", hostile, hostile), as_json=True)

    printed = "".join(capsys.readouterr())
    escaped = r"a\u001b[2J\u009bm\u202eb\ud800"
    assert not {"\x1b", "\x9b", "\u202e", "\ud800"} & set(printed)
    assert printed.count(escaped) == 8
    assert "\nnext\n" in printed
    assert terminal.file.getvalue().count(escaped) == 2  # type: ignore[attr-defined]
    assert f"\x1b[1m{escaped}\x1b[0m" in terminal.file.getvalue()  # type: ignore[attr-defined]


def test_an_error_is_its_message_and_its_hint_on_stderr_and_exit_code_1() -> None:
    error = TooFewImagesError("too_few_images", "3 images [were] found.", "10 are needed.")

    result = CliRunner().invoke(failing(error), ["fail"])

    assert result.exit_code == 1
    assert result.stderr == "Error: 3 images [were] found.\n10 are needed.\n"
    assert result.stdout == ""


def test_with_json_an_error_is_one_json_object_on_stderr() -> None:
    error = TooFewImagesError("too_few_images", "3 images were found.", "10 are needed.")

    result = CliRunner().invoke(failing(error), ["fail", "--json"])

    assert json.loads(result.stderr) == {
        "error": {
            "code": "too_few_images",
            "message": "3 images were found.",
            "hint": "10 are needed.",
        }
    }


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(28, "No space left on device"), "The disk is full."),
        (PermissionError(13, "Permission denied", "x.zip"), "Permission denied: x.zip"),
        (MemoryError(), "There is not enough memory."),
        (ZeroDivisionError("by zero"), "This should not have happened: ZeroDivisionError: by zero"),
    ],
)
def test_no_exception_reaches_the_user_as_a_traceback(error: Exception, message: str) -> None:
    result = CliRunner().invoke(failing(error), ["fail"])

    assert result.exit_code == 1
    assert f"Error: {message}" in result.stderr
    assert "Traceback" not in result.output


def test_ctrl_c_ends_with_130() -> None:
    assert CliRunner().invoke(failing(KeyboardInterrupt()), ["fail"]).exit_code == 130


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "nowhere.zip"], "nowhere.zip does not exist. Give a zip, a folder or a URL."),
        (["train", ".", "--epochs", "0"], "epochs"),
        (["train", ".", "--max-minutes", "0"], "max_minutes: Input should be greater than 0"),
        (["train", ".", "--preset", "crn"], "preset: Input should be"),
        (
            ["train", ".", "--labels", "names"],
            "'names' is not one of auto, manifest, beside, folder",
        ),
        (["train", ".", "--labels", "filename:("], "not a regular expression"),
        (["datasets", "check", ".", "--model", "x"], "No such option"),
        (["models", "list", "--store"], "requires an argument"),
        (["predict", "nothing.png"], "does not exist"),
        (["evaluate", ".", "--model", "../up"], "'../up' is not a model name"),
        (["jobs", "cancel"], "Missing argument 'JOB'"),
        (["jobs"], "Missing command"),
        (["up", "--once"], "--once and --dataset go with --first-job"),
        (["fly"], "No such command 'fly'"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(
    run: Run, arguments: list[str], message: str
) -> None:
    result = run(*arguments)

    assert result.exit_code == 2
    assert message in result.stderr
    assert "--help tells more" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("words", COMMANDS)
def test_the_help_of_every_command_ends_with_an_example_that_can_be_run(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        (tmp_path / name).touch()
    *_, last = (COMMANDS[words].help or "").splitlines()
    assert last.startswith(f"Example: {words}")

    called, *arguments = shlex.split(last.removeprefix("Example: "))
    while f"{called} {arguments[0] if arguments else ''}" in COMMANDS:
        called = f"{called} {arguments.pop(0)}"
    COMMANDS[called].make_context(called, arguments)  # raises for anything that is wrong


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_has_json(words: str) -> None:
    runs_by_itself = not hasattr(COMMANDS[words], "commands")

    options = {option for parameter in COMMANDS[words].params for option in parameter.opts}

    assert ("--json" in options) == runs_by_itself


def test_every_error_says_what_to_do() -> None:
    silent = [
        f"{file.relative_to(ROOT)}:{call.lineno} {ast.unparse(call)}"
        for package in ("readsmith", "trainer", "predictor", "shared")
        for file in sorted((ROOT / package).rglob("*.py"))
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in RAISED
        if not _has_hint(call)
    ]

    assert silent == []


def _has_hint(call: ast.Call) -> bool:
    """Tell whether the hint is there and not the empty text."""
    place = 1 if getattr(call.func, "id", "").startswith("Storage") else 2
    hints = [
        *call.args[place : place + 1],
        *(each.value for each in call.keywords if each.arg == "hint"),
    ]
    return any(not (isinstance(hint, ast.Constant) and not hint.value) for hint in hints)


def test_without_a_command_the_help_lists_them(run: Run) -> None:
    result = run()

    assert result.exit_code == 0
    for words in COMMANDS:
        if words.count(" ") == 1:
            assert f"{words.removeprefix('readsmith')} " in result.stdout


def test_version_and_the_short_help(run: Run) -> None:
    assert run("--version").stdout == f"readsmith {version('readsmith')}\n"
    for arguments in (["-h"], ["train", "-h"], ["models", "promote", "-h"]):
        result = run(*arguments)
        assert result.exit_code == 0
        assert "Usage: " in result.stdout


def test_the_help_comes_without_the_packages_of_the_commands() -> None:
    """They take most of a second; a command imports what it needs, inside it."""
    code = f"""
import sys
from readsmith.__main__ import app
try:
    app(["--help"])
except SystemExit:
    print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "learning-curve" in found.stdout
    assert found.stderr.strip() == "[]"


def test_ctrl_c_while_the_command_line_is_imported_ends_with_130(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    path = os.pathsep.join((str(tmp_path), str(ROOT)))
    done = subprocess.run(
        [sys.executable, "-m", "readsmith", "--help"],
        env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_ctrl_c_before_a_command_begins_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: typer.Typer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(typer.main, "get_command", interrupted)
    with pytest.raises(SystemExit) as ended:
        app(["--help"])

    assert ended.value.code == 130


def test_a_table_is_as_wide_as_it_is_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("job", "model"), [("job-" + "0" * 200, "m" * 64)])

    assert f"job-{'0' * 200}  {'m' * 64}\n" in capsys.readouterr().out


def test_ids_are_whole_in_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = ShownConsole(file=io.StringIO(), force_terminal=True, width=40, color_system=None)
    monkeypatch.setattr(output, "out", terminal)
    row = ("job-0123456789abcdef0123456789abcdef", "succeeded", "2026-01-01 10:00", "captcha")
    print_table(("job", "status", "created", "model"), [row], whole=True)

    lines = terminal.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[1].startswith(row[0])
