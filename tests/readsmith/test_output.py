import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from readsmith.output import Commands
from shared.errors import ReadsmithError
from tests.readsmith.conftest import Run

COMMANDS = ("up", "check", "train", "evaluate", "predict", "models", "jobs", "import")


def failing(error: BaseException) -> typer.Typer:
    commands = typer.Typer(cls=Commands)

    @commands.command()
    def fail(as_json: bool = typer.Option(False, "--json")) -> None:
        raise error

    @commands.command()
    def other() -> None: ...

    return commands


def test_an_error_is_its_message_and_its_hint_on_stderr_and_exit_code_1() -> None:
    error = ReadsmithError("too_few_images", "3 images [were] found.", "10 are needed.")

    result = CliRunner().invoke(failing(error), ["fail"])

    assert result.exit_code == 1
    assert result.stderr == "Error: 3 images [were] found.\n10 are needed.\n"
    assert result.stdout == ""


def test_with_json_an_error_is_one_json_object_on_stderr() -> None:
    error = ReadsmithError("too_few_images", "3 images were found.", "10 are needed.")

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
        (["train", ".", "--labels", "names"], "'names' is not one of auto, manifest, filename"),
        (["train", ".", "--labels", "filename:("], "not a regular expression"),
        (["check", ".", "--model", "x"], "No such option"),
        (["models", "--store"], "requires an argument"),
        (["predict", "nothing.png"], "does not exist"),
        (["evaluate", ".", "--model", "../up"], "'../up' is not a model name"),
        (["jobs", "--cancel"], "--cancel needs the id of a job"),
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


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_json_and_an_example_in_its_help(run: Run, command: str) -> None:
    result = run(command, "--help")

    assert result.exit_code == 0
    assert "--json" in result.stdout
    assert f"Example: readsmith {command}" in result.stdout


def test_without_a_command_the_help_lists_them(run: Run) -> None:
    result = run()

    assert result.exit_code == 0
    for command in COMMANDS:
        assert f" {command} " in result.stdout


def test_the_commands_start_without_the_services_packages() -> None:
    code = (
        "import sys, readsmith.__main__; "
        "print([m for m in sys.modules if m.partition('.')[0] in "
        "('trainer', 'predictor', 'tensorflow', 'onnxruntime', 'sqlalchemy', 'flask')])"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
