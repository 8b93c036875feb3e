import ast
import io
import json
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
from shared.errors import CODES, DatasetError
from tests.support.commands import Run
from tests.support.paths import ROOT

FILES = ("captchas.zip", "new-captchas.zip", "captcha.png", "prediction_model.h5")
"""What the examples in the help texts take."""
RAISED = {"ServiceError", *(kind.__name__ for kind in CODES.values())} - {"BundleError"}
"""What carries a hint; a damaged bundle has always the same."""


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
    print_error(DatasetError("too_few_images", hostile, hostile), as_json=False)
    print_error(DatasetError("too_few_images", hostile, hostile), as_json=True)

    printed = "".join(capsys.readouterr())
    escaped = r"a\u001b[2J\u009bm\u202eb\ud800"
    assert not {"\x1b", "\x9b", "\u202e", "\ud800"} & set(printed)
    assert printed.count(escaped) == 8
    assert "\nnext\n" in printed
    assert terminal.file.getvalue().count(escaped) == 2  # type: ignore[attr-defined]
    assert f"\x1b[1m{escaped}\x1b[0m" in terminal.file.getvalue()  # type: ignore[attr-defined]


def test_an_error_is_its_message_and_its_hint_on_stderr_and_exit_code_1() -> None:
    error = DatasetError("too_few_images", "3 images [were] found.", "10 are needed.")

    result = CliRunner().invoke(failing(error), ["fail"])

    assert result.exit_code == 1
    assert result.stderr == "Error: 3 images [were] found.\n10 are needed.\n"
    assert result.stdout == ""


def test_with_json_an_error_is_one_json_object_on_stderr() -> None:
    error = DatasetError("too_few_images", "3 images were found.", "10 are needed.")

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
        (["check", ".", "--model", "x"], "No such option"),
        (["models", "--store"], "requires an argument"),
        (["predict", "nothing.png"], "does not exist"),
        (["evaluate", ".", "--model", "../up"], "'../up' is not a model name"),
        (["jobs", "--cancel"], "--cancel and --finish need the id of a job"),
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
    runs_by_itself = not hasattr(COMMANDS[words], "commands") or words == "readsmith models"

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


def test_the_commands_start_without_the_services_packages() -> None:
    code = (
        "import sys, readsmith.__main__; "
        "print([m for m in sys.modules if m.partition('.')[0] in "
        "('trainer', 'predictor', 'tensorflow', 'onnxruntime', 'sqlalchemy', 'flask')])"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
