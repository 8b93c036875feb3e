"""What the commands print: results on stdout, everything else on stderr, JSON on request."""

import errno
import json
import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment, Segments
from rich.table import Table
from typer import TyperException
from typer.core import TyperGroup

from shared.errors import DiskFullError, FailedError, ReadsmithError, SetupError
from shared.texts import shown, shown_lines


class ShownConsole(Console):
    """Prints what came from outside (names, texts, servers' answers) without escape codes."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Yield what is printed; control codes are rich's own."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else shown_lines(text), style, control)


out = ShownConsole(markup=False, emoji=False, highlight=False)
err = ShownConsole(stderr=True, markup=False, emoji=False, highlight=False)

WIDEST = 100_000
"""Characters in a line of a table that no person reads."""
FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130


class Commands(TyperGroup):
    """The commands' common frame: an error becomes one or two lines and an exit code.

    0 ok, 1 the operation failed, 2 wrong usage, 130 Ctrl-C.
    """

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run a command and exit; no exception leaves it."""
        arguments = list(sys.argv[1:] if args is None else args) or ["--help"]
        try:
            code = super().main(arguments, "readsmith", standalone_mode=False, **extra)
        except Exception as error:
            if os.environ.get("READSMITH_TRACEBACK"):
                say(err, traceback.format_exc())
            print_error(explained(error), as_json="--json" in arguments)
            sys.exit(WRONG_USAGE if isinstance(error, TyperException) else FAILED)
        sys.exit(code)


def explained(error: Exception) -> ReadsmithError:
    """Turn any exception into one with a message for a user."""
    if isinstance(error, ReadsmithError):
        return error
    if isinstance(error, TyperException):
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "readsmith"
        return SetupError("usage", error.format_message(), f"{command} --help tells more.")
    if isinstance(error, ModuleNotFoundError):
        return SetupError(
            "package_missing",
            f"The library {error.name} is not installed.",
            "pip install 'readsmith[trainer,predictor]'; readsmith doctor tells what is missing.",
        )
    if isinstance(error, MemoryError):
        return FailedError(
            "out_of_memory",
            "There is not enough memory.",
            "End other programs, use smaller images or fewer, or a machine with more.",
        )
    if isinstance(error, OSError) and error.strerror:
        return _of_the_system(error)
    return FailedError(
        "internal_error",
        f"This should not have happened: {type(error).__name__}: {error}",
        "Please report it with what READSMITH_TRACEBACK=1 prints.",
    )


def _of_the_system(error: OSError) -> ReadsmithError:
    if error.errno == errno.ENOSPC:
        return DiskFullError("disk_full", "The disk is full.", "Make room and try again.")
    where = f": {error.filename}" if error.filename else ""
    return FailedError(
        "system_error", f"{error.strerror}{where}", "See that it is there and may be used."
    )


def print_error(error: ReadsmithError, *, as_json: bool) -> None:
    """Print an error on stderr: the message, then the hint; or one JSON object."""
    if as_json:
        body = {"code": error.code, "message": error.message, "hint": error.hint}
        say(err, json.dumps({"error": body}, ensure_ascii=False))
        return
    say(err, f"Error: {error.message}")
    if error.hint:
        say(err, error.hint)


def print_json(value: Any) -> None:
    """Print one JSON value on stdout."""
    say(out, json.dumps(value, ensure_ascii=False, indent=2))


def say(console: Console, text: str) -> None:
    """Print text as it is: no markup, no line breaks but its own."""
    console.print(text, soft_wrap=True)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, whole: bool = False
) -> None:
    """Print a table on stdout: as wide as it is for a program, within the width of a terminal.

    whole: cells of the first column are never cut into lines, as for ids that are to be copied.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    lines = [["" if cell is None else shown(str(cell), None) for cell in row] for row in rows]
    for number, column in enumerate(columns):
        is_whole = whole and number == 0
        longest = max((cell_len(line[number]) for line in lines), default=0)
        least = longest if is_whole else None
        table.add_column(column, overflow="fold", no_wrap=is_whole, min_width=least)
    for line in lines:
        table.add_row(*line)
    width = out.width if out.is_terminal else WIDEST
    out.print(Segments(out.render(table, out.options.update(width=width))), crop=False)


def prediction(text: str | None) -> str:
    """Return what was read for a table; None stands for nothing that fits the limits."""
    return "(nothing fits)" if text is None else text


def label(text: str) -> str:
    """Return an image's label for a table; an empty one says that there is nothing to read."""
    return text or "(nothing to read)"


def unreadable_line(empty: int, images: int) -> str:
    """Tell how many images with nothing to read got an empty text."""
    return f"{empty} of {images} images with nothing to read are answered with an empty text."


def percent(share: float) -> str:
    """Write a share for people: 0.9873 becomes 98.7 %."""
    return f"{100 * share:.1f} %"


def interval(bounds: Iterable[float]) -> str:
    """Write the bounds of a share's 95 % interval for people."""
    return f"95 % interval {' to '.join(map(percent, bounds))}"


def duration(seconds: float) -> str:
    """Write seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
