"""All commands: verbs, and nouns with verbs of their own."""

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from readsmith.commands.datasets.check import check
from readsmith.commands.datasets.convert import convert
from readsmith.commands.datasets.label import label
from readsmith.commands.datasets.living import (
    delete_dataset,
    export_dataset,
    import_dataset,
    list_datasets,
    show,
)
from readsmith.commands.datasets.pack import pack
from readsmith.commands.doctor.doctor import doctor
from readsmith.commands.evaluate import evaluate
from readsmith.commands.jobs import app as jobs
from readsmith.commands.keys import app as keys
from readsmith.commands.learning_curve import learning_curve
from readsmith.commands.models.copy import copy
from readsmith.commands.models.default import choose_default
from readsmith.commands.models.deletion import delete, restore
from readsmith.commands.models.export import export
from readsmith.commands.models.importing import adopt
from readsmith.commands.models.limits import allowed, pattern
from readsmith.commands.models.versions import list_models, promote, rollback
from readsmith.commands.predict import predict
from readsmith.commands.train import train
from readsmith.commands.up import up
from readsmith.commands.watch import watch
from readsmith.output import INTERRUPTED, Commands
from shared import __version__


class _CommandLine(typer.Typer):
    """Ends with 130 also where Ctrl-C comes before a command has begun."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Run the command that the process was called with, and exit."""
        try:
            return super().__call__(*arguments, **options)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)


app = _CommandLine(
    cls=Commands,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"readsmith {__version__}")
        raise typer.Exit


@app.callback()
def readsmith(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Trains and serves models that read short text lines.

    Example: readsmith up --first-job
    """


def _group(about: str, commands: dict[str, Callable[..., None]]) -> typer.Typer:
    group = typer.Typer(help=about)
    for name, command in commands.items():
        group.command(name)(command)
    return group


for command in (up, label, train, evaluate, predict, watch, learning_curve, doctor):
    app.command()(command)
app.add_typer(
    _group(
        "Check labelled sets, write them in other formats, and work with those of a trainer.\n\n"
        "Example: readsmith datasets check captchas.zip",
        {
            "check": check,
            "convert": convert,
            "pack": pack,
            "list": list_datasets,
            "show": show,
            "import": import_dataset,
            "export": export_dataset,
            "delete": delete_dataset,
        },
    ),
    name="datasets",
)
app.add_typer(
    _group(
        "See what is published, and choose what is served.\n\nExample: readsmith models list",
        {
            "list": list_models,
            "default": choose_default,
            "promote": promote,
            "rollback": rollback,
            "pattern": pattern,
            "allowed": allowed,
            "delete": delete,
            "restore": restore,
            "copy": copy,
            "export": export,
            "import": adopt,
        },
    ),
    name="models",
)
app.add_typer(jobs, name="jobs")
app.add_typer(keys, name="keys")
